r"""From the bytes of a record to the fields that the model reads, or to the reason why not.

JSON is read as strictly as RFC 8259 allows: what passes here can be enriched by splicing, byte for byte, and
read by every consumer downstream. Python's own parser accepts three things too many (NaN and Infinity, lone
surrogates written as `\ud800`, nesting without limit); they are refused here.
"""

import codecs
import json
import re
from typing import Any, NamedTuple, NoReturn

from contract.events import Reason
from contract.fields import TEXT_FIELDS, TITLE_FIELDS, Fields, first_text

DEPTH_MAX = 64

_BYTE_ORDER_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
"""That of UTF-32 in little endian begins with UTF-16's."""

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)


class Rejection(NamedTuple):
    """A reason with the particulars of this record."""

    reason: Reason
    detail: str


def decode(value: bytes, *, text_field: str | None, bytes_max: int) -> Fields | Rejection:
    """The fields of an event.

    Args:
        value: The record's value.
        text_field: The only field to read the text from; None for the first of `TEXT_FIELDS` that holds one.
        bytes_max: A longer value is not even parsed.
    """
    if len(value) > bytes_max:
        return Rejection(Reason.TOO_LARGE, f"{len(value)} bytes, where {bytes_max} are allowed")
    try:
        event = _parse(value)
    except ValueError as error:
        return Rejection(Reason.INVALID_JSON, str(error))
    if not isinstance(event, dict):
        return Rejection(Reason.NOT_AN_OBJECT, f"a JSON {_KINDS.get(type(event), 'value')}, not an object")
    if "sentiment" in event:
        return Rejection(Reason.SENTIMENT_PRESENT, "the event has a field called sentiment already")
    return _fields(event, TEXT_FIELDS if text_field is None else (text_field,))


_KINDS = {list: "array", str: "string", float: "number", bool: "boolean", type(None): "null"}


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


# Numbers are never used, so integers are read as floats: no limit on their digits, and quicker.
_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_int=float)


def _parse(value: bytes) -> Any:
    """The parsed value; ValueError says what RFC 8259, or our limit of depth, does not allow."""
    if value.startswith(_BYTE_ORDER_MARKS):
        raise ValueError("a byte order mark stands before the JSON, which has none: send UTF-8 without it")
    text = value.decode("utf-8")
    try:
        event = _DECODER.decode(text)
    except RecursionError:
        raise ValueError(f"nested deeper than {DEPTH_MAX}") from None
    if text.count("{") + text.count("[") > DEPTH_MAX and _depth(event) > DEPTH_MAX:
        raise ValueError(f"nested deeper than {DEPTH_MAX}")
    if "\\u" in text:
        _check_surrogates(text)
    return event


def _depth(event: Any) -> int:
    """Levels of arrays and objects, found without recursion."""
    level, depth = [event], 0
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth


def _check_surrogates(text: str) -> None:
    """Refuse a surrogate escape without its partner; backslashes stand only inside strings in valid JSON."""
    high_end = -1  # where a high surrogate ended that still waits for its partner
    for match in _ESCAPE.finditer(text):
        code = int(match[1], 16) if match[1] else 0
        is_low = 0xDC00 <= code <= 0xDFFF  # noqa: PLR2004
        if is_low != (high_end == match.start()):
            break
        if high_end >= 0 and not is_low:
            break
        high_end = match.end() if 0xD800 <= code <= 0xDBFF else -1  # noqa: PLR2004
    else:
        if high_end < 0:
            return
    raise ValueError("a lone surrogate")


def _fields(event: dict[str, Any], names: tuple[str, ...]) -> Fields | Rejection:
    present = [(name, event[name]) for name in names if name in event]
    if (chosen := first_text(event, names)) is not None:
        return Fields(chosen, first_text(event, TITLE_FIELDS))
    if not present:
        return Rejection(Reason.MISSING_TEXT, f"no field called {' or '.join(names)}")
    name, text = present[0]
    if isinstance(text, str):
        return Rejection(Reason.BLANK_TEXT, f"{name} is blank")
    return Rejection(Reason.TEXT_NOT_STRING, f"{name} is a JSON {_KINDS.get(type(text), 'object')}")
