"""The books of delivery: which positions may be committed.

The laws, stated as property tests in tests/core/test_ledger.py:

1. A commit never passes a record that is not settled.
2. Within an assignment the committable position never moves back.
3. A settled window of a past assignment changes nothing.
4. A forgotten partition is never committed.
5. When every record handed out is settled, the position itself is committable, even past control records.

Windows of a partition are settled in order, so its watermark is just the end of its last settled window. The
books are not safe for threads; `worker.flow` locks them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from worker.core.records import Chunk, Partition, Record, Span, Window


@dataclass
class _Entry:
    epoch: int
    position: int = -1  # the next offset to read
    watermark: int = -1  # everything below is settled
    committed: int = -1
    unsettled: int = 0  # records handed out whose outcome the broker has not acknowledged


class Ledger:
    """Positions of the partitions that this worker owns."""

    def __init__(self) -> None:
        self._entries: dict[Partition, _Entry] = {}
        self._epochs: Counter[Partition] = Counter()

    @property
    def partitions(self) -> set[Partition]:
        """The partitions owned."""
        return set(self._entries)

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

    def spans(self, records: Iterable[Record]) -> dict[Partition, Span]:
        """What a window of these records will settle."""
        counts: Counter[Partition] = Counter()
        ends: dict[Partition, int] = {}
        for record in records:
            counts[record.partition] += 1
            ends[record.partition] = record.offset + 1
        return {p: Span(self._entries[p].epoch, counts[p], end) for p, end in ends.items()}

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
        for partition, span in window.spans.items():
            if not self.owns(partition, span.epoch):
                continue
            entry = self._entries[partition]
            entry.unsettled -= span.records
            if entry.unsettled < 0:
                raise AssertionError(f"{partition} settled more records than were read: this is a bug")
            self._advance(entry, span.end if entry.unsettled else max(span.end, entry.position))

    def committable_after(self, windows: Iterable[Window]) -> dict[Partition, int]:
        """What `committable` would say if these windows, the next of their partitions, were settled."""
        ahead = Ledger()
        ahead._entries = {partition: replace(entry) for partition, entry in self._entries.items()}
        for window in windows:
            ahead.settle(window)
        return ahead.committable()

    def give_back(self, partition: Partition, first_offset: int, records: int) -> None:
        """Book that records read but never scored were dropped, the first of them at `first_offset`."""
        entry = self._entries[partition]
        entry.unsettled -= records
        entry.position = first_offset
        if entry.unsettled == 0:
            self._advance(entry, first_offset)

    def committable(self, partitions: Iterable[Partition] | None = None) -> dict[Partition, int]:
        """The positions that a commit would move forward: of these partitions, or of all owned."""
        chosen = self._entries.keys() if partitions is None else self._entries.keys() & set(partitions)
        return {
            partition: entry.watermark
            for partition, entry in self._entries.items()
            if partition in chosen and entry.watermark > entry.committed
        }

    def positions(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """The position of each that a commit would leave it at, where any is known."""
        entries = ((p, self._entries[p]) for p in partitions if p in self._entries)
        return {p: max(e.watermark, e.committed) for p, e in entries if max(e.watermark, e.committed) >= 0}

    def committed(self, positions: Mapping[Partition, int]) -> None:
        """Book that the broker has stored these positions."""
        for partition, position in positions.items():
            if partition in self._entries:
                entry = self._entries[partition]
                entry.committed = max(entry.committed, position)

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Close the entries of partitions that were revoked or lost."""
        for partition in partitions:
            self._entries.pop(partition, None)

    @staticmethod
    def _advance(entry: _Entry, watermark: int) -> None:
        entry.watermark = max(entry.watermark, watermark)
