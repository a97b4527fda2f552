"""The life of a window: decode, encode, batch, infer, and what becomes of it.

It gathers in `InFlight.receive`, where `worker.loop` brings what it polled, by way of `worker.isolation`, and is
closed by `InFlight.take`. One thread prepares and submits, one collects, one delivers (`worker.stages`): the host
works on the windows before and after that of the device, and the device goes on to the next without a pause.
Windows keep their order. `worker.delivery` publishes and settles, in portions where all would take too long. What
is settled is committed by `KafkaSource.commit`, by `Rebalances` when a partition is given up, and exactly once by
the transaction that publishes it, all as the ledger says.
"""

import logging
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np
import structlog
from numpy.typing import NDArray

from contract.events import Reason
from contract.fields import Fields
from contract.scoring import Temperature, probabilities
from worker.callers import Callers
from worker.core.batching import plan_batches
from worker.core.breaker import Breaker
from worker.core.decoding import Rejection, decode
from worker.core.delivery_counts import DELIVERIES_MAX
from worker.core.records import Record, Window
from worker.core.retry import run_isolating
from worker.delivery import Answered, Delivery
from worker.errors import DeviceFullError, ModelFailedError, TooManyDeadLettersError
from worker.in_flight import InFlight
from worker.outcomes import OutcomeBuilder, Outgoing
from worker.passage import Answer, Prepared, Scored, Submitted
from worker.ports import (
    UNTRACED,
    Classifier,
    Encoder,
    OutOfDeviceMemoryError,
    Telemetry,
    Tracing,
    WindowTrace,
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class PipelineOptions:
    """How events are read and batched; see `worker.settings` for each."""

    text_field: str | None
    input_bytes_max: int
    batch_rows_max: int
    batch_tokens_max: int
    row_tokens_max: int
    temperature: Temperature
    callers: int = 1
    """Forward passes at a time."""
    pass_tokens: int | None = None
    """See `plan_batches`."""
    served_tokens_max: int = 0
    """The longest row that this device has served before, at the warm-up."""
    full_pauses_s: tuple[float, ...] = (0.1, 0.3, 1, 3)
    """Before each further try of such a row when the device has no memory for it."""


class Pipeline:
    """The verbs of a window's life."""

    def __init__(
        self,
        options: PipelineOptions,
        *,
        in_flight: InFlight,
        encoder: Encoder,
        classifier: Classifier,
        delivery: Delivery,
        outcomes: OutcomeBuilder,
        breaker: Breaker,
        telemetry: Telemetry,
        tracing: Tracing = UNTRACED,
    ) -> None:
        self._options = options
        self._in_flight = in_flight
        self._encoder = encoder
        self._classifier = classifier
        self._delivery = delivery
        self._outcomes = outcomes
        self._breaker = breaker
        self._telemetry = telemetry
        self._callers = Callers(options.callers)
        self._tracing = tracing
        self._batch_tokens_max = options.batch_tokens_max
        self._served_tokens_max = options.served_tokens_max
        self._free_s = 0.0  # when the device had done with the window before

    def run(self, window: Window) -> None:
        """A window's whole life, for callers without use for the overlap of the stages."""
        self.deliver(self.collect(self.submit(self.prepare(window))))

    def prepare(self, window: Window) -> Prepared:
        """Decode and encode every record of a window."""
        self._telemetry.window(len(window))
        trace, times_s = self._tracing.window(window), {"queue": window.waited_s}
        self._telemetry.stage("queue", window.waited_s)
        fields: dict[int, Fields] = {}
        rejected: dict[int, Rejection] = {}
        with self._timed("decode", trace, times_s):
            for index, record in enumerate(window.records):
                if self._in_flight.is_poison(record):
                    rejected[index] = Rejection(Reason.CRASHED_WORKER, "a worker died on this record alone")
                    continue
                if record.value is None:
                    continue
                decoded = decode(
                    record.value, text_field=self._options.text_field, bytes_max=self._options.input_bytes_max
                )
                if isinstance(decoded, Rejection):
                    rejected[index] = decoded
                else:
                    fields[index] = decoded
        with self._timed("encode", trace, times_s):
            encoded = dict(zip(fields, self._encoder.encode(list(fields.values())), strict=True))
        self._telemetry.encoded(list(encoded.values()))
        return Prepared(window, encoded, rejected, times_s, trace)

    def submit(self, prepared: Prepared) -> Submitted:
        """Have the model run over a window, in batches of like length."""
        indices = list(prepared.encoded)
        lengths = [len(prepared.encoded[index].ids) for index in indices]
        plan = plan_batches(
            lengths,
            rows_max=self._options.batch_rows_max,
            tokens_max=self._batch_tokens_max,
            pass_tokens=self._options.pass_tokens,
            callers=self._options.callers,
        )
        batches = [[indices[position] for position in batch] for batch in plan]
        rows = [[prepared.encoded[index].ids for index in batch] for batch in batches]
        return Submitted(prepared, batches, self._callers.map(self._infer, rows))

    def collect(self, submitted: Submitted) -> Scored:
        """Wait for the answers to a window; windows come here in the order in which they were submitted."""
        prepared, answers = submitted.prepared, dict[int, Answer]()
        began_s, ended_s = math.inf, self._free_s
        with prepared.trace.stage("infer"):
            for batch, (found, from_s, until_s) in zip(submitted.batches, submitted.found, strict=True):
                answers.update(zip(batch, found, strict=True))
                began_s, ended_s = min(began_s, from_s), max(ended_s, until_s)
        # What the window before still took is its own, and a device that waited is not at work.
        elapsed_s = max(0.0, ended_s - max(began_s, self._free_s))
        self._free_s = ended_s
        prepared.times_s["infer"] = elapsed_s
        self._telemetry.stage("infer", elapsed_s)
        self._in_flight.scored([prepared.window.records[index] for index in prepared.encoded], elapsed_s)
        return Scored(prepared, answers)

    def answer(self, scored: Scored) -> Answered:
        """What becomes of each record, in the order read."""
        prepared, spans = scored.prepared, scored.prepared.window.ranges
        builders = {partition: self._outcomes.in_assignment(span.epoch) for partition, span in spans.items()}
        outgoing: list[Outgoing] = []
        unsendable: list[Record] = []
        for index, record in enumerate(prepared.window.records):
            answer, outcomes = scored.answers.get(index), builders[record.partition]
            if index in prepared.rejected:
                rejection = prepared.rejected[index]
                tried = DELIVERIES_MAX + 1 if rejection.reason is Reason.CRASHED_WORKER else 1
                outgoing.append(outcomes.dead_letter(record, rejection, stage="decode", attempts=tried))
            elif isinstance(answer, Exception):
                rejection = Rejection(Reason.MODEL_ERROR, str(answer))
                error = type(answer).__name__
                outgoing.append(outcomes.dead_letter(record, rejection, stage="infer", attempts=2, error=error))
            elif answer is not None:
                outgoing.append(outcomes.result(record, prepared.encoded[index], answer))
            elif record.key is not None:
                outgoing.append(outcomes.forward(record))
            else:
                unsendable.append(record)
        return Answered(prepared.window, tuple(prepared.trace.passed_on(outgoing)), tuple(unsendable))

    def deliver(self, scored: Scored) -> None:
        """Publish and settle a window, at once or with the next ones.

        Raises:
            ReviewSentimentError: If it can't be published, or if the model fails on too many records: then the
                dead letters are settled, so that a restart repeats nothing.
        """
        trace, times_s = scored.prepared.trace, scored.prepared.times_s
        with self._timed("publish", trace, times_s):
            answered = self.answer(scored)
            self._delivery.deliver(answered)
        trace.end()
        _tell(answered, times_s)
        self._watch(scored)

    def due_in_s(self) -> float | None:
        """Seconds until `catch_up` has something to do; None for never."""
        return self._delivery.due_in_s()

    def catch_up(self) -> None:
        """Finish what was put off."""
        self._delivery.catch_up()

    def _infer(self, rows: Sequence[list[int]]) -> tuple[list[Answer], float, float]:
        """Probabilities of each row, or the exception with which it fails alone; from when, until when."""
        from_s = time.monotonic()
        found = run_isolating(rows, self._forward, fatal=(ModelFailedError,), too_large=(OutOfDeviceMemoryError,))
        return found, from_s, time.monotonic()

    def _forward(self, rows: Sequence[list[int]]) -> list[NDArray[np.float64]]:
        if len(rows) > 1 or len(rows[0]) > self._served_tokens_max:
            return self._pass(rows)
        for pause_s in self._options.full_pauses_s:
            with suppress(OutOfDeviceMemoryError):
                return self._pass(rows)
            time.sleep(pause_s)
        try:
            return self._pass(rows)
        except OutOfDeviceMemoryError as error:  # the row can't be what is wrong
            why = f"the device has no memory for a row as long as others before: {error}"
            raise DeviceFullError(why) from error

    def _pass(self, rows: Sequence[list[int]]) -> list[NDArray[np.float64]]:
        longest, tokens = max(map(len, rows)), sum(map(len, rows))
        self._telemetry.batch(len(rows), tokens, longest * len(rows))
        try:
            logits = _finite(self._classifier.logits(rows))
        except OutOfDeviceMemoryError as error:
            # Remembered: the next windows are planned to fit, but never below one row of the longest text.
            half = max(longest * len(rows) // 2, self._options.row_tokens_max)
            self._batch_tokens_max = min(self._batch_tokens_max, half)  # several passes may say so at a time
            self._telemetry.model_failure(error)
            raise
        except Exception as error:
            self._telemetry.model_failure(error)
            raise
        self._served_tokens_max = max(self._served_tokens_max, longest)
        return list(probabilities(logits, self._options.temperature))

    def _watch(self, scored: Scored) -> None:
        """Stop when the model fails too often, once that is settled."""
        for index, answer in scored.answers.items():
            partition = scored.prepared.window.records[index].partition
            self._breaker.observe(partition, model_failed=isinstance(answer, Exception))
        if (failing := self._breaker.tripped()) is not None:
            self._delivery.catch_up()
            raise TooManyDeadLettersError(
                f"the model fails on most events of {failing}: deploy another bundle, then replay the dead letters"
            )

    @contextmanager
    def _timed(self, stage: str, trace: WindowTrace, times_s: dict[str, float]) -> Iterator[None]:
        started_s = time.monotonic()
        with trace.stage(stage):
            yield
        times_s[stage] = time.monotonic() - started_s
        self._telemetry.stage(stage, times_s[stage])


def _finite(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(logits).all():
        raise FloatingPointError("the logits are NaN or infinite")
    return logits


def _tell(answered: Answered, times_s: Mapping[str, float]) -> None:
    """The one line of a window, at level debug; never what is in its records."""
    if not logging.getLogger(__name__).isEnabledFor(logging.DEBUG):
        return
    window = answered.window
    log.debug(
        "window_delivered",
        records=len(window),
        size_bytes=window.size_bytes,
        positions={f"{p.topic}/{p.number}": span.end for p, span in window.ranges.items()},
        outcomes=dict(Counter(item.detail or str(item.kind) for item in answered.outgoing)),
        unsendable=len(answered.unsendable),
        **{f"{stage}_s": round(elapsed_s, 4) for stage, elapsed_s in times_s.items()},
    )
