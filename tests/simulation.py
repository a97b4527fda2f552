"""A cluster in memory: logs with gaps, a group that fences, and workers that die wherever a test wants."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tests.faked_pipeline import P0, P1, outcome_builder, pipeline_on_fakes
from tests.fakes import FakeClassifier, FakeGroup, FakeSink, FakeTelemetry, FakeTransactionalSink
from worker.core.backpressure import Marks
from worker.core.ledger import Commit, Offset
from worker.core.records import Chunk, Partition, Record
from worker.core.windows import WindowPolicy
from worker.delivery import AtLeastOnce, Delivery, ExactlyOnce, TransactionPolicy
from worker.in_flight import InFlight
from worker.isolation import Isolation
from worker.outcomes import Outgoing, Unwritten
from worker.passage import Submitted

PARTITIONS = (P0, P1)
_CALLERS = 2
KILLER, HEAVY = "!", "#"
"""A text that kills a worker, and one of which no two fit into its memory."""


class Died(BaseException):
    """The process is gone."""


@dataclass
class Log:
    """A partition: data records by offset, and its end, which control records can move too."""

    records: dict[int, Record] = field(default_factory=dict)
    end: int = 0


class SimulatedCluster:
    """The cluster, as all workers share it."""

    def __init__(self) -> None:
        self.logs = {partition: Log() for partition in PARTITIONS}
        self.group = FakeGroup()
        self.written: list[Outgoing] = []
        self.sessions = 0
        self.commits_fail = 0  # so many of the next attempts to commit a delivery count

    def produce(self, partition: Partition, text: str) -> None:
        log = self.logs[partition]
        log.records[log.end] = Record(partition, log.end, 0, b"k", b'{"text":"%s"}' % text.encode())
        log.end += 1

    def control_record(self, partition: Partition) -> None:
        self.logs[partition].end += 1


class _KillingClassifier(FakeClassifier):
    def logits(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        if any(ord(KILLER) in row for row in rows) or sum(ord(HEAVY) in row for row in rows) > 1:
            raise Died
        return super().logits(rows)


class _SharedSink(FakeSink):
    """Writes into the cluster, one record after the other, and dies after `dies_after` of them."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        super().__init__()
        self._cluster, self.dies_after = cluster, 10**9

    def publish(self, outgoing: Sequence[Outgoing]) -> list[Unwritten]:
        for item in outgoing:
            if self.dies_after == 0:
                raise Died
            self.dies_after -= 1
            self._cluster.written.append(item)
        return []


class _SharedTransactions(FakeTransactionalSink):
    """Transactions in the cluster; dies before one with `dies_after` 0, and after one with 1."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        super().__init__(cluster.group)
        self._cluster, self.dies_after = cluster, 10**9

    def transact(self, outgoing: Sequence[Outgoing], offsets: Commit, member: object) -> list[Unwritten]:
        if self.dies_after == 0:
            raise Died
        super().transact(outgoing, offsets, member)
        self._cluster.written += outgoing
        if self.dies_after == 1:
            raise Died
        return []


class SimulatedWorker:
    """Everything of a worker but threads, clients and the model; implements `worker.isolation.Claims`."""

    def __init__(self, cluster: SimulatedCluster, *, exactly_once: bool) -> None:
        self.cluster, self.exactly_once = cluster, exactly_once
        self.generation = cluster.group.generation
        self.in_flight = InFlight(
            WindowPolicy(4, 1e9, 0, 10**6), Marks(100, 10**6), transactional=exactly_once, callers=_CALLERS
        )
        self._begun: deque[Submitted] = deque()
        cluster.sessions += 1
        outcomes = outcome_builder(f"session-{cluster.sessions}")
        telemetry = FakeTelemetry()
        self.sink: _SharedSink | _SharedTransactions
        self.delivery: Delivery
        if exactly_once:
            transactions = self.sink = _SharedTransactions(cluster)
            policy = TransactionPolicy(1e9, records_max=6, retry_s_max=0, overdue_s=1, pause_s_min=0)
            self.delivery = ExactlyOnce(
                policy, self.in_flight, transactions, outcomes, telemetry, lambda: self.generation
            )
        else:
            plain = self.sink = _SharedSink(cluster)
            self.delivery = AtLeastOnce(self.in_flight, plain, outcomes, telemetry)
        self.pipeline = pipeline_on_fakes(self.in_flight, self.delivery, outcomes, telemetry, _KillingClassifier())
        self.isolation = Isolation(self, self.in_flight, offsets_max=12, group=3)
        self.next: dict[Partition, int] = {}
        self.join()

    def join(self) -> None:
        """Become the owner of everything, as of now; what was ours before is lost."""
        self.generation = self.cluster.group.generation
        self.in_flight.forget(PARTITIONS)
        self.in_flight.assign(PARTITIONS)
        self.next = {p: self.cluster.group.committed.get(p, Offset(0)).position for p in PARTITIONS}

    def committed_offset(self, partition: Partition) -> Offset | None:
        return self.cluster.group.committed.get(partition, Offset(-1))

    def commit_now(self, offsets: Commit) -> bool:
        if self.cluster.commits_fail:
            self.cluster.commits_fail -= 1
            return False
        return self.cluster.group.commit(offsets, self.generation)

    def poll(self, partitions: Sequence[Partition], count: int) -> None:
        """Read up to `count` records of each in this order, unless the intake is still busy with others."""
        chunks = []
        for partition in partitions if not self.isolation.blocked else ():
            log = self.cluster.logs[partition]
            offsets = sorted(offset for offset in log.records if offset >= self.next[partition])[:count]
            more = [offset for offset in log.records if offset >= self.next[partition] and offset not in offsets]
            self.next[partition] = min(more) if more else log.end  # past control records, as the client does
            records = tuple(log.records[offset] for offset in offsets)
            chunks.append(Chunk(partition, records, self.next[partition]))
        self.isolation.take_in(chunks)

    def begin(self) -> bool:
        """Have the device begin a window, if one waits and the device is free."""
        if len(self._begun) == _CALLERS or not len(self.in_flight._builder):
            return False
        window = self.in_flight.take()
        assert window
        self._begun.append(self.pipeline.submit(self.pipeline.prepare(window)))
        return True

    def work(self) -> bool:
        """Answer, publish and settle the oldest window that has begun, or the next, if one waits."""
        if not self._begun and not self.begin():
            return False
        self.pipeline.deliver(self.pipeline.collect(self._begun.popleft()))
        return True

    def commit(self) -> None:
        """What the poll thread or the delivery thread does now and then."""
        if self.exactly_once:
            self.delivery.catch_up()
            return
        due = self.in_flight.due()
        if self.cluster.group.commit(due, self.generation):
            self.in_flight.committed(due)

    def leave(self) -> None:
        """End in good order, as a revocation of all partitions does."""
        drained: list[bool] = []
        self.in_flight.release(PARTITIONS, drained.append)
        while self._begun:
            self.work()
        self.delivery.catch_up()
        assert drained
        self.cluster.group.commit(self.in_flight.farewell(PARTITIONS), self.generation)
        self.in_flight.forget(PARTITIONS)
