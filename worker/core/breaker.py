"""The dead-letter breaker: a bad deploy must not empty a topic into the dead letters."""

from collections import defaultdict, deque
from dataclasses import dataclass

from worker.core.records import Partition


@dataclass(frozen=True)
class BreakerPolicy:
    """Trips when more than `ratio_max` of a partition's last `records_min` records failed in the model."""

    ratio_max: float = 0.5
    records_min: int = 200


class Breaker:
    """Counts the model's failures by partition; bad input is normal life and does not count as failure."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._recent: dict[Partition, deque[bool]] = defaultdict(lambda: deque(maxlen=policy.records_min))

    def observe(self, partition: Partition, *, model_failed: bool) -> None:
        """Book the outcome of one record that the model was asked about."""
        self._recent[partition].append(model_failed)

    def tripped(self) -> Partition | None:
        """A partition on which the model fails too often, if there is one."""
        for partition, recent in self._recent.items():
            if len(recent) == self._policy.records_min and sum(recent) > self._policy.ratio_max * len(recent):
                return partition
        return None
