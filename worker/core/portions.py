"""How much to publish in one go, so that it is acknowledged in time however slow publishing is.

A broker that throttles a producer takes a request at once and makes the next one wait, so the time that a
portion takes is owed to itself or to the one before it.
"""

from collections import Counter
from collections.abc import Sequence

from worker.core.records import Partition, PartitionRange, Window

_FIRST_BYTES = 64 * 1024.0


class PublishPace:
    """Bytes that may be published in one go: few at first, doubled while that is quick, fewer when it is slow."""

    def __init__(self, target_s: float) -> None:
        """Aim at publications that take at most `target_s`."""
        self._target_s = target_s
        self._before = _FIRST_BYTES
        self._slow = False
        self.limit_bytes = _FIRST_BYTES

    @property
    def window_bytes(self) -> float:
        """What a window may hold, so that what is in flight can be published in time; at first without limit."""
        return self.limit_bytes if self._slow else float("inf")

    def observe(self, size_bytes: int, elapsed_s: float) -> None:
        """Learn from a publication of so many bytes that was acknowledged after so many seconds."""
        quick = elapsed_s < self._target_s / 2
        self._slow = self._slow or not quick
        if elapsed_s > self._target_s:
            owed = min(max(size_bytes, 1), self._before)
            self.limit_bytes = max(1.0, min(self.limit_bytes, owed * self._target_s / elapsed_s))
        elif quick and size_bytes >= self.limit_bytes / 2:
            self.limit_bytes *= 2
        self._before = max(size_bytes, 1)


def cut(window: Window, sizes: Sequence[int]) -> list[Window]:
    """A window in parts of so many records each, in order; settled one after the other they settle all of it."""
    parts, first = [], 0
    for size in sizes:
        records = window.records[first : first + size]
        first += size
        counts = Counter(record.partition for record in records)
        ends: dict[Partition, int] = {record.partition: record.offset + 1 for record in records}
        ranges = {p: PartitionRange(window.ranges[p].epoch, counts[p], end) for p, end in ends.items()}
        parts.append(Window(records, ranges))
    return parts
