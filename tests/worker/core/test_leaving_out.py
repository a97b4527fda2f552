"""A dead letter that always fits."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from worker.core.leaving_out import Part, Parts, headers_without, key_without, leave_out_more
from worker.core.records import Header, Partition, Record

T, H, V, K = Part.TIMESTAMP, Part.HEADERS, Part.VALUE, Part.KEY
_HEADERS: tuple[Header, ...] = (("trace", b"1"), ("x-dlq-reason", b"an earlier one"), ("null", None))


def record(
    key: bytes | None = b"key", value: bytes | None = b"value", headers: tuple[Header, ...] = _HEADERS
) -> Record:
    return Record(Partition("in", 3), 7, 1000, key, value, headers)


def steps(of: Record, *, for_size: bool) -> list[Parts]:
    """What is left out of a dead letter that is refused again and again."""
    found: list[Parts] = [frozenset()]
    while (more := leave_out_more(of, found[-1], for_size=for_size)) is not None:
        found.append(more)
    return found


def test_what_matters_least_goes_first() -> None:
    """The timestamp, the input's headers, the value, the key; what is too large keeps its timestamp."""
    assert steps(record(), for_size=False) == [set(), {T}, {T, H}, {T, H, V}, {T, H, V, K}]
    assert steps(record(), for_size=True) == [set(), {H}, {H, V}, {H, V, K}]


def test_a_missing_key_is_made_where_one_may_be_needed() -> None:
    """It may be that and not the timestamp, so that the timestamp comes back; a size has nothing to do with it."""
    assert steps(record(key=None), for_size=False) == [set(), {T}, {K}, {K, T}, {K, T, H}, {K, T, H, V}]
    assert steps(record(key=None), for_size=True) == [set(), {H}, {H, V}]


def test_what_is_not_there_is_not_left_out() -> None:
    """An empty value or a dead letter's own headers make nothing smaller."""
    bare = record(b"key", b"", (("x-dlq-reason", b"an earlier one"),))
    assert steps(bare, for_size=True) == [set(), {K}]


optional = st.none() | st.binary(max_size=3)


@given(st.builds(record, optional, optional), st.lists(st.booleans(), min_size=9, max_size=9))
def test_nothing_is_tried_twice_and_it_ends(of: Record, refused_for_size: list[bool]) -> None:
    """Whatever a topic refuses, and in whatever order."""
    seen: list[Parts | None] = [frozenset()]
    for for_size in refused_for_size:
        if (before := seen[-1]) is not None:
            seen.append(leave_out_more(of, before, for_size=for_size))
    assert len(set(seen)) == len(seen)
    assert seen[-1] is None


def test_hashes_and_sizes_stand_for_what_is_left_out() -> None:
    """So that it can be found in the input topic, or recognised."""
    said = dict(headers_without(record(), frozenset(Part)))
    assert "trace" not in said
    assert said["x-dlq-left-out"] == b"timestamp,headers,value,key"
    assert said["x-dlq-timestamp-ms"] == b"1000"
    for part, content in {"headers": b"trace\x001\x00null\x00\x00", "value": b"value", "key": b"key"}.items():
        assert said[f"x-dlq-{part}-sha256"] == hashlib.sha256(content).hexdigest().encode()
        assert said[f"x-dlq-{part}-bytes"] == str(len(content)).encode()
    assert headers_without(record(), frozenset()) == [("trace", b"1"), ("null", b"")]
    assert dict(headers_without(record(key=None), frozenset({K}))) == {
        "trace": b"1", "null": b"", "x-dlq-left-out": b"key"
    }  # fmt: skip


def test_the_position_takes_the_place_of_the_key() -> None:
    """It is nobody else's, so that compaction takes no other dead letter for the same."""
    assert key_without(record(), frozenset({V})) == b"key"
    assert key_without(record(), frozenset({K})) == b"in/3/7"
