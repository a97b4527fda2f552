"""Windows, breaker and watchdog against models that remember everything."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from worker.core.breaker import Breaker, BreakerPolicy
from worker.core.records import Partition, Record
from worker.core.watchdog import Watchdog
from worker.core.windows import Pace, WindowBuilder, WindowPolicy

PARTITIONS = [Partition("reviews", number) for number in range(3)]
partitions = st.sampled_from(PARTITIONS)
RECORDS_MAX, TARGET_MS, VALUE_BYTES_MAX = 5, 100.0, 50


class Windows(RuleBasedStateMachine):
    """Records come, windows close, partitions are revoked, and the device's pace changes."""

    def __init__(self) -> None:
        super().__init__()
        self.pace = Pace()
        self.builder = WindowBuilder(WindowPolicy(RECORDS_MAX, TARGET_MS, 0, VALUE_BYTES_MAX), self.pace)
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
        idle = self.builder.closes_in_s(0.0, device_idle=True)
        assert idle == (0 if self.model else None), "a free device never waits while records do"


class Breakers(RuleBasedStateMachine):
    """Trips exactly when more than half of a partition's last four failed in the model."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(BreakerPolicy(ratio_max=0.5, records_min=4))
        self.model: dict[Partition, list[bool]] = {partition: [] for partition in PARTITIONS}

    @rule(partition=partitions, failed=st.booleans())
    def observe(self, partition: Partition, failed: bool) -> None:
        self.breaker.observe(partition, model_failed=failed)
        self.model[partition].append(failed)

    @invariant()
    def trips(self) -> None:
        expected = {p for p, seen in self.model.items() if len(seen) >= 4 and sum(seen[-4:]) > 2}
        tripped = self.breaker.tripped()
        assert (tripped in expected) if expected else (tripped is None)


Windows.TestCase.settings = Breakers.TestCase.settings = settings(stateful_step_count=40)
TestWindows = Windows.TestCase
TestBreakers = Breakers.TestCase


@given(st.lists(st.tuples(st.integers(1, 10), st.integers(0, 3), st.integers(0, 3)), max_size=40))
def test_the_watchdog_reports_what_stands_still_with_work_to_do(steps: list[tuple[int, int, int]]) -> None:
    """A partition stalls when for 10 s it was behind its end and its settled position was the same."""
    watchdog, now_s, settled, end, since_s = Watchdog(10), 0.0, -1, 0, 0.0
    for wait_s, moves, comes in steps:
        before, now_s = settled, now_s + wait_s
        settled, end = min(end, max(settled, 0) + moves), end + comes
        if settled != before or settled >= end:
            since_s = now_s
        stalled = watchdog.observe(now_s, {PARTITIONS[0]: (settled, end)})
        assert (PARTITIONS[0] in stalled) == (settled < end and now_s - since_s >= 10)
    assert watchdog.observe(now_s + 100, {}) == set(), "what is no longer ours is forgotten"
