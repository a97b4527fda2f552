"""A cluster in memory: logs with gaps, a group that fences, and workers that die wherever a test wants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from contract.events import ModelIdentity
from tests.fakes import FakeClassifier, FakeEncoder, FakeGroup, FakeSink, FakeTelemetry, FakeTransactionalSink
from worker.core.backpressure import Marks
from worker.core.breaker import Breaker, BreakerPolicy
from worker.core.delivery_counts import BEGUN, Claim
from worker.core.records import Chunk, Partition, Record
from worker.core.windows import WindowPolicy
from worker.delivery import AtLeastOnce, Delivery, ExactlyOnce, TransactionPolicy
from worker.flow import Flow
from worker.isolation import Intake
from worker.outcomes import Author, Outgoing
from worker.pipeline import Pipeline, PipelineOptions

PARTITIONS = (Partition("in", 0), Partition("in", 1))
KILLER = "!"
IDENTITY = ModelIdentity(name="fake", version="1", sha256="0" * 64, variant="fp32", provider="Fake")


class Died(BaseException):
    """The process is gone."""


@dataclass
class Log:
    """A partition: data records by offset, and its end, which control records can move too."""

    records: dict[int, Record] = field(default_factory=dict)
    end: int = 0


class World:
    """The cluster, as all workers share it."""

    def __init__(self) -> None:
        self.logs = {partition: Log() for partition in PARTITIONS}
        self.group = FakeGroup()
        self.written: list[Outgoing] = []
        self.sessions = 0
        self.claims_fail = 0  # so many of the next attempts to write claims

    def produce(self, partition: Partition, text: str) -> None:
        log = self.logs[partition]
        log.records[log.end] = Record(partition, log.end, 0, b"k", b'{"text":"%s"}' % text.encode())
        log.end += 1

    def control_record(self, partition: Partition) -> None:
        self.logs[partition].end += 1


class _KillingClassifier(FakeClassifier):
    def logits(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        if any(ord(KILLER) in row for row in rows):
            raise Died
        return super().logits(rows)


class _SharedSink(FakeSink):
    """Writes into the world, one record after the other, and dies after `dies_after` of them."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world, self.dies_after = world, 10**9

    def publish(self, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        for item in outgoing:
            if self.dies_after == 0:
                raise Died
            self.dies_after -= 1
            self._world.written.append(item)
        return []


class _SharedTransactions(FakeTransactionalSink):
    """Transactions in the world; dies before one with `dies_after` 0, and after one with 1."""

    def __init__(self, world: World) -> None:
        super().__init__(world.group)
        self._world, self.dies_after = world, 10**9

    def transact(
        self, outgoing: Sequence[Outgoing], positions: Mapping[Partition, int], member: object
    ) -> list[Outgoing]:
        if self.dies_after == 0:
            raise Died
        super().transact(outgoing, positions, member)
        self._world.written += outgoing
        if self.dies_after == 1:
            raise Died
        return []


class SimulatedWorker:
    """Everything of a worker but threads, clients and the model; implements `worker.isolation.Claims`."""

    def __init__(self, world: World, *, exactly_once: bool) -> None:
        self.world, self.exactly_once = world, exactly_once
        self.generation = world.group.generation
        self.flow = Flow(WindowPolicy(4, 1e9, 0, 10**6), Marks(100, 10**6))
        world.sessions += 1
        author = Author("cluster", f"session-{world.sessions}", IDENTITY, ("neutral", "positive", "negative"),
                        0.0, "out", "dead")  # fmt: skip
        telemetry = FakeTelemetry()
        self.sink: _SharedSink | _SharedTransactions
        self.delivery: Delivery
        if exactly_once:
            transactions = self.sink = _SharedTransactions(world)
            policy = TransactionPolicy(1e9, records_max=6, retry_s_max=0, overdue_s=1, pause_s_min=0)
            self.delivery = ExactlyOnce(
                policy, self.flow, transactions, author, telemetry, lambda: self.generation
            )
        else:
            plain = self.sink = _SharedSink(world)
            self.delivery = AtLeastOnce(self.flow, plain, author, telemetry)
        self.pipeline = Pipeline(
            PipelineOptions(None, 1000, batch_rows_max=8, batch_tokens_max=512, row_tokens_max=64, temperature=1),
            flow=self.flow, encoder=FakeEncoder(), classifier=_KillingClassifier(), delivery=self.delivery,
            author=author, breaker=Breaker(BreakerPolicy()), telemetry=telemetry,
        )  # fmt: skip
        self.intake = Intake(self, self.flow, suspects_span=12, group=3)
        self.claims: dict[Partition, tuple[int, Claim]] = {}
        self.next: dict[Partition, int] = {}
        self.join()

    def join(self) -> None:
        """Become the owner of everything, as of now; what was ours before is lost."""
        self.generation = self.world.group.generation
        self.flow.forget(PARTITIONS)
        self.claims.clear()
        self.flow.assign(PARTITIONS)
        self.next = {p: self.world.group.committed.get(p, (0, ""))[0] for p in PARTITIONS}

    def find_claim(self, partition: Partition) -> tuple[int | None, Claim] | None:
        position, metadata = self.world.group.committed.get(partition, (None, ""))
        return position, Claim.parse(metadata)

    def write_claims(self, claims: Mapping[Partition, tuple[int, Claim]]) -> bool:
        if self.world.claims_fail:
            self.world.claims_fail -= 1
            return False
        for partition, (position, claim) in claims.items():
            if not self.world.group.commit({partition: position}, claim, self.generation):
                return False
        self.flow.committed({partition: position for partition, (position, _) in claims.items()})
        self.claims.update(claims)
        return True

    def poll(self, partitions: Sequence[Partition], count: int) -> None:
        """Read up to `count` records of each in this order, unless the intake is still busy with others."""
        chunks = []
        for partition in partitions if not self.intake.blocked else ():
            log = self.world.logs[partition]
            offsets = sorted(offset for offset in log.records if offset >= self.next[partition])[:count]
            more = [offset for offset in log.records if offset >= self.next[partition] and offset not in offsets]
            self.next[partition] = min(more) if more else log.end  # past control records, as the client does
            records = tuple(log.records[offset] for offset in offsets)
            chunks.append(Chunk(partition, records, self.next[partition]))
        self.intake.take_in(chunks)

    def work(self) -> bool:
        """Take a window through the pipeline, if one waits."""
        if not len(self.flow._builder) or (window := self.flow.take()) is None:
            return False
        self.pipeline.run(window)
        return True

    def commit(self) -> None:
        """What the poll thread or the delivery thread does now and then."""
        if self.exactly_once:
            self.delivery.catch_up()
            return
        positions = self.flow.committable()
        if self.world.group.commit(positions, BEGUN, self.generation):
            self.flow.committed(positions)

    def leave(self) -> None:
        """End in good order, as a revocation of all partitions does."""
        drained: list[bool] = []
        self.flow.release(PARTITIONS, drained.append)
        self.delivery.catch_up()
        assert drained
        for partition, position in self.flow.positions(PARTITIONS).items():
            first, claim = self.claims.get(partition, (-1, Claim()))
            left = claim.left(progressed=position > first)
            self.world.group.commit({partition: position}, left, self.generation)
        self.flow.forget(PARTITIONS)
