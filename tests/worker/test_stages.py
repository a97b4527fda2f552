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


def test_the_device_goes_on_to_the_next_window_before_it_has_done_with_one() -> None:
    """With two passes at a time, the one that is free takes the next window's: else both would wait for ever."""
    faked = FakedPipeline(records_max=1, callers=2)
    meeting = threading.Barrier(2, timeout=10)
    logits = faked.classifier.logits
    faked.classifier.logits = lambda rows: (meeting.wait(), logits(rows))[1]  # type: ignore[method-assign]
    stages = Stages(faked.pipeline, faked.in_flight)
    stages.start()
    faked.receive([review("a")] * 6)
    while len(faked.sink.written) < 6:
        assert stages.failure is None
        threading.Event().wait(0.001)
    faked.in_flight.stop()

    assert faked.kinds() == ["positive"] * 6


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
