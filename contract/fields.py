"""Which fields of a review the model reads, and when a text counts as blank."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

TEXT_FIELDS = ("text", "reviewText", "review_text", "body")
TITLE_FIELDS = ("title", "summary")

_STAR_TITLE_MAX = 40  # longer titles say more than a count, and cost no search
_AROUND = " \t\r\n\u00a0.,;:!?~'\"()[]{}|_-\u2013\u2014\u2018\u2019\u201c\u201d\u2026"  # dashes, quotes, dots
_NUMBER = (
    r"(?:[0-9]{1,3}(?:[.,][0-9])?|zero|one|two|three|four|five|six|seven|eight|nine|ten)"
    r"(?:\+| ?½|[ -](?:and )?(?:a )?half| (?:and )?[13]/[24])?"
)
_STAR = r"[★☆⭐🌟✩✭*]"
_STAR_TITLE = re.compile(
    rf"{_NUMBER}[\s-]*(?:stars?|{_STAR})(?: (?:out )?of {_NUMBER})?"  # five stars, 4 1/2 stars, 5 stars out of 5
    rf"|{_NUMBER} ?(?:/|out of) ?(?:10|5|five|ten)(?:[\s-]*stars?)?"  # 4/5, 4 out of 5, 4/5 stars
    rf"|{_STAR}(?:\s*{_STAR})*"
)


class Fields(NamedTuple):
    """What the model may read of a review."""

    text: str
    title: str | None = None


def first_text(record: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The first of these fields that is a string and not blank; None if there is none."""
    values = (record.get(name) for name in names)
    return next((value for value in values if isinstance(value, str) and not is_blank(value)), None)


def gives_stars_away(title: str) -> bool:
    """Whether a title is nothing but a count of stars, such as "Five Stars": a default of the shop's form.

    Punctuation around the count makes no difference; one more word does.
    """
    if len(title) > _STAR_TITLE_MAX:
        return False
    bare = title.replace("\ufe0f", "").casefold().strip(_AROUND)
    return _STAR_TITLE.fullmatch(bare) is not None


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
