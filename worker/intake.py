"""Between the reader and the flow: nothing is worked on before it is known how often workers died there.

Before the first record of an assignment is handed on, the partition is claimed (`worker.core.claims`). Where too
many workers have died, everything else waits while records go through the pipeline one at a time; the one that a
worker died on alone is condemned: it becomes a dead letter without being tried again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from worker.core.claims import Claim
from worker.core.records import Chunk, Partition, Record
from worker.flow import Flow

log = structlog.get_logger(__name__)


class Claims(Protocol):
    """Reads and writes claims in the group's commits; `worker.adapters.kafka_source` has the real one."""

    def find_claim(self, partition: Partition) -> tuple[int | None, Claim] | None:
        """The committed position with its claim; None when that can't be known now."""
        ...

    def write_claims(self, claims: Mapping[Partition, tuple[int, Claim]]) -> bool:
        """Commit positions with their claims, and wait for it; False when that can't be done now."""
        ...


@dataclass
class _Waiting:
    chunk: Chunk
    epoch: int | None


class Intake:
    """What was read and is not in the flow yet. For the poll thread."""

    def __init__(self, claims: Claims, flow: Flow, *, alone_span: int) -> None:
        """Hand records on to `flow`; after too many deaths the next `alone_span` offsets one at a time."""
        self._claims, self._flow, self._alone_span = claims, flow, alone_span
        self._waiting: list[_Waiting] = []
        self._found: dict[Partition, tuple[int, int | None, Claim]] = {}  # epoch, committed position, its claim
        self._claimed: dict[Partition, int] = {}  # by the epoch of its assignment
        self._alone: dict[Partition, int] = {}  # until which offset
        self._trying: Partition | None = None  # the one with a mark, if it is still ours

    @property
    def blocked(self) -> bool:
        """Whether reading more has to wait."""
        return bool(self._waiting)

    @property
    def alone(self) -> bool:
        """Whether records go one at a time."""
        return bool(self._alone)

    def take_in(self, chunks: Iterable[Chunk]) -> None:
        """Add what was read, and hand on what may go."""
        flow = self._flow
        self._waiting += [_Waiting(chunk, flow.epoch(chunk.partition)) for chunk in chunks]
        self._waiting = [
            item for item in self._waiting if item.epoch and item.epoch == flow.epoch(item.chunk.partition)
        ]
        self._alone = {p: until for p, until in self._alone.items() if self._is_claimed(p)}
        for item in self._waiting:
            partition, records, _ = item.chunk
            self._find(partition)
            if records and self._is_found(partition) and not self._is_claimed(partition):
                self._claim(partition, records[0])
        if not self._alone:
            self._hand_on_all()
        elif not flow.pressure()[0]:  # nothing else is in the pipeline
            self._hand_on_one()

    def _is_claimed(self, partition: Partition) -> bool:
        return partition in self._claimed and self._claimed[partition] == self._flow.epoch(partition)

    def _is_found(self, partition: Partition) -> bool:
        return partition in self._found and self._found[partition][0] == self._flow.epoch(partition)

    def _find(self, partition: Partition) -> None:
        """Learn where the group stands before anything is committed over it."""
        if self._is_found(partition) or (found := self._claims.find_claim(partition)) is None:
            return
        position, claim = found
        self._found[partition] = self._flow.epoch(partition) or 0, position, claim
        if position is not None:
            self._flow.committed({partition: position})

    def _claim(self, partition: Partition, first: Record) -> None:
        _, committed, claim = self._found[partition]
        position = first.offset if committed is None else committed
        suspected, claim = claim.trying, claim.alone(first.offset, self._alone_span)
        if not self._claims.write_claims({partition: (position, claim.begun())}):
            return
        self._claimed[partition] = self._flow.epoch(partition) or 0
        if claim.alone_until > first.offset:
            log.warning("workers_died_here", partition=_named(partition), offset=first.offset,
                        one_at_a_time_until=claim.alone_until)  # fmt: skip
            self._alone[partition] = claim.alone_until
        if suspected:
            log.error("record_condemned", partition=_named(partition), offset=first.offset)
            self._flow.condemn(first)

    def _hand_on_all(self) -> None:
        ready: list[Chunk] = []
        waiting: list[_Waiting] = []
        behind: set[Partition] = set()  # a position must not overtake the records before it
        for item in self._waiting:
            partition = item.chunk.partition
            alone = partition in self._alone and bool(item.chunk.records)
            unknown = not self._is_found(partition) or (item.chunk.records and not self._is_claimed(partition))
            if partition in behind or unknown or alone:
                behind.add(partition)
                waiting.append(item)
            else:
                ready.append(item.chunk)
        self._waiting = waiting
        self._flow.receive(ready)

    def _hand_on_one(self) -> None:
        """The next record of a partition on which workers died; while there is none, whatever else waits."""
        item = next((item for item in self._waiting if item.chunk.partition in self._alone), None)
        marks: dict[Partition, tuple[int, Claim]] = {}
        if self._trying in self._alone:  # it is settled: nobody shall take it for a killer any more
            marks[self._trying] = self._flow.positions([self._trying])[self._trying], self._mark(self._trying)
        trying: Partition | None = None
        if item and item.chunk.records and item.chunk.records[0].offset < self._alone[item.chunk.partition]:
            trying = item.chunk.partition
            marks[trying] = item.chunk.records[0].offset, replace(self._mark(trying), trying=True)
        if marks and not self._claims.write_claims(marks):
            return
        self._trying = trying
        if item is None or trying is None:
            if item and item.chunk.records:
                log.info("one_at_a_time_no_more", partition=_named(item.chunk.partition))
                del self._alone[item.chunk.partition]
            self._hand_on_all()
            return
        (_, records, position), rest = item.chunk, item.chunk.records[1:]
        self._flow.receive([Chunk(trying, records[:1], records[0].offset + 1 if rest else position)])
        if rest:
            item.chunk = Chunk(trying, rest, position)
        else:
            self._waiting.remove(item)

    def _mark(self, partition: Partition) -> Claim:
        return Claim(deaths=1, alone_until=self._alone[partition])


def _named(partition: Partition) -> str:
    return f"{partition.topic}/{partition.number}"
