"""What the worker did in the last minutes, in samples of bounded number: for its status page and its summaries."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from worker.core.records import Partition


class DeadLetter(NamedTuple):
    """A dead letter without its content: when it was acknowledged (seconds since 1970), why, of which record."""

    at_s: float
    reason: str
    partition: Partition
    offset: int


@dataclass(frozen=True)
class Totals:
    """What was counted since the start."""

    read: int = 0
    labels: Mapping[str, int] = field(default_factory=dict)
    """Results, by their label."""
    dead_letters: int = 0
    batches: int = 0
    stages: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    """How often each stage was passed, and the seconds that this took in all."""

    @property
    def results(self) -> int:
        """Results of all labels."""
        return sum(self.labels.values())


@dataclass(frozen=True)
class Sample:
    """The state of things at a moment, in seconds of any clock that does not go back."""

    at_s: float
    totals: Totals
    lag: Mapping[Partition, int]


class Rates(NamedTuple):
    """Records a second between two samples, the later of them at `at_s`."""

    at_s: float
    read: float
    results: float
    dead_letters: float


class History:
    """The newest samples, a fixed time apart. One thread adds to them; any may look."""

    def __init__(self, every_s: float = 5.0, samples_max: int = 121) -> None:
        """Keep a sample each `every_s` seconds; with the defaults those of ten minutes."""
        self.every_s = every_s
        self._samples: deque[Sample] = deque(maxlen=samples_max)

    def is_due(self, now_s: float) -> bool:
        """Whether it is time for another sample."""
        return not self._samples or now_s - self._samples[-1].at_s >= self.every_s

    def add(self, sample: Sample) -> None:
        """Keep a sample, and forget the oldest one if there are too many."""
        self._samples.append(sample)

    def samples(self) -> Sequence[Sample]:
        """A copy, oldest first."""
        return tuple(self._samples)


def rates(samples: Sequence[Sample]) -> list[Rates]:
    """Between each two neighbours."""
    found = []
    for before, after in pairwise(samples):
        elapsed_s = after.at_s - before.at_s
        old, new = before.totals, after.totals
        found.append(
            Rates(
                after.at_s,
                (new.read - old.read) / elapsed_s,
                (new.results - old.results) / elapsed_s,
                (new.dead_letters - old.dead_letters) / elapsed_s,
            )
        )
    return found


def stage_seconds(samples: Sequence[Sample]) -> dict[str, tuple[int, float]]:
    """How often each stage was passed in the time of the samples, and the mean seconds of it."""
    if not samples:
        return {}
    before, after = samples[0].totals.stages, samples[-1].totals.stages
    found = {}
    for stage, (count, total_s) in after.items():
        count_before, total_before_s = before.get(stage, (0, 0.0))
        passed = count - count_before
        if passed:
            found[stage] = (passed, (total_s - total_before_s) / passed)
    return found
