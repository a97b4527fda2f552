"""Between reading and the pipeline: no record is worked on before it is known how often workers died on it.

Before the first record of an assignment is handed on, the worker joins the partition's delivery count
(`worker.core.delivery_counts`). Where too many workers have died, everything else waits while the records from
there go through the pipeline in small groups, and then one at a time; the one that a worker died on alone is
poison: it becomes a dead letter without being tried again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import structlog

from worker.core.delivery_counts import DeliveryCount
from worker.core.ledger import Offset
from worker.core.records import Chunk, Partition, Record
from worker.in_flight import InFlight
from worker.ports import Offsets

log = structlog.get_logger(__name__)


@dataclass
class _Waiting:
    chunk: Chunk
    epoch: int | None


class Isolation:
    """What was read and is not in flight yet. For the poll thread."""

    def __init__(self, offsets: Offsets, in_flight: InFlight, *, offsets_max: int, group: int = 32) -> None:
        """Hand records on; after too many deaths isolate the next `offsets_max`, first by groups of `group`."""
        self._offsets, self._in_flight = offsets, in_flight
        self._offsets_max, self._group = offsets_max, group
        self._waiting: list[_Waiting] = []
        self._found: dict[Partition, tuple[int, Offset]] = {}  # by the epoch of the assignment
        self._isolated: dict[Partition, DeliveryCount] = {}
        self._refused = False  # the last offset could not be read or written: during a rebalance none can
        self._in_trial: Partition | None = None  # the one with a mark, if it is still ours

    @property
    def blocked(self) -> bool:
        """Whether reading more has to wait."""
        return bool(self._waiting)

    def waiting(self) -> Counter[Partition]:
        """How many records of each partition were read and wait here."""
        return Counter(record.partition for item in self._waiting for record in item.chunk.records)

    @property
    def isolating(self) -> int:
        """Of how many partitions some records go in small groups."""
        return len(self._isolated)

    @property
    def hurried(self) -> bool:
        """Whether the next group waits for nothing but the pipeline, so that reading must not wait for more."""
        return bool(self.isolating) and not self._refused

    def take_in(self, chunks: Iterable[Chunk]) -> None:
        """Add what was read, and hand on what may go."""
        epoch = self._in_flight.epoch
        self._waiting += [_Waiting(chunk, epoch(chunk.partition)) for chunk in chunks]
        self._waiting = [
            item for item in self._waiting if item.epoch and item.epoch == epoch(item.chunk.partition)
        ]
        self._isolated = {p: count for p, count in self._isolated.items() if self._in_flight.has_begun(p)}
        self._refused = False
        for item in self._waiting:
            if not self._prepare(item.chunk):
                self._refused = True
                break  # the group's coordinator is away: asking for each partition would hold up polling
        if not self._isolated:
            self._hand_on_all()
        elif not self._in_flight.pressure()[0]:  # nothing else is in the pipeline
            self._hand_on_group()

    def _is_found(self, partition: Partition) -> bool:
        return partition in self._found and self._found[partition][0] == self._in_flight.epoch(partition)

    def _prepare(self, chunk: Chunk) -> bool:
        """Learn where the group stands, and begin where there are records; False when that can't be done now."""
        partition = chunk.partition
        if not self._is_found(partition):
            found = self._offsets.committed_offset(partition)
            if found is None:
                return False
            self._found[partition] = self._in_flight.epoch(partition) or 0, found
            # or a quiet position would be committed over the count
            self._in_flight.committed({partition: found})
        return not chunk.records or self._in_flight.has_begun(partition) or self._begin(chunk)

    def _begin(self, chunk: Chunk) -> bool:
        partition, first = chunk.partition, chunk.records[0]
        _, found = self._found[partition]
        position = first.offset if found.position < 0 else found.position
        before = DeliveryCount.parse(found.metadata).isolating(first.offset, self._offsets_max)
        if first.offset != position:  # the record that a worker died on has expired, or was compacted away
            before = replace(before, in_trial=0, poison=0)
        # A worker that died had read more than it could tell with its last commit: a group more, say.
        count = before.begun(max(chunk.position, first.offset + self._group if before.count else 0))
        if not self._write({partition: (position, count)}):
            return False
        if count.isolated_until > first.offset:
            log.warning("workers_died_here", partition=_named(partition), offset=first.offset,
                        isolated_until=count.isolated_until, single_until=count.single_until)  # fmt: skip
            self._isolated[partition] = replace(count, count=1, poison=0, read_until=0)
        if count.poison:
            log.error("poison_record", partition=_named(partition), offset=first.offset)
            self._in_flight.mark_poison(first)
        return True

    def _write(self, counts: Mapping[Partition, tuple[int, DeliveryCount]]) -> bool:
        """Commit positions with their counts, and book them; False when that can't be done now."""
        if not self._offsets.commit_now(
            {p: Offset(position, str(count)) for p, (position, count) in counts.items()}
        ):
            return False
        self._in_flight.begin(counts)
        return True

    def _hand_on_all(self) -> None:
        ready: list[Chunk] = []
        waiting: list[_Waiting] = []
        behind: set[Partition] = set()  # a position must not overtake the records before it
        for item in self._waiting:
            partition = item.chunk.partition
            isolated = partition in self._isolated and bool(item.chunk.records)
            unknown = not self._is_found(partition) or (
                item.chunk.records and not self._in_flight.has_begun(partition)
            )
            if partition in behind or unknown or isolated:
                behind.add(partition)
                waiting.append(item)
            else:
                ready.append(item.chunk)
        self._waiting = waiting
        self._in_flight.receive(ready)

    def _hand_on_group(self) -> None:
        """The next isolated records; while there are none, whatever else waits."""
        item = next((item for item in self._waiting if item.chunk.partition in self._isolated), None)
        group = self._next_group(item.chunk) if item else ()
        marks = self._marks(group)
        if marks and not self._write(marks):
            self._refused = True
            return
        self._in_trial = group[0].partition if group else None
        if item is None or not group:
            if item and item.chunk.records:
                log.info("isolation_is_over", partition=_named(item.chunk.partition))
                del self._isolated[item.chunk.partition]
            self._hand_on_all()
            return
        partition, records, position = item.chunk
        rest = records[len(group) :]
        self._in_flight.receive([Chunk(partition, group, group[-1].offset + 1 if rest else position)])
        if rest:
            item.chunk = Chunk(partition, rest, position)
        else:
            self._waiting.remove(item)

    def _marks(self, group: tuple[Record, ...]) -> dict[Partition, tuple[int, DeliveryCount]]:
        """What to write before a group is tried: its mark, and that the one before is settled and no poison."""
        marks: dict[Partition, tuple[int, DeliveryCount]] = {}
        if (before := self._in_trial) in self._isolated:
            marks[before] = self._in_flight.positions([before])[before], self._isolated[before]
        if group:
            partition, count = group[0].partition, self._isolated[group[0].partition]
            single_until = group[-1].offset + 1 if len(group) > 1 else count.single_until
            poison = int(self._in_flight.is_poison(group[0]))
            marks[partition] = (
                group[0].offset,
                replace(count, in_trial=len(group), single_until=single_until, poison=poison),
            )
        return marks

    def _next_group(self, chunk: Chunk) -> tuple[Record, ...]:
        """The records to try together: one where a group was fatal, none where isolation ends."""
        count = self._isolated[chunk.partition]
        isolated = tuple(record for record in chunk.records if record.offset < count.isolated_until)
        if isolated and (isolated[0].offset < count.single_until or self._in_flight.is_poison(isolated[0])):
            return isolated[:1]
        return isolated[: self._group]


def _named(partition: Partition) -> str:
    return f"{partition.topic}/{partition.number}"
