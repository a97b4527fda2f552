"""The three threads of a pipeline."""

import threading

from tests.pipeline_world import P0, World, due, review
from worker.stages import Stages


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
