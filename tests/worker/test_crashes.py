"""Whatever happens to workers, every input has an outcome: all of the bookkeeping, on a cluster in memory."""

import contextlib
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.faked_pipeline import P0
from tests.simulation import HEAVY, KILLER, PARTITIONS, Died, SimulatedCluster, SimulatedWorker
from worker.core.delivery_counts import DELIVERIES_MAX, DeliveryCount
from worker.core.records import Partition, Record
from worker.errors import OverdueError
from worker.outcomes import Kind

partitions = st.sampled_from(PARTITIONS)
orders = st.sampled_from([[partition] for partition in PARTITIONS] + [[*PARTITIONS], [*reversed(PARTITIONS)]])


class Crashes(RuleBasedStateMachine):
    """One worker owns everything at a time; it dies, leaves, or is evicted without knowing."""

    exactly_once = False

    def __init__(self) -> None:
        super().__init__()
        self.cluster = SimulatedCluster()
        self.worker: SimulatedWorker | None = None
        self.zombie: SimulatedWorker | None = None
        self.killed = False  # by something else than a record

    @initialize()
    def begin(self) -> None:
        self.start()

    @rule(partition=partitions, count=st.integers(1, 6))
    def produce(self, partition: Partition, count: int) -> None:
        for number in range(count):
            self.cluster.produce(partition, f"a{number}")

    @rule(partition=partitions, killer=st.booleans())
    def produce_trouble(self, partition: Partition, killer: bool) -> None:
        """A control record, or a record that kills workers, of which there are two at most."""
        if killer and len(self.killers()) < 2:
            self.cluster.produce(partition, f"a{KILLER}")
        else:
            self.cluster.control_record(partition)

    @rule(order=orders, count=st.integers(1, 9), begun=st.integers(0, 2), windows=st.integers(0, 3))
    def run(self, order: list[Partition], count: int, begun: int, windows: int) -> None:
        """Read, begin some windows, and take some through the pipeline; others stay with the device."""
        if self.worker is None:
            self.start()
        assert self.worker
        self.worker.poll(order, count)
        for _ in range(begun):
            self.worker.begin()
        try:
            for _ in range(windows):
                self.worker.work()
        except Died:
            self.worker = None

    @precondition(lambda self: self.worker)
    @rule()
    def commit(self) -> None:
        assert self.worker
        self.worker.commit()

    @precondition(lambda self: self.worker)
    @rule(how=st.sampled_from(["crash", "leave", "evict", "lose"]), dies_after=st.integers(0, 5))
    def end(self, how: str, dies_after: int) -> None:
        """Crash, perhaps while publishing; leave in good order; be evicted unknowing; or lose all, and rejoin."""
        assert self.worker
        if how == "lose":
            self.cluster.group.generation += 1
            self.worker.join()
            self.killed = True
            return
        if how == "leave":
            with contextlib.suppress(Died):  # of what was with the device
                self.worker.leave()
            if not self.killed and not self.killers():
                counts = [DeliveryCount.parse(item.metadata) for item in self.cluster.group.committed.values()]
                assert not any(count.count for count in counts), "leaving in good order is no death"
        elif how == "evict":
            self.zombie = self.worker
        else:
            self.worker.sink.dies_after = dies_after
            with contextlib.suppress(Died):
                while dies_after and self.worker.work():
                    pass
        self.killed = self.killed or how != "leave"
        self.start()

    @rule(count=st.integers(1, 3))
    def refuse_commits(self, count: int) -> None:
        """The group's coordinator is busy for a moment."""
        self.cluster.commits_fail = count

    @precondition(lambda self: self.zombie)
    @rule()
    def wake(self) -> None:
        """A zombie goes on where it was; transactions end it, and commits do not take."""
        assert self.zombie
        with contextlib.suppress(Died, OverdueError):
            while self.zombie.work():
                pass
            self.zombie.commit()
        self.zombie = None

    def start(self) -> None:
        self.cluster.group.generation += 1
        self.worker = SimulatedWorker(self.cluster, exactly_once=self.exactly_once)

    def killers(self) -> set[tuple[Partition, int]]:
        return {
            (record.partition, record.offset)
            for record in self.inputs()
            if KILLER.encode() in (record.value or b"")
        }

    def inputs(self) -> list[Record]:
        return [record for log in self.cluster.logs.values() for record in log.records.values()]

    def teardown(self) -> None:
        deaths = self.finish()
        outcomes = Counter((item.source.partition, item.source.offset) for item in self.cluster.written)
        inputs = {(p, offset) for p, log in self.cluster.logs.items() for offset in log.records}
        assert outcomes.keys() == inputs, "every input has an outcome, and nothing else has"
        if self.exactly_once:
            assert set(outcomes.values()) <= {1}, "and no more than one"
        for partition, log in self.cluster.logs.items():
            if log.end:
                assert self.cluster.group.committed[partition].position == log.end, "control records leave no lag"
        killers = self.killers()
        crashed = {
            (item.source.partition, item.source.offset) for item in self.cluster.written
            if item.detail == "crashed_worker"
        }  # fmt: skip
        assert killers <= crashed, "a record that kills workers ends as a dead letter"
        if not self.killed:
            assert crashed == killers, "and no other does"
        assert deaths <= (DELIVERIES_MAX + 3) * max(1, len(killers)), "after a few deaths"

    def finish(self) -> int:
        """Run workers until nothing is left to do; returns how many died."""
        deaths = 0
        while True:
            if self.worker is None:
                self.start()
            worker = self.worker
            assert worker
            try:
                if self.settle(worker, PARTITIONS[:: (-1) ** deaths]):  # Kafka promises no order
                    return deaths
            except Died:
                deaths += 1
                assert deaths < 50, "no way out of dying"
                self.worker = None

    @staticmethod
    def settle(worker: SimulatedWorker, order: Sequence[Partition]) -> bool:
        still = 0
        while still < 8:
            before = len(worker.cluster.written), dict(worker.cluster.group.committed)
            worker.poll(order, 5)
            while worker.work():
                pass
            worker.commit()
            still = still + 1 if before == (len(worker.cluster.written), worker.cluster.group.committed) else 0
        return True


class CrashesExactlyOnce(Crashes):
    """The same with transactions."""

    exactly_once = True


@pytest.mark.parametrize("exactly_once", [False, True])
def test_settling_a_record_before_each_death_does_not_go_on_for_ever(exactly_once: bool) -> None:
    """Each worker settles a heavy record and dies of the next ones together: that is found out, and ends."""
    cluster, records, deaths = SimulatedCluster(), 60, 0
    for _ in range(records):
        cluster.produce(P0, f"a{HEAVY}")
    while len({item.source.offset for item in cluster.written}) < records:
        cluster.group.generation += 1
        worker = SimulatedWorker(cluster, exactly_once=exactly_once)
        alone = True  # nothing else is read before the first is committed
        try:
            for _ in range(2 * records):
                worker.poll([P0], 1 if alone else 9)
                alone = False
                worker.work()
                worker.commit()
        except Died:
            deaths += 1
            assert deaths < records, "a death for each record: nothing has been learnt"

    assert {item.kind for item in cluster.written} == {Kind.RESULT}, "heavy is no poison"
    assert deaths <= records / 2 + DELIVERIES_MAX, "not one a record, but a few for each group"
    assert cluster.group.committed[P0].position == records


Crashes.TestCase.settings = CrashesExactlyOnce.TestCase.settings = settings(stateful_step_count=60)
TestAtLeastOnce = Crashes.TestCase
TestExactlyOnce = CrashesExactlyOnce.TestCase
