"""What is in flight when partitions are revoked or lost."""

import threading

from tests.faked_pipeline import P0, P1, FakedPipeline, due, review
from worker.core.backpressure import Marks
from worker.core.portions import cut
from worker.core.records import Chunk, Record, Window
from worker.core.windows import WindowPolicy
from worker.in_flight import InFlight


def test_release_waits_for_windows_in_flight_and_drops_what_waits() -> None:
    """A revoked partition is released once its windows are settled, and committed only up to there."""
    faked = FakedPipeline(records_max=2)
    faked.receive([review("a")] * 5)
    faked.receive([review("a")] * 1, P1)
    window = faked.window()
    done = threading.Event()
    faked.in_flight.release([P0], lambda _: done.set())
    assert not done.is_set()

    faked.pipeline.run(window)

    assert done.is_set()
    assert due(faked) == {P0: 2}
    faked.in_flight.forget([P0])
    assert due(faked) == {}
    assert [record.partition for record in faked.window().records] == [P1]


def test_a_lost_partition_is_neither_published_nor_committed() -> None:
    """After eviction the next owner answers; our window still settles what is ours."""
    faked = FakedPipeline()
    faked.receive([review("a")] * 2)
    faked.receive([review("a")] * 3, P1)
    window = faked.window()
    faked.in_flight.forget([P0])
    faked.in_flight.assign([P0])

    faked.pipeline.run(window)

    assert {item.source.partition for item in faked.sink.written} == {P1}
    assert due(faked) == {P1: 3}


def test_a_release_after_the_end_is_told_at_once() -> None:
    """A revocation after the pipeline has failed must not wait for windows that will not be settled."""
    faked = FakedPipeline()
    faked.receive([review("good")])
    faked.window()
    faked.in_flight.abandon()
    told: list[bool] = []
    faked.in_flight.release([P0], told.append)
    assert told == [False]


def test_the_first_window_is_of_what_the_warm_up_says_that_the_device_takes() -> None:
    """Else it would hold all that there is, however slow the device, and a stop or rebalance would wait for it."""
    policy = WindowPolicy(100, window_ms_target=500, wait_ms_max=0, value_bytes_max=10**6)
    value = review("a" * 90)
    for size_bytes, elapsed_s, taken in ((len(value), 0.1, 5), (1000 * len(value), 0.1, 100), (0, 0.0, 100)):
        in_flight = InFlight(policy, Marks(1000, 10**6))
        in_flight.expect(size_bytes, elapsed_s)
        in_flight.assign([P0])
        records = tuple(Record(P0, offset, 0, b"k", value) for offset in range(100))
        in_flight.receive([Chunk(P0, records, 100)])
        window = in_flight.take()
        assert window is not None
        assert len(window) == taken


def test_a_window_may_be_with_the_device_for_each_caller() -> None:
    """A core with nothing to do takes what has come since, without waiting for the others; one more waits."""
    in_flight = InFlight(WindowPolicy(100, 1e9, 0, 10**6), Marks(1000, 10**6), callers=2)
    in_flight.assign([P0])
    taken: list[Window | None] = []
    for offset in range(2):
        in_flight.receive([Chunk(P0, (Record(P0, offset, 0, b"k", review("a")),), offset + 1)])
        taken.append(in_flight.take())
    in_flight.receive([Chunk(P0, (Record(P0, 2, 0, b"k", review("a")),), 3)])
    third = threading.Thread(target=lambda: taken.append(in_flight.take()))
    third.start()
    third.join(0.05)
    assert len(taken) == 2
    assert taken[0]
    in_flight.scored(taken[0].records, 0.1)
    third.join(10)
    assert [window and window.records[0].offset for window in taken] == [0, 1, 2]


def test_the_oldest_record_held_is_the_first_of_its_partition() -> None:
    """In a window or waiting, by its timestamp; without a timestamp it has no age, and settled it is not held."""
    faked = FakedPipeline(records_max=2)
    records = [Record(P0, offset, 100 + offset, b"k", review("a")) for offset in range(3)]
    faked.in_flight.receive([Chunk(P0, tuple(records), 3), Chunk(P1, (Record(P1, 0, -1, b"k", b"{}"),), 1)])
    assert faked.in_flight.oldest_ms() == {P0: 100}
    window = faked.window()
    assert faked.in_flight.oldest_ms() == {P0: 100}
    faked.pipeline.run(window)
    assert faked.in_flight.oldest_ms() == {P0: 102}


def test_what_the_device_was_not_asked_says_nothing_of_its_pace() -> None:
    """A window of dead letters and one review took as long as the review."""
    policy = WindowPolicy(512, window_ms_target=100, wait_ms_max=0, value_bytes_max=10**6)
    in_flight = InFlight(policy, Marks(10**6, 10**9))
    in_flight.assign([P0])
    good, junk = review("a" * 90), b"x" * 10_000
    values = [good, *[junk] * 500]
    in_flight.receive([Chunk(P0, tuple(Record(P0, n, 0, b"k", value) for n, value in enumerate(values)), 501)])
    window = in_flight.take()
    assert window is not None
    in_flight.scored(window.records[:1], 0.02)
    in_flight.receive([Chunk(P0, tuple(Record(P0, n, 0, b"k", good) for n in range(501, 601)), 601)])
    after = in_flight.take()
    assert after is not None
    assert 4 <= len(after) <= 5


def test_parts_of_a_window_stand_where_it_stood() -> None:
    """The first record held is the oldest one: later windows do not come before what is left of an earlier."""
    in_flight = InFlight(WindowPolicy(2, 1e9, 0, 10**6), Marks(1000, 10**6), callers=2)
    in_flight.assign([P0])
    in_flight.receive([Chunk(P0, tuple(Record(P0, n, 1000 + n, b"k", review("a")) for n in range(4)), 4)])
    first, _ = in_flight.take(), in_flight.take()
    assert first is not None
    in_flight.replace(first, cut(first, [1, 1]))
    assert in_flight.oldest_ms() == {P0: 1000}
