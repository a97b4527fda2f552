"""A dead letter that always fits: what is left out of it, one thing after the other, while its topic refuses it.

Nothing is said about what a topic refuses: that is learnt by trying. What is left out is named in a header, and
its hash and size stand for it.
"""

import hashlib
from collections.abc import Iterable
from enum import StrEnum

from worker.core.headers import DEAD_LETTER, Headers, of_dead_letter
from worker.core.records import Record


class Part(StrEnum):
    """What can be left out of a dead letter, in the order in which it is."""

    TIMESTAMP = "timestamp"
    """The time of writing takes its place."""
    HEADERS = "headers"
    """Those of the input."""
    VALUE = "value"
    KEY = "key"
    """The position of the record takes its place, also where there was no key."""


Parts = frozenset[Part]


def leave_out_more(record: Record, left_out: Parts, *, for_size: bool) -> Parts | None:
    """What to leave out of a dead letter that its topic has refused with `left_out` gone already.

    Args:
        record: What the dead letter is of.
        left_out: What is left out of it so far.
        for_size: Whether it was refused as too large. Then a timestamp and a missing key are no matter.

    Returns:
        None when nothing is left that could be left out.
    """
    if not for_size and Part.KEY not in left_out and record.key is None and Part.TIMESTAMP in left_out:
        return left_out - {Part.TIMESTAMP} | {Part.KEY}  # it was not the timestamp, or not that alone
    if not for_size and Part.TIMESTAMP not in left_out:
        return left_out | {Part.TIMESTAMP}
    there = ((Part.HEADERS, of_dead_letter(record.headers)), (Part.VALUE, record.value), (Part.KEY, record.key))
    return next((left_out | {part} for part, content in there if content and part not in left_out), None)


def key_without(record: Record, left_out: Parts) -> bytes | None:
    """The record's key, or the position that takes its place: no two dead letters have it in common."""
    if Part.KEY not in left_out:
        return record.key
    return f"{record.partition.topic}/{record.partition.number}/{record.offset}".encode()


def headers_without(record: Record, left_out: Parts) -> Headers:
    """The record's headers for its dead letter, and those that stand for what is left out."""
    carried = of_dead_letter(record.headers)
    contents: dict[Part, bytes | None] = {
        Part.HEADERS: b"".join(name.encode() + b"\0" + value + b"\0" for name, value in carried),
        Part.VALUE: record.value,
        Part.KEY: record.key,
    }
    said = [] if Part.HEADERS in left_out else carried
    if left_out:
        said = [*said, (f"{DEAD_LETTER}left-out", ",".join(it for it in Part if it in left_out).encode())]
    if Part.TIMESTAMP in left_out:
        said = [*said, (f"{DEAD_LETTER}timestamp-ms", str(record.timestamp_ms).encode())]
    for part, content in contents.items():
        if part in left_out and content is not None:
            said = [*said, *_digest(part, content)]
    return said


def _digest(part: Part, content: bytes) -> Iterable[tuple[str, bytes]]:
    yield f"{DEAD_LETTER}{part}-sha256", hashlib.sha256(content).hexdigest().encode()
    yield f"{DEAD_LETTER}{part}-bytes", str(len(content)).encode()
