"""A line at info every so often, that sums up what was done since the one before."""

from collections.abc import Mapping

import structlog

from worker.core.history import Totals
from worker.core.records import Partition

log = structlog.get_logger(__name__)


class Summary:
    """Says what a worker does to readers of its log alone."""

    def __init__(self, every_s: float) -> None:
        """Say it each `every_s` seconds; 0 for never."""
        self._every_s = every_s
        self._before: tuple[float, Totals] | None = None

    def is_due(self, now_s: float) -> bool:
        """Whether it is time for a line, or for the first look."""
        return bool(self._every_s) and (self._before is None or now_s - self._before[0] >= self._every_s)

    def tell(self, now_s: float, totals: Totals, lag: Mapping[Partition, int], held_records: int) -> None:
        """Write the line, unless this is the first look."""
        if self._before is not None:
            before_s, before = self._before
            log.info(
                "worker_summary",
                elapsed_s=round(now_s - before_s, 1),
                records=totals.read - before.read,
                results=totals.results - before.results,
                dead_letters=totals.dead_letters - before.dead_letters,
                batches=totals.batches - before.batches,
                lag_records=sum(lag.values()),
                held_records=held_records,
                partitions=len(lag),
            )
        self._before = now_s, totals
