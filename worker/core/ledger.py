"""The books of delivery: which offsets may be committed, and with which delivery count.

Every commit of what is settled is decided here, as `{partition: Offset}`; the adapters carry it out, and
`worker.adapters.kafka_positions` adds which log it is of. The counts with which a worker begins and marks records
are `worker.isolation`'s; from where a log is read that replaced another, `worker.adapters.kafka_log_guard` says.
The laws, stated as property tests in tests/worker/core/test_ledger.py:

1. A commit never passes a record that is not settled.
2. Within an assignment the committable position never moves back.
3. A settled window of a past assignment changes nothing.
4. A forgotten partition is never committed.
5. When every record handed out is settled, the position itself is committable, even past control records.
6. A partition that is given up in good order takes the worker off its delivery count; in doubt it does not.

Windows of a partition are settled in order, since one thread (`worker.stages`) delivers and `worker.delivery`
alone settles; so its watermark is just the end of its last settled window. The books are not safe for threads;
`worker.in_flight` locks them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from worker.core.delivery_counts import DeliveryCount
from worker.core.records import Chunk, Partition, PartitionRange, Record, Window


class Offset(NamedTuple):
    """What is committed for a partition: the next offset to read, and the delivery count in the metadata."""

    position: int
    metadata: str = ""


Commit = Mapping[Partition, Offset]
"""What one commit says; an adapter adds which log the positions are of, and stores it."""


@dataclass
class _Entry:
    epoch: int
    position: int = -1  # the next offset to read
    watermark: int = -1  # everything below is settled
    committed: int = -1
    unsettled: int = 0  # records handed out whose outcome the broker has not acknowledged
    began: tuple[int, DeliveryCount] | None = None  # where this worker began, and with which count

    @property
    def count_now(self) -> DeliveryCount:
        """The delivery count with which we go on."""
        return self.began[1].moved(self.watermark, self.position) if self.began else DeliveryCount()

    @property
    def going_on(self) -> str:
        """The metadata of an offset from which we go on: where no record came, nobody can have died of one."""
        return str(self.count_now)


class Ledger:
    """Positions and delivery counts of the partitions that this worker owns."""

    def __init__(self, *, transactional: bool = False) -> None:
        """Open the books; `transactional` where positions are committed in transactions with the outcomes."""
        self._transactional = transactional
        self._entries: dict[Partition, _Entry] = {}
        self._epochs: Counter[Partition] = Counter()

    @property
    def partitions(self) -> set[Partition]:
        """The partitions owned."""
        return set(self._entries)

    @property
    def delivery_count_max(self) -> int:
        """The highest delivery count with which we go on; 0 before we have begun anywhere."""
        return max((entry.count_now.count for entry in self._entries.values()), default=0)

    def assign(self, partitions: Iterable[Partition]) -> None:
        """Open an entry for each partition that has none."""
        for partition in partitions:
            if partition not in self._entries:
                self._epochs[partition] += 1
                self._entries[partition] = _Entry(self._epochs[partition])

    def receive(self, chunk: Chunk) -> bool:
        """Book records that were read. False, and nothing booked, if the partition is not owned."""
        entry = self._entries.get(chunk.partition)
        if entry is None:
            return False
        entry.position = max(entry.position, chunk.position)
        entry.unsettled += len(chunk.records)
        self._advance(entry, entry.position if entry.unsettled == 0 else entry.watermark)
        return True

    def ranges(self, records: Iterable[Record]) -> dict[Partition, PartitionRange]:
        """What a window of these records will settle."""
        counts: Counter[Partition] = Counter()
        ends: dict[Partition, int] = {}
        for record in records:
            counts[record.partition] += 1
            ends[record.partition] = record.offset + 1
        return {p: PartitionRange(self._entries[p].epoch, counts[p], end) for p, end in ends.items()}

    def begin(self, counts: Mapping[Partition, tuple[int, DeliveryCount]]) -> None:
        """Book that the broker has stored these positions, and the counts with which we go on from them."""
        for partition, began in counts.items():
            if partition in self._entries:
                self._entries[partition].began = began
        self.committed({partition: Offset(position) for partition, (position, _) in counts.items()})

    def has_begun(self, partition: Partition) -> bool:
        """Whether this worker is in the delivery count of the partition, in its present assignment."""
        entry = self._entries.get(partition)
        return entry is not None and entry.began is not None

    def owns(self, partition: Partition, epoch: int) -> bool:
        """Whether the assignment of that epoch still stands."""
        entry = self._entries.get(partition)
        return entry is not None and entry.epoch == epoch

    def epoch(self, partition: Partition) -> int | None:
        """The number of the partition's assignment, from 1; None if it is not owned."""
        entry = self._entries.get(partition)
        return entry.epoch if entry else None

    def settle(self, window: Window) -> None:
        """Book that the broker has acknowledged every outcome of the window."""
        for partition, share in window.ranges.items():
            if not self.owns(partition, share.epoch):
                continue
            entry = self._entries[partition]
            entry.unsettled -= share.records
            if entry.unsettled < 0:
                raise AssertionError(f"{partition} settled more records than were read: this is a bug")
            self._advance(entry, share.end if entry.unsettled else max(share.end, entry.position))

    def due_after(self, windows: Iterable[Window]) -> dict[Partition, Offset]:
        """What `due` would say if these windows, the next of their partitions, were settled."""
        ahead = Ledger()
        ahead._entries = {partition: replace(entry) for partition, entry in self._entries.items()}
        for window in windows:
            ahead.settle(window)
        return ahead.due()

    def give_back(self, partition: Partition, first_offset: int, records: int) -> None:
        """Book that records read but never scored were dropped, the first of them at `first_offset`."""
        entry = self._entries[partition]
        entry.unsettled -= records
        entry.position = first_offset
        if entry.unsettled == 0:
            self._advance(entry, first_offset)

    def due(self) -> dict[Partition, Offset]:
        """The offsets that a commit would move forward."""
        return {
            partition: Offset(entry.watermark, entry.going_on)
            for partition, entry in self._entries.items()
            if entry.watermark > entry.committed
        }

    def farewell(
        self, partitions: Iterable[Partition], *, drained: bool = True, in_good_order: bool = True
    ) -> dict[Partition, Offset]:
        """The last commit for partitions that are given up.

        Args:
            partitions: Of this worker.
            drained: Whether nothing of them is in flight any more. If something is, and in a transaction, that may
                still be committed; an older offset, committed after it, would win, so there is none to commit.
            in_good_order: Whether records had no part in it. If they may have had, the worker stays in the
                delivery count, and the next owner knows.
        """
        last: dict[Partition, Offset] = {}
        if self._transactional and not drained:
            return last
        for partition, position in self.positions(partitions).items():
            entry = self._entries[partition]
            moved = entry.watermark > entry.committed
            first, count = entry.began or (-1, DeliveryCount())
            if in_good_order and (entry.began or moved):
                last[partition] = Offset(position, str(count.left(position, progressed=position > first)))
            elif moved:
                last[partition] = Offset(position, entry.going_on)
        return last

    def positions(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """The position of each that a commit would leave it at, where any is known."""
        entries = ((p, self._entries[p]) for p in partitions if p in self._entries)
        return {p: max(e.watermark, e.committed) for p, e in entries if max(e.watermark, e.committed) >= 0}

    def unsettled(self) -> dict[Partition, int]:
        """Records read of each partition owned, whose outcome the broker has not acknowledged."""
        return {partition: entry.unsettled for partition, entry in self._entries.items()}

    def committed(self, offsets: Commit) -> None:
        """Book that the broker has stored these offsets."""
        for partition, offset in offsets.items():
            if partition in self._entries:
                entry = self._entries[partition]
                entry.committed = max(entry.committed, offset.position)

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Close the entries of partitions that were revoked or lost."""
        for partition in partitions:
            self._entries.pop(partition, None)

    @staticmethod
    def _advance(entry: _Entry, watermark: int) -> None:
        entry.watermark = max(entry.watermark, watermark)
