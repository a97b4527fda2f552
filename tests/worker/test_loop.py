"""Which ends of a worker say something of the records that it had."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from tests.faked_pipeline import P0, review
from worker.core.backpressure import Marks
from worker.core.records import Chunk, Record
from worker.core.windows import WindowPolicy
from worker.errors import DeviceFullError, KafkaUnfitError, ModelFailedError
from worker.in_flight import InFlight
from worker.life import Life, State
from worker.loop import PollLoop, _says_nothing_of_records
from worker.settings import Settings
from worker.stages import Stages


def test_a_device_that_something_else_has_filled_says_nothing_of_records() -> None:
    """It counts as no death, or restarts on a full device would make poison of a record; a lost one does count."""
    ends = [
        None,
        DeviceFullError("full"),
        KafkaUnfitError("away"),
        ModelFailedError("lost"),
        RuntimeError("a bug"),
    ]
    assert [_says_nothing_of_records(end) for end in ends] == [True, True, True, False, False]


@pytest.mark.parametrize("error", [ModelFailedError("lost"), RuntimeError("a bug"), KafkaUnfitError("away")])
def test_a_stage_that_fails_while_the_worker_stops_counts_as_any_other(error: Exception) -> None:
    """A device that is lost after SIGTERM is a death of the records in flight, and no good order."""
    in_flight, asked, told = InFlight(WindowPolicy(9, 1e9, 0, 10**6), Marks(99, 10**6)), threading.Event(), []
    in_flight.assign([P0])
    in_flight.receive([Chunk(P0, (Record(P0, 0, 0, b"k", review("a")),), 1)])

    def collect(_: object) -> None:
        asked.wait(10)
        raise error

    pipeline: Any = SimpleNamespace(
        prepare=lambda it: it, submit=lambda it: it, collect=collect, due_in_s=lambda: None, catch_up=lambda: None
    )

    def close(_timeout_s: float, *, in_good_order: bool) -> bool:
        told.append(in_good_order)
        return True

    life, stages, nothing = Life(), Stages(pipeline, in_flight), SimpleNamespace()
    life.become(State.JOINING, "")
    source: Any = SimpleNamespace(close=close)
    parts: Any = {"delivery": nothing, "metrics": nothing, "history": nothing, "throttle_s": lambda: 0.0}
    settings = Settings.model_validate({"bundle": "none", "shutdown_timeout_ms": 5000})
    loop = PollLoop(settings, life, source=source, in_flight=in_flight, stages=stages, **parts)
    stages.start()
    threading.Timer(0.2, asked.set).start()

    assert loop.drain(None) is False
    assert stages.failure is error
    assert told == [_says_nothing_of_records(error)]
