"""Who is to blame for a batch that was refused; what the broker really says is in test_kafka_sink.py."""

import pytest
from kafka.errors import (
    InvalidRecordError,
    InvalidTimestampError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NotEnoughReplicasError,
    OutOfOrderSequenceNumberError,
)

from worker.adapters.kafka_refusals import unwritten
from worker.core.records import Partition, Record
from worker.outcomes import Kind, Outgoing

_ITEMS = [
    Outgoing(Kind.RESULT, Record(Partition("in", 0), n, 0, b"k", b"v"), Partition("out", 0), b"v", [])
    for n in range(3)
]


def reasons(*errors: KafkaError | None) -> list[tuple[int, str | None]]:
    """Offset and reason of each record that was not written."""
    return [
        (it.outgoing.source.offset, it.refusal.reason if it.refusal else None) for it in unwritten(_ITEMS, errors)
    ]


def test_a_record_with_an_error_of_its_own_is_to_blame() -> None:
    """The others of its batch, and of those after it, have only fallen with it."""
    fallen, gap = KafkaError("part of a batch"), OutOfOrderSequenceNumberError()
    assert reasons(fallen, InvalidTimestampError("too late"), gap) == [(0, None), (1, "output_refused"), (2, None)]
    assert reasons(None, MessageSizeTooLargeError(None), None) == [(1, "output_too_large")]
    assert reasons(None, None, None) == []


def test_an_error_that_several_have_in_common_blames_none() -> None:
    """Brokers that do not say which record they mean refuse all of its batch with one error."""
    of_all = InvalidRecordError("something is wrong")
    assert reasons(of_all, of_all, None) == [(0, None), (1, None)]
    assert reasons(of_all, None, None) == [(0, "output_refused")]


def test_what_the_broker_says_is_in_the_dead_letter() -> None:
    """Its own words, and the topic; the name of the error where it has none."""
    found = unwritten(_ITEMS, [InvalidRecordError("no key"), None, MessageSizeTooLargeError(None)])
    assert [it.refusal.detail for it in found if it.refusal] == [
        "out refuses it: no key", "1 bytes don't fit out: MessageSizeTooLargeError"
    ]  # fmt: skip


@pytest.mark.parametrize("other", [NotEnoughReplicasError(), KafkaError("bare"), KafkaTimeoutError("too slow")])
def test_what_has_nothing_to_do_with_records_is_raised(other: KafkaError) -> None:
    """Only beside a refusal can it be one of its consequences; a time limit never is."""
    with pytest.raises(type(other)):
        unwritten(_ITEMS, [None, other, None])
    with pytest.raises(KafkaTimeoutError):
        unwritten(_ITEMS, [InvalidRecordError("no key"), KafkaTimeoutError("too slow"), None])
