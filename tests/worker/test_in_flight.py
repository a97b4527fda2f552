"""What is in flight when partitions are revoked or lost."""

import threading

from tests.pipeline_world import P0, P1, World, due, review


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


def test_a_release_after_the_end_is_told_at_once() -> None:
    """A revocation after the pipeline has failed must not wait for windows that will not be settled."""
    world = World()
    world.receive([review("good")])
    world.window()
    world.in_flight.abandon()
    told: list[bool] = []
    world.in_flight.release([P0], told.append)
    assert told == [False]
