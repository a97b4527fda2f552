"""Which dead letters have been sent back, and what each was before."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.events import Reason
from tests.faked_pipeline import outcome_builder
from worker.core.decoding import Rejection
from worker.core.headers import DEAD_LETTER, Origin, first_origin
from worker.core.leaving_out import Part
from worker.core.records import Partition, Record
from worker.core.redriving import Redriven, revived

reasons = st.sampled_from("abc")
runs = st.lists(st.tuples(st.integers(0, 9), st.frozensets(reasons)), max_size=6)


@given(runs)
def test_a_reason_is_sent_up_to_where_its_runs_came(done: list[tuple[int, frozenset[str]]]) -> None:
    """Whatever runs for some reasons, or for all, came before; also read back from the commit of each."""
    redriven, expected = Redriven(), dict.fromkeys("abc", 0)
    for position, chosen in done:
        redriven = redriven.moved(position, chosen)
        redriven = Redriven.parse(redriven.position, redriven.metadata)
        for reason in chosen or expected:
            expected[reason] = max(expected[reason], position)
    assert {reason: redriven.until(reason) for reason in expected} == expected
    assert redriven.first(()) <= min(expected.values())
    assert redriven.first("ab") == min(expected["a"], expected["b"])


@given(runs, st.integers(0, 9))
def test_what_lies_beyond_the_end_of_a_log_is_not_sent(done: list[tuple[int, frozenset[str]]], end: int) -> None:
    """A log that was cut off grows again, and what comes there then is new, whatever the reason."""
    redriven = Redriven()
    for position, chosen in done:
        redriven = redriven.moved(position, chosen)
    within = redriven.within(end)
    assert {it: within.until(it) for it in "abc"} == {it: min(redriven.until(it), end) for it in "abc"}
    assert within.within(end) == within == Redriven.parse(within.position, within.metadata)


@pytest.mark.parametrize("metadata", ["", "{", "[]", "null", '{"a":"x"}', '{"a":3}', '{"a":1e999}', "[" * 4000])
def test_metadata_of_another_program_says_nothing(metadata: str) -> None:
    """The offset of the commit holds for every reason then, as after a reset with Kafka's own tools."""
    assert Redriven.parse(7, metadata) == Redriven(7)


def record(key: bytes | None = b"k", value: bytes | None = b"{") -> Record:
    return Record(Partition("in", 3), 7, 1234, key, value, (("trace", b"1"),))


def dead_letter(of: Record, *left_out: Part) -> Record:
    """What is in the dead-letter topic of a record, as the worker writes it where these parts are refused."""
    builder = outcome_builder()
    dead = builder.dead_letter(of, Rejection(Reason.INVALID_JSON, "?"), stage="decode")
    while not dead.left_out >= set(left_out):
        reason = Reason.OUTPUT_REFUSED if Part.TIMESTAMP in left_out else Reason.OUTPUT_TOO_LARGE
        dead = builder.instead(dead, Rejection(reason, "?"))
    timestamp_ms = 999 if dead.timestamp_ms is None else dead.timestamp_ms
    return Record(Partition("dlq", 3), 0, timestamp_ms, dead.key, dead.value, tuple(dead.headers))


@pytest.mark.parametrize(
    ("of", "left_out"),
    [
        (record(), ()),
        (record(value=None), ()),
        (record(), (Part.TIMESTAMP,)),
        (record(key=None), (Part.TIMESTAMP, Part.KEY)),
    ],
)
def test_a_dead_letter_is_the_record_again(of: Record, left_out: tuple[Part, ...]) -> None:
    """Key, value and time, also where its topic did not take these; the first origin is in its headers."""
    again = revived(dead_letter(replace(of, headers=()), *left_out))
    assert isinstance(again, Record)
    assert (again.key, again.value, again.timestamp_ms) == (of.key, of.value, of.timestamp_ms)
    assert first_origin(again.headers, Origin("in", "0", "99")) == ("in", "3", "7")


@pytest.mark.parametrize("timestamp_ms", [b"abc", b"\xff", b"9" * 30, b"-2", b"1.5"])
def test_a_time_that_no_record_has_can_not_go_back(timestamp_ms: bytes) -> None:
    """Anyone who may write to the topic may write such a header: that one is named, and the others go."""
    dead = dead_letter(replace(record(), headers=()))
    hostile = replace(dead, headers=(*dead.headers, (f"{DEAD_LETTER}timestamp-ms", timestamp_ms)))
    assert revived(hostile) == frozenset({Part.TIMESTAMP})


def test_parts_left_out_that_nobody_knows_say_nothing() -> None:
    """Not UTF-8, or of another version."""
    dead = dead_letter(replace(record(), headers=()))
    hostile = replace(dead, headers=(*dead.headers, (f"{DEAD_LETTER}left-out", b"\xff,soul")))
    assert isinstance(revived(hostile), Record)


@pytest.mark.parametrize(
    ("of", "left_out", "lacking"),
    [
        (record(), [Part.HEADERS], [Part.HEADERS]),
        (record(), [Part.VALUE], [Part.HEADERS, Part.VALUE]),
        (record(), [Part.KEY], [Part.HEADERS, Part.VALUE, Part.KEY]),
        (record(key=None, value=None), [], [Part.KEY]),  # which the client can't send
    ],
)
def test_what_lacks_a_part_of_its_record_is_not_sent(
    of: Record, left_out: list[Part], lacking: list[Part]
) -> None:
    """A result without the headers or the value of its event would be of another one."""
    assert revived(dead_letter(of, *left_out)) == frozenset(lacking)
