"""A pipeline on fakes, as the fast tests of the worker share it."""

import json
from collections.abc import Iterable

from contract.events import ModelIdentity
from contract.labels import LABELS
from tests.fakes import FakeClassifier, FakeEncoder, FakeSink, FakeTelemetry
from worker.core.backpressure import Marks
from worker.core.breaker import Breaker, BreakerPolicy
from worker.core.records import Chunk, Partition, Record, Window
from worker.core.windows import WindowPolicy
from worker.delivery import AtLeastOnce
from worker.in_flight import InFlight
from worker.outcomes import OutcomeBuilder
from worker.pipeline import Pipeline, PipelineOptions

P0, P1 = Partition("in", 0), Partition("in", 1)


class World:
    """A pipeline on fakes."""

    def __init__(self, *, message_bytes_max: int = 10**6, records_max: int = 100) -> None:
        policy = WindowPolicy(records_max, window_ms_target=1e9, wait_ms_max=0, value_bytes_max=10**6)
        self.in_flight = InFlight(policy, Marks(1000, 10**6))
        self.classifier, self.sink, self.telemetry = FakeClassifier(), FakeSink(message_bytes_max), FakeTelemetry()
        identity = ModelIdentity(name="fake", version="1", sha256="0" * 64, variant="fp32", provider="Fake")
        outcomes = OutcomeBuilder("cluster", "session", identity, LABELS, 0.9, "out", "dead")
        self.pipeline = Pipeline(
            PipelineOptions(None, 1000, batch_rows_max=8, batch_tokens_max=128, row_tokens_max=64, temperature=1),
            in_flight=self.in_flight, encoder=FakeEncoder(), classifier=self.classifier, outcomes=outcomes,
            delivery=AtLeastOnce(self.in_flight, self.sink, outcomes, self.telemetry),
            breaker=Breaker(BreakerPolicy(ratio_max=0.5, records_min=4)), telemetry=self.telemetry,
        )  # fmt: skip
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


def due(world: World) -> dict[Partition, int]:
    """The positions that a commit would move."""
    return {partition: offset.position for partition, offset in world.in_flight.due().items()}
