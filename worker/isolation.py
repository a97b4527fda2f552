"""Between the reader and the flow: nothing is worked on before it is known how often workers died there.

Before the first record of an assignment is handed on, the partition is claimed
(`worker.core.delivery_counts`). Where too many workers have died, everything else waits while suspects go through
the pipeline in small groups; the one that a worker died on alone is condemned: it becomes a dead letter without
being tried again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from worker.core.delivery_counts import Claim
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

    def __init__(self, claims: Claims, flow: Flow, *, suspects_span: int, group: int = 32) -> None:
        """Hand records on to `flow`; after too many deaths the next `suspects_span` offsets in groups."""
        self._claims, self._flow, self._span, self._group = claims, flow, suspects_span, group
        self._waiting: list[_Waiting] = []
        self._found: dict[Partition, tuple[int, int | None, Claim]] = {}  # epoch, committed position, its claim
        self._claimed: dict[Partition, int] = {}  # by the epoch of its assignment
        self._suspected: dict[Partition, Claim] = {}
        self._refused = False  # the last claim could not be read or written: during a rebalance none can
        self._trying: Partition | None = None  # the one with a mark, if it is still ours

    @property
    def blocked(self) -> bool:
        """Whether reading more has to wait."""
        return bool(self._waiting)

    @property
    def suspicious(self) -> bool:
        """Whether some records go in small groups."""
        return bool(self._suspected)

    @property
    def hurried(self) -> bool:
        """Whether the next group waits for nothing but the pipeline, so that reading must not wait for more."""
        return self.suspicious and not self._refused

    def take_in(self, chunks: Iterable[Chunk]) -> None:
        """Add what was read, and hand on what may go."""
        flow = self._flow
        self._waiting += [_Waiting(chunk, flow.epoch(chunk.partition)) for chunk in chunks]
        self._waiting = [
            item for item in self._waiting if item.epoch and item.epoch == flow.epoch(item.chunk.partition)
        ]
        self._suspected = {p: claim for p, claim in self._suspected.items() if self._is_claimed(p)}
        self._refused = False
        for item in self._waiting:
            if not self._prepare(item.chunk):
                self._refused = True
                break  # the group's coordinator is away: asking for each partition would hold up polling
        if not self._suspected:
            self._hand_on_all()
        elif not flow.pressure()[0]:  # nothing else is in the pipeline
            self._hand_on_group()

    def _is_claimed(self, partition: Partition) -> bool:
        return partition in self._claimed and self._claimed[partition] == self._flow.epoch(partition)

    def _is_found(self, partition: Partition) -> bool:
        return partition in self._found and self._found[partition][0] == self._flow.epoch(partition)

    def _prepare(self, chunk: Chunk) -> bool:
        """Learn where the group stands, and claim what has records; False when that can't be done now."""
        partition = chunk.partition
        if not self._is_found(partition):
            found = self._claims.find_claim(partition)
            if found is None:
                return False
            position, claim = found
            self._found[partition] = self._flow.epoch(partition) or 0, position, claim
            if position is not None:
                self._flow.committed(
                    {partition: position}
                )  # or a quiet position would be committed over the claim
        return not chunk.records or self._is_claimed(partition) or self._claim(partition, chunk.records[0])

    def _claim(self, partition: Partition, first: Record) -> bool:
        _, committed, claim = self._found[partition]
        position = first.offset if committed is None else committed
        claim = claim.suspecting(first.offset, self._span).begun()
        if not self._claims.write_claims({partition: (position, claim)}):
            return False
        self._claimed[partition] = self._flow.epoch(partition) or 0
        if claim.suspects_until > first.offset:
            log.warning("workers_died_here", partition=_named(partition), offset=first.offset,
                        suspects_until=claim.suspects_until, singly_until=claim.singly_until)  # fmt: skip
            self._suspected[partition] = replace(claim, deaths=1, condemned=0)
        if claim.condemned:
            log.error("record_condemned", partition=_named(partition), offset=first.offset)
            self._flow.condemn(first)
        return True

    def _hand_on_all(self) -> None:
        ready: list[Chunk] = []
        waiting: list[_Waiting] = []
        behind: set[Partition] = set()  # a position must not overtake the records before it
        for item in self._waiting:
            partition = item.chunk.partition
            suspected = partition in self._suspected and bool(item.chunk.records)
            unknown = not self._is_found(partition) or (item.chunk.records and not self._is_claimed(partition))
            if partition in behind or unknown or suspected:
                behind.add(partition)
                waiting.append(item)
            else:
                ready.append(item.chunk)
        self._waiting = waiting
        self._flow.receive(ready)

    def _hand_on_group(self) -> None:
        """The next suspects; while there are none, whatever else waits."""
        item = next((item for item in self._waiting if item.chunk.partition in self._suspected), None)
        group = self._next_group(item.chunk) if item else ()
        marks: dict[Partition, tuple[int, Claim]] = {}
        if self._trying in self._suspected:  # it is settled: nobody shall take it for a killer any more
            marks[self._trying] = self._flow.positions([self._trying])[self._trying], self._suspected[self._trying]
        if group:
            partition, claim = group[0].partition, self._suspected[group[0].partition]
            singly_until = group[-1].offset + 1 if len(group) > 1 else claim.singly_until
            condemned = int(self._flow.is_condemned(group[0]))
            claim = replace(claim, trying=len(group), singly_until=singly_until, condemned=condemned)
            marks[partition] = group[0].offset, claim
        if marks and not self._claims.write_claims(marks):
            self._refused = True
            return
        self._trying = group[0].partition if group else None
        if item is None or not group:
            if item and item.chunk.records:
                log.info("suspicion_is_over", partition=_named(item.chunk.partition))
                del self._suspected[item.chunk.partition]
            self._hand_on_all()
            return
        partition, records, position = item.chunk
        rest = records[len(group) :]
        self._flow.receive([Chunk(partition, group, group[-1].offset + 1 if rest else position)])
        if rest:
            item.chunk = Chunk(partition, rest, position)
        else:
            self._waiting.remove(item)

    def _next_group(self, chunk: Chunk) -> tuple[Record, ...]:
        """The records to try together: one where a group was fatal, none where suspicion ends."""
        claim = self._suspected[chunk.partition]
        suspects = tuple(record for record in chunk.records if record.offset < claim.suspects_until)
        if suspects and (suspects[0].offset < claim.singly_until or self._flow.is_condemned(suspects[0])):
            return suspects[:1]
        return suspects[: self._group]


def _named(partition: Partition) -> str:
    return f"{partition.topic}/{partition.number}"
