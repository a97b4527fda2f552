"""Whether the host keeps a device busy: the worker's pipeline and threads, with everything but Kafka."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.events import ModelIdentity
from contract.labels import LABELS
from worker.adapters.metrics import Metrics
from worker.core.backpressure import Marks
from worker.core.breaker import Breaker, BreakerPolicy
from worker.core.records import Chunk, Partition, Record
from worker.core.windows import WindowPolicy
from worker.delivery import Answered
from worker.in_flight import InFlight
from worker.outcomes import OutcomeBuilder
from worker.pipeline import Pipeline, PipelineOptions
from worker.ports import Classifier, Encoder
from worker.stages import Stages

_EVENTS = 30_000
_CHUNK = 500  # records of a poll
_PARTITION = Partition("reviews", 0)


@dataclass(frozen=True)
class Layout:
    """How a worker is set up; see `worker.settings`."""

    window_records: int
    batch_rows: int
    batch_tokens: int


class Discarded:
    """A delivery that settles what it is given, as a broker without any latency would let it."""

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self.records = 0

    def deliver(self, answered: Answered) -> None:
        """Settle a window."""
        self._in_flight.settled(answered.window)
        self.records += len(answered.outgoing)

    def due_in_s(self) -> float | None:
        """Nothing is put off."""
        return None

    def catch_up(self) -> None:
        """Nothing was put off."""

    def raise_if_overdue(self) -> None:
        """Nothing ever is."""


class _Timed:
    """A classifier that knows how long it worked."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier, self.provider, self.busy_s = classifier, classifier.provider, 0.0

    def logits(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        start = time.perf_counter()
        result = self._classifier.logits(rows)
        self.busy_s += time.perf_counter() - start
        return result


def through_the_worker(
    encoder: Encoder, classifier: Classifier, texts: Sequence[str], tokens_max: int, layout: Layout
) -> dict[str, Any]:
    """Events through all of a worker's stages: a second, the device's busy share, CPU time of each on the host.

    Args:
        encoder: The bundle's.
        classifier: A graph on a device.
        texts: Of the events, in turns.
        tokens_max: Of the bundle's encoding.
        layout: Windows and batches.
    """
    in_flight = InFlight(WindowPolicy(layout.window_records, 1e9, 0, 8 * tokens_max), Marks(16_384, 10**9))
    in_flight.assign([_PARTITION])
    delivery, timed = Discarded(in_flight), _Timed(classifier)
    identity = ModelIdentity(name="m", version="1", sha256="0" * 64, variant="v", provider=classifier.provider)
    pipeline = Pipeline(
        PipelineOptions(None, 10**6, layout.batch_rows, layout.batch_tokens, tokens_max, temperature=1.0),
        in_flight=in_flight,
        encoder=encoder,
        classifier=timed,
        delivery=delivery,
        outcomes=OutcomeBuilder("c", "s", identity, LABELS, 0.5, "out", "dead"),
        breaker=Breaker(BreakerPolicy(1.0, 100)),
        telemetry=Metrics(),
    )
    stages = Stages(pipeline, in_flight)
    stages.start()
    values = [json.dumps({"reviewText": text, "id": n, "stars": 5}).encode() for n, text in enumerate(texts)]
    started_s, cpu_s = time.perf_counter(), time.process_time()
    _feed(in_flight, stages, values)
    elapsed_s, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_s
    in_flight.stop()
    stages.join(10)
    return {
        **vars(layout),
        "events_per_s": delivery.records / elapsed_s,
        "busy_share": timed.busy_s / elapsed_s,
        "cpu_us_per_event": cpu_s / delivery.records * 1e6,
    }


def _feed(in_flight: InFlight, stages: Stages, values: Sequence[bytes]) -> None:
    for first in range(0, _EVENTS, _CHUNK):
        while in_flight.pressure()[2]:
            time.sleep(0.0005)
        if stages.failure:
            raise stages.failure
        records = tuple(
            Record(_PARTITION, offset, 1_700_000_000_000, b"key", values[offset % len(values)])
            for offset in range(first, first + _CHUNK)
        )
        in_flight.receive([Chunk(_PARTITION, records, first + _CHUNK)])
    in_flight.wait_empty(120)
