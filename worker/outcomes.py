"""What can become of a record: a result, a dead letter, or the record itself passed on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from contract.encoding import Encoded
from contract.events import EVENT_TYPE, ModelIdentity, Reason, iso_milliseconds
from worker.core.decoding import Rejection
from worker.core.headers import (
    CONTENT_TYPE,
    DEAD_LETTER,
    ERRORS,
    REASON,
    SESSION,
    Headers,
    Origin,
    first_origin,
    of_result,
)
from worker.core.leaving_out import Part, Parts, headers_without, key_without, leave_out_more
from worker.core.records import Partition, Record
from worker.core.sentiment_json import SentimentWriter
from worker.core.splicing import splice
from worker.errors import KafkaUnfitError


class Kind(StrEnum):
    """What became of a record."""

    RESULT = "result"
    DEAD_LETTER = "dead_letter"
    FORWARDED = "forwarded"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to publish, and the record that it answers."""

    kind: Kind
    source: Record
    target: Partition
    value: bytes | None
    headers: Headers
    detail: str = ""  # a result's label, a dead letter's reason
    confidence: float = 0.0
    abstained: bool = False
    left_out: Parts = frozenset()  # of a dead letter that its topic refused

    @property
    def key(self) -> bytes | None:
        """The record's, unless a dead letter has to do without."""
        return key_without(self.source, self.left_out)

    @property
    def timestamp_ms(self) -> int | None:
        """The record's; None for the time of writing."""
        has_none = self.source.timestamp_ms < 0 or Part.TIMESTAMP in self.left_out
        return None if has_none else self.source.timestamp_ms

    def again(self, number: int) -> "Outgoing":
        """The same in the session of what is published again for the `number`th time in this process.

        What was with it may have been written already, so that it is out of order in its first session.
        """
        headers = [
            (name, value.partition(b"+")[0] + b"+%d" % number if name == SESSION else value)
            for name, value in self.headers
        ]
        return replace(self, headers=headers)


@dataclass(frozen=True, slots=True)
class Unwritten:
    """An outgoing record that the broker has not written."""

    outgoing: Outgoing
    refusal: Rejection | None = None
    """What the broker has against it; None where it fell with another, or where the broker names none of several.
    One that is sent alone is always named."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class OutcomeBuilder:
    """What every outgoing record says of the worker that wrote it.

    All of one builder's say the same time, so each window has its own (`in_assignment`).
    """

    cluster_id: str
    session: str  # order within a partition is promised within a session
    model: ModelIdentity
    labels: tuple[str, ...]  # in class-id order
    abstain_below: float
    output_topic: str
    dead_letter_topic: str
    now: Callable[[], datetime] = _utc_now

    def in_assignment(self, epoch: int) -> "OutcomeBuilder":
        """The same for a window of one assignment: a partition that comes back may be read from further back."""
        return replace(self, session=f"{self.session}.{epoch}")

    def result(self, record: Record, encoded: Encoded, probabilities: NDArray[np.float64]) -> Outgoing:
        """The enriched event of a scored record; `probabilities` has shape (classes,)."""
        sentiment = self._writer.judge(
            record, probabilities.tolist(), tokens=len(encoded.ids), truncated=encoded.truncated
        )
        return Outgoing(
            kind=Kind.RESULT,
            source=record,
            target=Partition(self.output_topic, record.partition.number),
            value=splice(record.value or b"", "sentiment", sentiment.json),
            headers=[*self._own_headers(record), (CONTENT_TYPE, b"application/json")],
            detail=sentiment.label,
            confidence=sentiment.confidence,
            abstained=sentiment.abstained,
        )

    def forward(self, record: Record) -> Outgoing:
        """A tombstone, passed on so that a compacted output topic forgets the key too."""
        return Outgoing(
            kind=Kind.FORWARDED,
            source=record,
            target=Partition(self.output_topic, record.partition.number),
            value=None,
            headers=self._own_headers(record),
        )

    def dead_letter(
        self, record: Record, rejection: Rejection, *, stage: str, attempts: int = 1, error: str = ""
    ) -> Outgoing:
        """The record as it was, with its reason in headers of Kafka Connect's dialect and our own."""
        # The one record that the client can't send at all: it gets a key.
        left_out = frozenset({Part.KEY} if record.key is None and record.value is None else ())
        source = record.partition
        here = Origin(source.topic, str(source.number), str(record.offset))
        origin = first_origin(record.headers, here)
        added = {
            **{f"{ERRORS}{name}": value for name, value in origin._asdict().items()},
            f"{ERRORS}stage": stage,
            f"{ERRORS}exception.class.name": error or rejection.reason,
            f"{ERRORS}exception.message": rejection.detail[:1000],
            REASON: rejection.reason,
            f"{DEAD_LETTER}attempts": str(attempts),
            f"{DEAD_LETTER}model-sha256": self.model.sha256,
            SESSION: self.session,
        }
        return Outgoing(
            kind=Kind.DEAD_LETTER,
            source=record,
            target=Partition(self.dead_letter_topic, source.number),
            value=record.value,
            headers=headers_without(record, left_out) + [(name, value.encode()) for name, value in added.items()],
            detail=rejection.reason,
            left_out=left_out,
        )

    def instead(self, outgoing: Outgoing, refusal: Rejection) -> Outgoing:
        """What takes the place of a record that its topic refuses: its dead letter, then less and less of that.

        Raises:
            KafkaUnfitError: If the dead-letter topic refuses even what is left of a dead letter in the end.
        """
        if outgoing.kind is not Kind.DEAD_LETTER:
            same_session = replace(self, session=dict(outgoing.headers)[SESSION].decode())
            return same_session.dead_letter(outgoing.source, refusal, stage="publish")
        record, before = outgoing.source, outgoing.left_out
        for_size = refusal.reason is Reason.OUTPUT_TOO_LARGE
        if (left_out := leave_out_more(record, before, for_size=for_size)) is None:
            raise KafkaUnfitError(
                f"{outgoing.target.topic} refuses even a dead letter without the headers, value and key of its "
                f"record: {refusal.detail}. Look at the topic's settings, max.message.bytes first."
            )
        own = outgoing.headers[len(headers_without(record, before)) :]
        return replace(
            outgoing,
            value=b"" if Part.VALUE in left_out else record.value,
            headers=headers_without(record, left_out) + own,
            left_out=left_out,
        )

    def _own_headers(self, record: Record) -> Headers:
        """The input's headers, then CloudEvents' in binary mode, then the session."""
        source = f"{self.cluster_id}/{record.partition.topic}/{record.partition.number}"
        return [
            *of_result(record.headers),
            ("ce_specversion", b"1.0"),
            ("ce_type", EVENT_TYPE.encode()),
            ("ce_source", f"kafka://{source}".encode()),
            ("ce_id", f"{source}/{record.offset}".encode()),
            ("ce_time", self._time.encode()),
            (SESSION, self.session.encode()),
        ]

    @cached_property
    def _time(self) -> str:
        return iso_milliseconds(self.now())

    @cached_property
    def _writer(self) -> SentimentWriter:
        return SentimentWriter(self.model, self.labels, self.abstain_below, self._time)
