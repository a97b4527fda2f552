"""Whether one classifier may take another's place: the paired bootstrap of their difference in macro-F1."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.bootstrap import interval, resampled_counts
from evaluation.confusion import macro_f1
from evaluation.figures import ComparisonFigures, rounded


@dataclass(frozen=True)
class Comparison:
    """macro-F1 of the new classifier less that of the old one, with its 95 % interval."""

    new: float
    old: float
    interval: tuple[float, float]
    tolerance: float

    @property
    def difference(self) -> float:
        """Above 0 where the new one is better."""
        return self.new - self.old

    @property
    def passed(self) -> bool:
        """Whether the interval keeps above the loss that is tolerated."""
        return self.interval[0] >= -self.tolerance

    def measured(self) -> str:
        """What was found, without a decision."""
        low, high = self.interval
        return (
            f"macro-F1 {self.new:.4f} against {self.old:.4f}, a difference of {self.difference:+.4f} "
            f"(95 % interval {low:+.4f} to {high:+.4f}, same texts)"
        )

    def sentence(self) -> str:
        """The decision and its reason."""
        decision, reason = ("passed", "no more") if self.passed else ("failed", "more")
        return (
            f"{decision}: {self.measured()}. At worst, by its lower end, the loss is "
            f"{max(0.0, -self.interval[0]):.4f}: {reason} than is tolerated ({self.tolerance:g})."
        )

    def figures(self) -> ComparisonFigures:
        """All of it, as it is written down."""
        return ComparisonFigures(
            **asdict(self), difference=rounded(self.difference), passed=self.passed, sentence=self.sentence()
        )


def compare(
    labels: NDArray[np.int64], new: NDArray[np.int64], old: NDArray[np.int64], classes: int, tolerance: float
) -> Comparison:
    """Compare two classifiers' answers to the same rows; all of shape (rows,).

    Pairs count: rows are drawn with what both answered, so that what is hard for both does not widen the interval.
    """
    cells = np.bincount((labels * classes + new) * classes + old, minlength=classes**3)
    cells = cells.reshape(classes, classes, classes)
    drawn = resampled_counts(cells)
    differences = macro_f1(drawn.sum(axis=-1)) - macro_f1(drawn.sum(axis=-2))
    return Comparison(
        float(macro_f1(cells.sum(axis=-1))), float(macro_f1(cells.sum(axis=-2))), interval(differences), tolerance
    )
