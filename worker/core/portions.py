"""How much to publish in one go, so that it is acknowledged in time however slow publishing is."""

from collections import Counter
from collections.abc import Sequence

from worker.core.records import Partition, PartitionRange, Window

_FIRST_BYTES = 64 * 1024.0
_GROWTH = 1.5


class PublishPace:
    """Bytes that may be published in one go: few at first, more while that is quick, fewer when it is slow.

    Brokers let a producer exceed its quota for ten seconds or so before they hold it up, and then for all of it,
    so the growth is gentle.
    """

    def __init__(self, target_s: float) -> None:
        """Aim at publications that cost at most `target_s`."""
        self._target_s = target_s
        self._slow = False
        self.limit_bytes = _FIRST_BYTES

    @property
    def window_bytes(self) -> float:
        """What a window may hold, so that what is in flight can be published in time; at first without limit."""
        return self.limit_bytes if self._slow else float("inf")

    def observe(self, size_bytes: int, cost_s: float) -> None:
        """Learn from a publication of so many bytes.

        Args:
            size_bytes: What was published.
            cost_s: Until it was acknowledged, and how long the brokers hold up the next one for it.
        """
        quick = cost_s < self._target_s / 2
        self._slow = self._slow or not quick
        if cost_s > self._target_s:
            self.limit_bytes = max(1.0, min(self.limit_bytes, size_bytes * self._target_s / cost_s))
        elif quick and size_bytes >= self.limit_bytes / 2:
            self.limit_bytes *= _GROWTH


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
