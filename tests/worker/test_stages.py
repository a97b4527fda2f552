"""The three threads of a pipeline."""

import threading

from tests.faked_pipeline import P0, FakedPipeline, due, review
from worker.stages import Stages


def test_the_stages_overlap_and_keep_the_order() -> None:
    """On their own threads the stages settle every window, in the order of their records."""
    faked = FakedPipeline(records_max=7)
    stages = Stages(faked.pipeline, faked.in_flight)
    stages.start()
    for first in range(0, 200, 10):
        faked.receive([review("ab")] * 10, first=first)
    while len(faked.sink.written) < 200:
        threading.Event().wait(0.001)
    faked.in_flight.stop()

    assert stages.join(10)
    assert [item.source.offset for item in faked.sink.written] == list(range(200))
    assert due(faked) == {P0: 200}


def test_a_failing_stage_ends_the_wait_of_everyone() -> None:
    """A failure is kept, nobody waits for the windows behind it, and a rebalance is not held up."""
    faked = FakedPipeline(records_max=1)
    faked.sink.failure = RuntimeError("disk full")
    stages = Stages(faked.pipeline, faked.in_flight)
    stages.start()
    faked.receive([review("a")] * 5)
    while stages.failure is None:
        threading.Event().wait(0.001)
    done = threading.Event()
    faked.in_flight.release([P0], lambda _: done.set())

    assert not stages.join(10)
    assert done.wait(10)
    assert due(faked) == {}
