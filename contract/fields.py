"""Which fields of a review the model reads, and when a text counts as blank."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

TEXT_FIELDS = ("text", "reviewText", "review_text", "body")
TITLE_FIELDS = ("title", "summary")


class Fields(NamedTuple):
    """What the model may read of a review."""

    text: str
    title: str | None = None


def first_text(record: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The first of these fields that is a string and not blank; None if there is none."""
    values = (record.get(name) for name in names)
    return next((value for value in values if isinstance(value, str) and not is_blank(value)), None)


def is_blank(text: str) -> bool:
    """Whether a text has nothing but white space, control and format characters (Unicode Z*, Cc, Cf)."""
    if text and text[0].isalnum():
        return False
    return all(char.isspace() or unicodedata.category(char) in {"Cc", "Cf", "Zs", "Zl", "Zp"} for char in text)


def has_lone_surrogate(text: str) -> bool:
    """Whether a text can't be written as UTF-8: JSON can escape half of a surrogate pair."""
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
