"""When windows close, by example and against a model that remembers every record."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from worker.core.records import Partition, Record
from worker.core.windows import Pace, WindowBuilder, WindowPolicy

PARTITION = Partition("reviews", 0)


def records(sizes_bytes: Sequence[int], partition: Partition = PARTITION) -> list[Record]:
    return [Record(partition, offset, 0, None, b"x" * size) for offset, size in enumerate(sizes_bytes)]


def builder(pace: Pace | None = None, *, records_max: int = 4, wait_ms_max: float = 0) -> WindowBuilder:
    policy = WindowPolicy(records_max, window_ms_target=100, wait_ms_max=wait_ms_max, value_bytes_max=1000)
    return WindowBuilder(policy, pace or Pace())


def test_an_idle_device_never_waits_while_records_do() -> None:
    """With `wait_ms_max` 0 one record is enough for an idle device, and not for a busy one."""
    windows = builder()
    assert windows.closes_in_s(0, device_free=True) is None

    windows.add(records([10]), now_s=0)

    assert windows.closes_in_s(0, device_free=True) == 0
    assert windows.closes_in_s(0, device_free=False) is None


def test_a_full_window_closes_for_a_busy_device_too() -> None:
    """`records_max` records close a window whatever the device does, so that it is prepared in advance."""
    windows = builder(records_max=2)
    windows.add(records([10, 10, 10]), now_s=0)

    assert windows.closes_in_s(0, device_free=False) == 0
    assert [item.offset for item in windows.close()] == [0, 1]
    assert windows.closes_in_s(0, device_free=False) is None


def test_waiting_is_counted_from_the_first_record() -> None:
    """`wait_ms_max` runs from the oldest record that waits."""
    windows = builder(wait_ms_max=50)
    windows.add(records([10]), now_s=1.0)

    assert windows.closes_in_s(1.02, device_free=True) == pytest.approx(0.03)
    assert windows.closes_in_s(1.06, device_free=True) == 0


def test_the_pace_of_the_device_bounds_a_window() -> None:
    """At 1 byte a millisecond and 100 ms, a window takes 100 bytes; a longer value counts as truncated."""
    pace = Pace()
    pace.observe(size_bytes=1000, elapsed_ms=1000)
    windows = builder(pace)
    windows.add(records([60, 60, 5000]), now_s=0)

    assert len(windows.close()) == 1
    assert windows.cost(records([5000])[0]) == 1000
    assert len(windows.close()) == 1, "at least one record, however long"


def test_a_window_that_took_next_to_nothing_does_not_rule_the_pace() -> None:
    """Of two at a time the later counts only what it took beyond the first: together they took what they took."""
    pace = Pace()
    for _ in range(50):
        pace.observe(size_bytes=100, elapsed_ms=20)
        pace.observe(size_bytes=100, elapsed_ms=0.1)
        pace.observe(size_bytes=100, elapsed_ms=0)
    assert 100 / 20 <= pace.bytes_in(1) <= 2 * 300 / 20.1


def test_a_limit_of_bytes_counts_what_costs_the_device_nothing() -> None:
    """It is set where publishing is slow, and what is published are whole values with their headers."""
    pace = Pace()
    pace.limit_bytes = 2_500
    windows = builder(pace)
    windows.add([Record(PARTITION, n, 0, None, b"x" * 800, (("h", b"x" * 1000),)) for n in range(4)], 0)
    assert [len(windows.close()) for _ in range(4)] == [1, 1, 1, 1]


def test_bytes_bound_a_window_whatever_they_cost_the_device() -> None:
    """Keys, headers and what is cut off a value cost the device nothing, and the host memory."""
    windows = WindowBuilder(WindowPolicy(100, 100, 0, value_bytes_max=10, bytes_max=1200), Pace())
    headers = (("h", b"x" * 200),)
    windows.add([Record(PARTITION, n, 0, b"k" * 200, b"x" * 200, headers if n % 2 else ()) for n in range(6)], 0)
    assert windows.closes_in_s(0, device_free=False) == 0, "it is full"

    assert [len(windows.close()) for _ in range(3)] == [2, 2, 2]
    windows.add([Record(PARTITION, 7, 0, None, b"x" * 5000)] * 2, 0)
    assert len(windows.close()) == 1, "at least one record, however large"


def test_a_header_takes_more_than_its_text() -> None:
    """A record of a megabyte may hold 300,000 empty headers: as objects they take 40 times as much."""
    empty = tuple((f"{number}", b"") for number in range(1000))
    assert Record(PARTITION, 0, 0, None, None, empty).size_bytes > 100 * 1000
    assert Record(PARTITION, 0, 0, b"k", b"vv", (("h", None),)).size_bytes > 4


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 50)), max_size=30))
def test_dropping_a_partition_leaves_the_others_in_order(items: list[tuple[int, int]]) -> None:
    """What is dropped is exactly the partition's, and the bytes waiting are those of the rest."""
    windows = builder(records_max=1000)
    for offset, (number, size) in enumerate(items):
        windows.add([Record(Partition("t", number), offset, 0, None, b"x" * size)], now_s=0)

    dropped = windows.drop([Partition("t", 0)])

    kept = [offset for offset, (number, _) in enumerate(items) if number == 1]
    assert [r.offset for rs in dropped.values() for r in rs] == [o for o, (n, _) in enumerate(items) if n == 0]
    assert windows.waiting_bytes == sum(items[offset][1] for offset in kept)
    assert len(windows) == len(kept)
    if kept:
        assert [record.offset for record in windows.close()] == kept


PARTITIONS = [Partition("reviews", number) for number in range(3)]


partitions = st.sampled_from(PARTITIONS)


RECORDS_MAX, TARGET_MS, VALUE_BYTES_MAX, BYTES_MAX = 5, 100.0, 50, 300


class Windows(RuleBasedStateMachine):
    """Records come, windows close, partitions are revoked, and the device's pace changes."""

    def __init__(self) -> None:
        super().__init__()
        self.pace = Pace()
        self.builder = WindowBuilder(
            WindowPolicy(RECORDS_MAX, TARGET_MS, 0, VALUE_BYTES_MAX, BYTES_MAX), self.pace
        )
        self.model: list[Record] = []
        self.offset = 0

    @rule(partition=partitions, sizes=st.lists(st.integers(0, 200), max_size=8))
    def add(self, partition: Partition, sizes: list[int]) -> None:
        records = [Record(partition, self.offset + n, 0, None, b"x" * size) for n, size in enumerate(sizes)]
        self.offset += len(sizes)
        self.builder.add(records, 0.0)
        self.model += records

    @rule(size=st.integers(0, 10**4), elapsed_ms=st.just(0.0) | st.floats(0.001, 10**4))
    def observe(self, size: int, elapsed_ms: float) -> None:
        self.pace.observe(size, elapsed_ms)

    @precondition(lambda self: self.model)
    @rule()
    def close(self) -> None:
        records = self.builder.close()
        assert 1 <= len(records) <= RECORDS_MAX, "never empty, never too many"
        assert list(records) == self.model[: len(records)], "in the order read"
        cost = sum(min(record.size_bytes, VALUE_BYTES_MAX) for record in records)
        assert len(records) == 1 or cost <= self.pace.bytes_in(TARGET_MS), "no more than the device's time allows"
        assert len(records) == 1 or sum(record.size_bytes for record in records) <= BYTES_MAX, "nor more bytes"
        del self.model[: len(records)]

    @rule(gone=st.sets(partitions))
    def drop(self, gone: set[Partition]) -> None:
        dropped = self.builder.drop(gone)
        expected = [record for record in self.model if record.partition in gone]
        assert [r for records in dropped.values() for r in records] == sorted(
            expected, key=lambda r: list(dropped).index(r.partition)
        )
        self.model = [record for record in self.model if record.partition not in gone]

    @invariant()
    def accounts(self) -> None:
        assert len(self.builder) == len(self.model)
        assert self.builder.waiting_bytes == sum(record.size_bytes for record in self.model)
        idle = self.builder.closes_in_s(0.0, device_free=True)
        assert idle == (0 if self.model else None), "a free device never waits while records do"


Windows.TestCase.settings = settings(stateful_step_count=40)


TestWindows = Windows.TestCase


@pytest.mark.parametrize(
    "wrong", [(0, 1, 0, 1, 1), (1, 0, 0, 1, 1), (1, 1, -1, 1, 1), (1, 1, 0, 0, 1), (1, 1, 0, 1, 0)]
)
def test_a_window_without_room_is_a_mistake_of_the_settings(wrong: tuple[int, float, float, int, int]) -> None:
    """It would never close."""
    with pytest.raises(ValueError, match="positive limits"):
        WindowPolicy(*wrong)


def test_a_window_has_waited_as_long_as_its_first_record() -> None:
    """What came later does not make it younger."""
    windows = builder(records_max=1)
    windows.add(records([10]), now_s=1)
    windows.add(records([10]), now_s=3)
    assert windows.waited_s(4) == 3
    windows.close()
    assert windows.waited_s(4) == 1
