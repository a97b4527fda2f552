"""The path of a record in the worker, from its bytes to what is published, and what must hold there for any input.

Decoding, encoding, scoring, outcomes and delivery are the worker's own. Only the model is none, and the broker is
the client's own writer of batches, which measures what it is given.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from kafka.record.memory_records import MemoryRecordsBuilder
from numpy.typing import NDArray

from contract.encoding import Encoding
from contract.events import ModelIdentity
from contract.labels import LABELS
from worker.adapters.encoder import TokenizersEncoder
from worker.adapters.metrics import Metrics
from worker.core.backpressure import Marks
from worker.core.breaker import Breaker, BreakerPolicy
from worker.core.records import Chunk, Partition, Record
from worker.core.windows import WindowPolicy
from worker.delivery import AtLeastOnce
from worker.in_flight import InFlight
from worker.outcomes import Kind, OutcomeBuilder, Outgoing
from worker.pipeline import Pipeline, PipelineOptions

INPUT_BYTES_MAX = 1_000_000
SEPARATOR = b"\x00\xff\x00"
"""Between the value, the key, and the names and values of headers, in an input of the fuzzer."""
NULL = b"\xff"
"""Stands for null where it is all of a value or a key."""

_TOPIC_BYTES_MAX = 1_048_588  # Kafka's default
_MORE_BYTES = 4096  # of an outcome than of its record: operators are told that outgoing topics take a little more
_INPUT = Partition("reviews", 0)
_ENCODINGS = (
    Encoding(tokens_max=16),
    Encoding(template="title+text", star_titles="masked", truncation="head+tail", tokens_max=16),
)
_SENTIMENT = b',"sentiment":'


class BrokenLawError(Exception):
    """An input came to something that no input may come to."""


class _Lengths:
    """Answers by the length of a row."""

    provider = "none"

    def logits(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        return np.array([[len(row), row[-2] % 7, 3] for row in rows], dtype=np.float32)


class _Measure:
    """A broker that takes all that is hardly larger than what it answers."""

    def __init__(self) -> None:
        self.taken: list[Outgoing] = []

    def publish(self, outgoing: Sequence[Outgoing]) -> list[Any]:
        for item in outgoing:
            record = item.source
            size_bytes, limit_bytes = (
                _batch_bytes(record.timestamp_ms, record.key, value, headers)
                for value, headers in ((item.value, item.headers), (record.value, record.headers))
            )
            if size_bytes > limit_bytes + _MORE_BYTES:
                raise BrokenLawError(f"an outcome of {size_bytes} bytes for a record of {limit_bytes}")
        self.taken += outgoing
        return []


class RecordPath:
    """The worker's pipeline around a tokenizer, with an encoding of each kind, so short that texts are long."""

    def __init__(self, tokenizer_file: Path) -> None:
        """Build the pipelines."""
        self._metrics = Metrics()
        self._encoders = [TokenizersEncoder(tokenizer_file, encoding) for encoding in _ENCODINGS]

    def check(self, data: bytes) -> list[str]:
        """What an input comes to, with each encoding: `result`, `forwarded`, `unsendable` or a reason.

        Raises:
            BrokenLawError: If what comes out is not what may.
            BaseException: Whatever the path raises; it would end a worker.
        """
        record = self.record(data)
        if record is None:
            return []
        return [self._one(record, encoder) for encoder in self._encoders]

    def record(self, data: bytes) -> Record | None:
        """The record that an input of the fuzzer stands for; None if the input topic would not take it."""
        value, key, *rest = [*data.split(SEPARATOR), b""][:42]
        names, values = rest[::2], rest[1::2]
        headers = tuple(
            (name.decode("utf-8", "replace"), None if said == NULL else said)
            for name, said in zip(names, values, strict=False)
        )
        record = Record(
            _INPUT,
            0,
            1_700_000_000_000,
            None if key in {b"", NULL} else key,
            None if value == NULL else value,
            headers,
        )
        size_bytes = _batch_bytes(record.timestamp_ms, record.key, record.value, record.headers)
        return record if size_bytes <= _TOPIC_BYTES_MAX else None

    def _one(self, record: Record, encoder: TokenizersEncoder) -> str:
        in_flight = InFlight(WindowPolicy(1, 1.0, 0.0, 10**6), Marks(10, 10**7))
        identity = ModelIdentity(name="none", version="1", sha256="0" * 64, variant="fp32", provider="none")
        outcomes = OutcomeBuilder("cluster", "session", identity, LABELS, 0.5, "results", "dead-letters")
        measure = _Measure()
        options = PipelineOptions(None, INPUT_BYTES_MAX, 8, 128, 16, temperature=(1.0, 1.5, 2.0))
        pipeline = Pipeline(
            options,
            in_flight=in_flight,
            encoder=encoder,
            classifier=_Lengths(),
            delivery=AtLeastOnce(in_flight, measure, outcomes, self._metrics),
            outcomes=outcomes,
            breaker=Breaker(BreakerPolicy()),
            telemetry=self._metrics,
        )
        in_flight.assign([_INPUT])
        in_flight.receive([Chunk(_INPUT, (record,), record.offset + 1)])
        window = in_flight.take()
        if window is None:
            raise BrokenLawError("a record makes no window")
        pipeline.run(window)
        if in_flight.due()[_INPUT].position != record.offset + 1:
            raise BrokenLawError("a record is not settled")
        return _judge(record, measure.taken)


def _judge(record: Record, taken: Sequence[Outgoing]) -> str:
    """What a record came to.

    Raises:
        BrokenLawError: If that is nothing, or more than one thing, or not its own.
    """
    if record.key is None and record.value is None and not taken:
        return "unsendable"
    if len(taken) != 1:
        raise BrokenLawError(f"{len(taken)} outcomes")
    outgoing, value = taken[0], record.value
    if outgoing.kind is Kind.FORWARDED and value is None and outgoing.value is None:
        return "forwarded"
    if outgoing.kind is Kind.DEAD_LETTER and outgoing.value == value:
        return outgoing.detail
    if outgoing.kind is Kind.RESULT and value is not None and outgoing.value is not None:
        end = value.rindex(b"}")
        added = outgoing.value[end : len(outgoing.value) - len(value) + end]
        if added.startswith(_SENTIMENT) and outgoing.value == value[:end] + added + value[end:]:
            parsed = json.loads(outgoing.value, parse_int=float)
            if parsed["sentiment"] == json.loads(added.removeprefix(_SENTIMENT), parse_int=float):
                return "result"
    raise BrokenLawError(f"{outgoing.kind} is not the record's own: {outgoing.value!r:.200}")


def _batch_bytes(
    timestamp_ms: int, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]
) -> int:
    """What a record takes alone in a batch, as the client writes it."""
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=0)
    builder.append(timestamp_ms, key, value, list(headers))
    builder.close()
    size_bytes: int = builder.size_in_bytes()
    return size_bytes
