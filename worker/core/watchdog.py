"""Partitions that have records and do not move."""

from collections.abc import Collection, Mapping

from worker.core.records import Partition


class Watchdog:
    """Remembers when the settled position of each partition last moved, or when it last had nothing to do."""

    def __init__(self, stall_s: float) -> None:
        self._stall_s = stall_s
        self._still: dict[Partition, tuple[int, float]] = {}  # settled position, since when

    def observe(
        self,
        now_s: float,
        positions: Mapping[Partition, tuple[int, int]],
        waiting: Collection[Partition] = (),
    ) -> set[Partition]:
        """Which partitions stall.

        Args:
            now_s: The present time, in seconds of any clock that does not go back.
            positions: For each partition owned the next offset to settle, and the end of the partition.
            waiting: Those whose records wait for their turn: they stall only when no partition moves.
        """
        self._still = {p: still for p, still in self._still.items() if p in positions}
        moved = {p for p, (settled, _) in positions.items() if self._still.get(p, (None, 0.0))[0] != settled}
        for partition, (settled, end) in positions.items():
            if settled >= end or partition in moved or (moved and partition in waiting):
                self._still[partition] = settled, now_s
        return {p for p, (_, since_s) in self._still.items() if now_s - since_s >= self._stall_s}
