"""Below which confidence a classifier should abstain, so that what it does answer is right as often as was asked.

Of texts with confidences, those at or above a threshold are *kept*, and their accuracy is the precision of the
answers that are left. A share measured on few texts proves little: the smallest threshold whose measured precision
reaches what was asked breaks its promise on other texts about every other time. So what has to reach it is the
lower end of the one-sided 95 % interval of Clopper and Pearson 1934, which never covers less than it says.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_MISSED = 0.05


@dataclass(frozen=True)
class Abstention:
    """What a threshold does to some texts.

    Attributes:
        below: The threshold; texts of a lower confidence are abstained.
        rows: How many texts there are.
        kept: How many of them are kept.
        right: How many of these were answered rightly.
        right_abstained: How many of the others were.
    """

    below: float
    rows: int
    kept: int
    right: int
    right_abstained: int

    @property
    def abstained_share(self) -> float:
        """The share of texts that are abstained."""
        return 1 - self.kept / self.rows

    @property
    def precision(self) -> float | None:
        """The accuracy of what is kept; None where nothing is."""
        return self.right / self.kept if self.kept else None

    @property
    def precision_at_least(self) -> float:
        """The lower end of its one-sided 95 % interval; 0 where nothing is kept."""
        return float(lower_bound(np.array([self.right]), np.array([self.kept]))[0]) if self.kept else 0.0

    @property
    def precision_of_abstained(self) -> float | None:
        """The accuracy that the abstained texts would have had; None where there are none."""
        abstained = self.rows - self.kept
        return self.right_abstained / abstained if abstained else None


def lower_bound(right: NDArray[np.int64], rows: NDArray[np.int64]) -> Floats:
    """The lower ends of one-sided 95 % intervals of accuracies, of counts of any one shape, `rows` above 0."""
    found = beta.ppf(_MISSED, np.maximum(right, 1), rows - right + 1)
    return np.asarray(np.where(right > 0, found, 0.0))


def choose_threshold(confidence: Floats, right: Bools, precision: float) -> float | None:
    """The smallest threshold of which the precision is at least `precision`, sure at 95 %; None if there is none.

    It is one of the confidences, and texts of the same confidence stay together: a threshold can't part them.

    Args:
        confidence: Of each text, shape (rows,), at least one, as it will be compared with the threshold.
        right: Whether each was answered rightly, shape (rows,).
        precision: Between 0 and 1.
    """
    order = np.argsort(-confidence, kind="stable")
    descending = confidence[order]
    kept = np.flatnonzero(np.append(np.diff(descending) != 0, True)) + 1  # so many, for each threshold
    reached = lower_bound(right[order].astype(np.int64).cumsum()[kept - 1], kept) >= precision
    return float(descending[kept[reached][-1] - 1]) if reached.any() else None


def by_coverage(confidence: Floats, right: Bools, shares: Sequence[float]) -> list[Abstention]:
    """What abstaining buys: the thresholds that keep these shares of the texts, or as few more as can be.

    Args:
        confidence: As for `choose_threshold`.
        right: As for `choose_threshold`.
        shares: Each above 0 and at most 1.
    """
    descending = np.sort(confidence)[::-1]
    return [
        abstain(confidence, right, float(descending[math.ceil(share * len(descending)) - 1])) for share in shares
    ]


def abstain(confidence: Floats, right: Bools, below: float) -> Abstention:
    """Apply a threshold to texts; arguments as for `choose_threshold`."""
    kept = confidence >= below
    return Abstention(below, len(kept), int(kept.sum()), int((right & kept).sum()), int((right & ~kept).sum()))
