"""What a broker refuses of one record, told apart from what happens to the records that are sent with it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from kafka.errors import (
    InvalidRecordError,
    InvalidTimestampError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)

from contract.events import Reason
from worker.core.decoding import Rejection
from worker.outcomes import Outgoing, Unwritten

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
_REFUSALS = (*_TOO_LARGE, InvalidRecordError, InvalidTimestampError)


def answer_every_batch(producer: Any) -> None:
    """Let every batch have the broker's own answer, although one before it was refused.

    An idempotent or transactional producer of kafka-python 3.0.12 ends with the first batch that is refused:
    whatever else it has, also what other brokers are writing at that moment, fails with the error of that batch,
    and nobody knows which records are refused and which are written. So that it goes on to the end, the refusal,
    and the gap that it leaves in the sequence numbers, fail their own batches only. After that the producer has to
    be replaced.
    """
    manager = producer._transaction_manager  # noqa: SLF001 - nothing public decides this
    classify = manager.classify_batch_error
    refused = False

    def classify_batch_error(error: Exception, batch: Any, log_start_offset: int = -1) -> str:
        nonlocal refused
        refused = refused or isinstance(error, _REFUSALS)
        kind: str = classify(error, batch, log_start_offset)
        of_one_batch = isinstance(error, _REFUSALS) or (refused and kind == manager.ERROR_CLASS_NEEDS_EPOCH_BUMP)
        return str(manager.ERROR_CLASS_RETRIABLE) if of_one_batch else kind

    manager.classify_batch_error = classify_batch_error


def unwritten(outgoing: Sequence[Outgoing], errors: Sequence[KafkaError | None]) -> list[Unwritten]:
    """The records that were not written, with what the broker says of each.

    Args:
        outgoing: What was sent.
        errors: How each of them failed; None where it is acknowledged.

    Raises:
        KafkaError: The first error that is not the fault of one of these records.
    """
    # A batch of which the broker names no record (before Kafka 2.4, and other makes) fails with one error for all.
    times = Counter(id(error) for error in errors if isinstance(error, _REFUSALS))
    found = []
    for item, error in zip(outgoing, errors, strict=True):
        if error is None:
            continue
        if not times or isinstance(error, KafkaTimeoutError):
            raise error
        found.append(Unwritten(item, _rejection(item, error) if times[id(error)] == 1 else None))
    return found


def _rejection(item: Outgoing, error: KafkaError) -> Rejection:
    topic, said = item.target.topic, (error.args[0] if error.args else None) or type(error).__name__
    if isinstance(error, _TOO_LARGE):
        return Rejection(Reason.OUTPUT_TOO_LARGE, f"{len(item.value or b'')} bytes don't fit {topic}: {said}")
    return Rejection(Reason.OUTPUT_REFUSED, f"{topic} refuses it: {said}")
