"""A pipeline on fakes and its parts, as the fast tests of the worker share them."""

import json
from collections.abc import Iterable

from contract.events import ModelIdentity
from contract.labels import LABELS
from tests.fakes import FakeClassifier, FakeEncoder, FakeSink, FakeTelemetry
from worker.core.backpressure import Marks
from worker.core.breaker import Breaker, BreakerPolicy
from worker.core.records import Chunk, Partition, Record, Window
from worker.core.windows import WindowPolicy
from worker.delivery import AtLeastOnce, Delivery
from worker.in_flight import InFlight
from worker.outcomes import OutcomeBuilder
from worker.pipeline import Pipeline, PipelineOptions
from worker.ports import UNTRACED, Tracing

P0, P1 = Partition("in", 0), Partition("in", 1)
_IDENTITY = ModelIdentity(name="fake", version="1", sha256="0" * 64, variant="fp32", provider="Fake")


def outcome_builder(session: str = "session", abstain_below: float = 0.0) -> OutcomeBuilder:
    """Of results to the topic `out` and dead letters to `dead`."""
    return OutcomeBuilder("cluster", session, _IDENTITY, LABELS, abstain_below, "out", "dead")


def pipeline_on_fakes(
    in_flight: InFlight,
    delivery: Delivery,
    outcomes: OutcomeBuilder,
    telemetry: FakeTelemetry,
    classifier: FakeClassifier,
    policy: BreakerPolicy | None = None,
    callers: int = 1,
    tracing: Tracing = UNTRACED,
) -> Pipeline:
    """The worker's own, with small batches."""
    return Pipeline(
        PipelineOptions(
            None, 1000, batch_rows_max=8, batch_tokens_max=128, row_tokens_max=64, temperature=1,
            callers=callers, full_pauses_s=(0, 0),
        ),
        in_flight=in_flight, encoder=FakeEncoder(), classifier=classifier, outcomes=outcomes, delivery=delivery,
        breaker=Breaker(policy or BreakerPolicy()), telemetry=telemetry, tracing=tracing,
    )  # fmt: skip


class FakedPipeline:
    """A pipeline with all that it touches."""

    def __init__(
        self,
        *,
        message_bytes_max: int = 10**6,
        records_max: int = 100,
        callers: int = 1,
        tracing: Tracing = UNTRACED,
    ) -> None:
        policy = WindowPolicy(records_max, window_ms_target=1e9, wait_ms_max=0, value_bytes_max=10**6)
        self.in_flight = InFlight(policy, Marks(1000, 10**6))
        self.classifier, self.sink, self.telemetry = FakeClassifier(), FakeSink(message_bytes_max), FakeTelemetry()
        outcomes = outcome_builder(abstain_below=0.9)
        delivery = AtLeastOnce(self.in_flight, self.sink, outcomes, self.telemetry)
        breaker = BreakerPolicy(ratio_max=0.5, records_min=4)
        self.pipeline = pipeline_on_fakes(
            self.in_flight, delivery, outcomes, self.telemetry, self.classifier, breaker, callers, tracing
        )
        self.in_flight.assign([P0, P1])

    def receive(self, values: Iterable[bytes | None], partition: Partition = P0, first: int = 0) -> None:
        records = tuple(Record(partition, first + n, 1000, b"k", value) for n, value in enumerate(values))
        self.in_flight.receive([Chunk(partition, records, first + len(records))])

    def window(self) -> Window:
        window = self.in_flight.take()
        assert window is not None
        return window

    def kinds(self) -> list[str]:
        return [item.detail or item.kind for item in self.sink.written]


def review(text: str) -> bytes:
    return json.dumps({"text": text}).encode()


def due(faked: FakedPipeline) -> dict[Partition, int]:
    """The positions that a commit would move."""
    return {partition: offset.position for partition, offset in faked.in_flight.due().items()}
