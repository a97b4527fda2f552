"""The dead-letter breaker: a bad deploy must not empty a topic into the dead letters."""

from collections import defaultdict, deque
from dataclasses import dataclass

from worker.core.records import Partition

_ALL = "all partitions together"


@dataclass(frozen=True)
class BreakerPolicy:
    """Trips when more than `ratio_max` of the last `records_min` records, of a partition or of all, failed."""

    ratio_max: float = 0.5
    records_min: int = 200


class Breaker:
    """Counts the model's failures, by partition and over all; bad input is normal life and does not count.

    By partition, since one can be full of what the model fails on; over all, since a bad deploy on many partitions
    would else put aside nearly `records_min` records of each before any of them trips.
    """

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._recent: dict[str, deque[bool]] = defaultdict(lambda: deque(maxlen=policy.records_min))

    def observe(self, partition: Partition, *, model_failed: bool) -> None:
        """Book the outcome of one record that the model was asked about."""
        for of in (f"{partition.topic}/{partition.number}", _ALL):
            self._recent[of].append(model_failed)

    def tripped(self) -> str | None:
        """Of what the model fails too often: a partition as `topic/number`, or all of them; None for nothing."""
        for of, recent in self._recent.items():
            if len(recent) == self._policy.records_min and sum(recent) > self._policy.ratio_max * len(recent):
                return of
        return None
