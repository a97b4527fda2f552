"""From a line of a review file to a review, or to the reason why there is none."""

import ast
import json
import math
import warnings
from typing import Any

from contract.fields import TEXT_FIELDS, TITLE_FIELDS, first_text, has_lone_surrogate, is_blank
from contract.labels import star_label
from reviews.review import UNLABELLED, Review

_STAR_FIELDS = ("overall", "rating")
_PYTHON_2 = "text that Python 2 wrote as bytes, read as UTF-8"


def read_line(line: bytes, stem: str, *, starred: bool = True) -> tuple[Review, list[str]]:
    """The review of a line, and what is odd about it though it can be used.

    Args:
        line: A JSON object, or a Python literal as the set of 2014 was first published.
        stem: The category, and the source, where the record names none.
        starred: Whether it needs stars; else they are not looked at, and the review is unlabelled.

    Raises:
        ValueError: If it can't be used; the message is the reason, of few different ones.
    """
    odd: list[str] = []
    record = _parse(line, odd)
    text = first_text(record, TEXT_FIELDS)
    stars = [
        star
        for name in _STAR_FIELDS
        if isinstance(star := record.get(name), int | float) and not isinstance(star, bool)
    ]
    if text is None:
        raise ValueError("no text")
    if starred and not stars:
        raise ValueError("no stars")
    if has_lone_surrogate(text):
        raise ValueError("a lone surrogate in the text")  # JSON can write one; UTF-8 and tokenizers can't
    category, source = (_name(record, field, stem, odd) for field in ("category", "source"))
    if not starred:
        return Review(text, UNLABELLED, category, None, _title(record, odd), source), odd
    label = star_label(stars[0])
    if math.trunc(stars[0]) != stars[0]:
        odd.append("stars between whole numbers")
    if stars[0] == 0:
        odd.append("0 stars, which shops do not give: it may stand for no answer")
    return Review(text, label, category, float(stars[0]), _title(record, odd), source), odd


def _parse(line: bytes, odd: list[str]) -> dict[str, Any]:
    try:
        text = line.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        try:
            record = _python_literal(text, odd)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            raise ValueError("not JSON") from None
    if not isinstance(record, dict):
        raise ValueError("not an object")  # noqa: TRY004 - counted with the other reasons
    return record


def _python_literal(text: str, odd: list[str]) -> Any:
    r"""The value of a literal as Python 2 meant it.

    In its `'Caf\xc3\xa9'` each escape is a byte, of UTF-8 as a rule, and only in `u'Caf\xe9'` a character, where
    Python 3 knows no such difference. All that Python 2 printed is ASCII. A pair of surrogates is one character,
    as in JSON.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an escape such as `\/`, which is kept as it is
        tree = ast.parse(text, mode="eval")
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or node.value.isascii():
            continue
        value = node.value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        if text.isascii() and node.kind != "u":
            try:
                value = value.encode("latin-1").decode()
                odd[:] = [_PYTHON_2]
            except UnicodeError:  # characters after all
                pass
        node.value = value
    return ast.literal_eval(tree)


def _title(record: dict[str, Any], odd: list[str]) -> str | None:
    """The worker's choice; it refuses an event with a lone surrogate, here only the title is left out."""
    for name in TITLE_FIELDS:
        title = record.get(name)
        if not isinstance(title, str):
            if title is not None:
                odd.append("a title that is no text")
        elif not is_blank(title):
            if not has_lone_surrogate(title):
                return title
            odd.append("a lone surrogate in the title")
            return None
    return None


def _name(record: dict[str, Any], field: str, stem: str, odd: list[str]) -> str:
    name = record.get(field)
    if isinstance(name, str) and name and not has_lone_surrogate(name):
        return name
    if name:
        odd.append(f"a {field} that is no text")
    return stem
