"""The life of a window with the outside replaced: outcomes, isolation, settling, rebalances."""

import json
import threading
from collections.abc import Iterable

import pytest

from contract.events import ModelIdentity
from contract.labels import LABELS
from tests.fakes import FakeClassifier, FakeEncoder, FakeSink, FakeTelemetry
from worker.core.backpressure import Marks
from worker.core.breaker import Breaker, BreakerPolicy
from worker.core.records import Chunk, Partition, Record, Window
from worker.core.windows import WindowPolicy
from worker.delivery import AtLeastOnce
from worker.errors import ModelFailedError, TooManyDeadLettersError
from worker.in_flight import InFlight
from worker.outcomes import Kind, OutcomeBuilder
from worker.pipeline import Pipeline, PipelineOptions
from worker.ports import OutOfDeviceMemoryError
from worker.stages import Stages

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


def test_every_record_has_one_outcome_in_record_order() -> None:
    """Sorting by length inside the window is invisible outside: results leave in the order read."""
    world = World()
    texts = ["b" * (1 + n * 7 % 40) for n in range(30)]
    world.receive([review(text) for text in texts])
    world.pipeline.run(world.window())

    assert [item.source.offset for item in world.sink.written] == list(range(30))
    for item, text in zip(world.sink.written, texts, strict=True):
        sentiment = json.loads(item.value or b"")["sentiment"]
        assert item.target == Partition("out", 0)
        assert sentiment["tokens"] == len(text) + 2
        assert sentiment["label"] == ("negative" if ord("b") % 3 == 2 else "x")
    assert all(len(batch) <= 8 for batch in world.classifier.batches)
    assert due(world) == {P0: 30}


def test_a_confidence_below_the_threshold_is_marked_and_keeps_its_label() -> None:
    """`abstained` follows the bundle's threshold; the probabilities are in no class-id order but by name."""
    world = World()
    world.receive([review("a")])
    world.pipeline.run(world.window())

    sentiment = json.loads(world.sink.written[0].value or b"")["sentiment"]
    assert sentiment["label"] == "positive"
    assert sentiment["confidence"] == sentiment["probabilities"]["positive"] == pytest.approx(0.986703)
    assert sentiment["abstained"] is False


def test_poison_is_isolated_and_its_neighbours_are_scored() -> None:
    """A row that fails alone is a dead letter with the error's name; NaN counts as failure too."""
    world = World()
    world.classifier.fail["!"] = ValueError("boom")
    world.receive([review(text) for text in ("a", "b!", "c", "d", "e?", "f")])
    world.pipeline.run(world.window())

    assert world.kinds() == ["positive", "model_error", "neutral", "positive", "model_error", "neutral"]
    headers = dict(world.sink.written[1].headers)
    assert headers["__connect.errors.exception.class.name"] == b"ValueError"
    assert headers["x-dlq-attempts"] == b"2"
    assert dict(world.sink.written[4].headers)["__connect.errors.exception.class.name"] == b"FloatingPointError"


def test_a_batch_too_large_for_the_device_is_halved_and_remembered() -> None:
    """After running out of memory the next windows are planned smaller; nothing is lost or dead-lettered."""
    world = World()
    world.classifier.rows_max, world.classifier.too_large = 2, OutOfDeviceMemoryError("no room")
    world.receive([review("abcdefghijklmn")] * 8)
    world.pipeline.run(world.window())
    first = len(world.classifier.batches)
    world.receive([review("abcdefghijklmn")] * 8, first=8)
    world.pipeline.run(world.window())

    assert world.kinds() == ["positive"] * 16
    assert max(map(len, world.classifier.batches[first:])) < 8


def test_a_lost_device_stops_the_pipeline_unsettled() -> None:
    """What says nothing about any record becomes nobody's dead letter."""
    world = World()
    world.classifier.fail["a"] = ModelFailedError("gone")
    world.receive([review("a")])

    with pytest.raises(ModelFailedError):
        world.pipeline.run(world.window())
    assert world.sink.written == []
    assert due(world) == {}


def test_a_result_too_large_becomes_a_dead_letter_and_that_one_may_lose_its_value() -> None:
    """`output_too_large` keeps the input's bytes where they fit, else their hash and size."""
    world = World(message_bytes_max=100)
    fits, too_long = review("a" * 60), review("a" * 300)
    world.receive([fits, too_long])
    world.pipeline.run(world.window())

    assert world.kinds() == ["output_too_large"] * 2
    assert [item.value for item in world.sink.written] == [fits, b""]
    assert dict(world.sink.written[1].headers)["x-dlq-value-bytes"] == str(len(too_long)).encode()
    assert [item.kind for item in world.telemetry.outcomes] == [Kind.DEAD_LETTER] * 2


def test_tombstones_pass_and_empty_records_are_settled() -> None:
    """A null value with a key is forwarded; without one it is counted, and the position moves past both."""
    world = World()
    world.receive([None, review("a")])
    world.in_flight.receive([Chunk(P0, (Record(P0, 2, 0, None, None),), 3)])
    world.pipeline.run(world.window())

    assert world.kinds() == ["forwarded", "positive"]
    assert [record.offset for record in world.telemetry.unsent] == [2]
    assert due(world) == {P0: 3}


def test_the_breaker_stops_after_settling() -> None:
    """A model that fails on most events ends the worker, with its dead letters written and committable."""
    world = World()
    world.classifier.fail["a"] = RuntimeError("bad deploy")
    world.receive([review("a")] * 4)

    with pytest.raises(TooManyDeadLettersError, match="in/0"):
        world.pipeline.run(world.window())
    assert world.kinds() == ["model_error"] * 4
    assert due(world) == {P0: 4}


def test_bad_input_never_trips_the_breaker() -> None:
    """What upstream does wrong is normal life."""
    world = World()
    world.receive([b"not json"] * 50)
    world.pipeline.run(world.window())

    assert world.kinds() == ["invalid_json"] * 50


def test_release_waits_for_windows_in_flight_and_drops_what_waits() -> None:
    """A revoked partition is released once its windows are settled, and committed only up to there."""
    world = World(records_max=2)
    world.receive([review("a")] * 5)
    world.receive([review("a")] * 1, P1)
    window = world.window()
    done = threading.Event()
    world.in_flight.release([P0], lambda _: done.set())
    assert not done.is_set()

    world.pipeline.run(window)

    assert done.is_set()
    assert due(world) == {P0: 2}
    world.in_flight.forget([P0])
    assert due(world) == {}
    assert [record.partition for record in world.window().records] == [P1]


def test_a_lost_partition_is_neither_published_nor_committed() -> None:
    """After eviction the next owner answers; our window still settles what is ours."""
    world = World()
    world.receive([review("a")] * 2)
    world.receive([review("a")] * 3, P1)
    window = world.window()
    world.in_flight.forget([P0])
    world.in_flight.assign([P0])

    world.pipeline.run(window)

    assert {item.source.partition for item in world.sink.written} == {P1}
    assert due(world) == {P1: 3}


def test_the_stages_overlap_and_keep_the_order() -> None:
    """On their own threads the stages settle every window, in the order of their records."""
    world = World(records_max=7)
    stages = Stages(world.pipeline, world.in_flight)
    stages.start()
    for first in range(0, 200, 10):
        world.receive([review("ab")] * 10, first=first)
    while len(world.sink.written) < 200:
        threading.Event().wait(0.001)
    world.in_flight.stop()

    assert stages.join(10)
    assert [item.source.offset for item in world.sink.written] == list(range(200))
    assert due(world) == {P0: 200}


def test_a_failing_stage_ends_the_wait_of_everyone() -> None:
    """A failure is kept, nobody waits for the windows behind it, and a rebalance is not held up."""
    world = World(records_max=1)
    world.sink.failure = RuntimeError("disk full")
    stages = Stages(world.pipeline, world.in_flight)
    stages.start()
    world.receive([review("a")] * 5)
    while stages.failure is None:
        threading.Event().wait(0.001)
    done = threading.Event()
    world.in_flight.release([P0], lambda _: done.set())

    assert not stages.join(10)
    assert done.wait(10)
    assert due(world) == {}
