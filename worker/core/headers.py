"""Headers of what goes out: the input's in their order, and each of ours once.

An input may carry names of ours: it is another program's CloudEvent, or a dead letter that somebody sent back. A
result renames them, since it is about this event and this scoring. A dead letter keeps what another program said
of the event, and says of failures only the last, with the place where the event was first.

A null value becomes an empty one: kafka-python sends header values as bytes only.
"""

from collections.abc import Iterable
from typing import NamedTuple

from worker.core.records import Header

Headers = list[tuple[str, bytes]]

ERRORS = "__connect.errors."
DEAD_LETTER = "x-dlq-"
SESSION = "x-worker-session"
REASON = f"{DEAD_LETTER}reason"
CONTENT_TYPE = "content-type"
TRACEPARENT = "traceparent"  # of W3C Trace Context
_CLOUD_EVENTS = "ce_"  # the prefix that CloudEvents reserves in Kafka headers (Kafka binding 1.0.2)
_RENAMED = "x-source-"
_TOPIC_CHARS_MAX = 249
_DIGITS_MAX = 10 + 19


class Origin(NamedTuple):
    """Where an event was first, as the headers of its dead letter say."""

    topic: str
    partition: str
    offset: str


def of_result(carried: Iterable[Header]) -> Headers:
    """The input's headers in a result: names of ours with `x-source-` before them."""
    return [(f"{_RENAMED}{name}" if _is_ours(name) else name, value or b"") for name, value in carried]


def of_dead_letter(carried: Iterable[Header]) -> Headers:
    """The input's headers in a dead letter: all but those of an earlier failure."""
    return [(name, value or b"") for name, value in carried if not _is_of_a_failure(name)]


def with_traceparent(headers: Headers, ours: bytes) -> Headers:
    """The same headers with another value of the one that says which span of which trace came before."""
    return [(name, ours if name == TRACEPARENT else value) for name, value in headers]


def first_origin(carried: Iterable[Header], here: Origin) -> Origin:
    """Where the event of an input was first: as its headers say if it is a dead letter sent back, else `here`."""
    said = {name: (value or b"").decode("utf-8", "replace") for name, value in carried}
    origin = Origin(*(said.get(f"{ERRORS}{name}", "") for name in Origin._fields))
    is_whole = origin.topic and origin.partition.isdecimal() and origin.offset.isdecimal()
    # No cluster has longer ones, and what we add to a dead letter has to be short, since it can't be left out.
    is_short = len(origin.topic) <= _TOPIC_CHARS_MAX and len(origin.partition + origin.offset) <= _DIGITS_MAX
    return origin if is_whole and is_short and said.get(REASON) else here


def _is_of_a_failure(name: str) -> bool:
    return name == SESSION or name.startswith((ERRORS, DEAD_LETTER))


def _is_ours(name: str) -> bool:
    return _is_of_a_failure(name) or name == CONTENT_TYPE or name.startswith(_CLOUD_EVENTS)
