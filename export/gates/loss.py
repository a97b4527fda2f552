"""What users lose by a variant: labels, macro-F1 and calibration on reviews, beside the reference's."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from contract.scoring import Temperature, probabilities
from evaluation.bootstrap import interval, resampled_means
from evaluation.calibration import gaps
from evaluation.comparison import Comparison, compare
from evaluation.figures import rounded
from export.confidence import Calibrated

TEXTS_SUFFICE, TEXTS_DECIDE = 200, 1_000
"""Of 1,000 reviews the loss is known to about 0.007 of macro-F1: enough to refuse by. Of 200 it may be known to be
small, but that it is not may be for want of reviews; of fewer, like answers say little (3 in 200 may differ)."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def record(self) -> dict[str, JsonValue]:
        """Rounded, as it is written down."""
        return {name: rounded(value) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Loss:
    """A variant beside the reference on the same reviews, each at its own temperatures.

    Attributes:
        texts: How many reviews.
        labels_kept: The share of the reference's labels.
        macro_f1: The variant's less the reference's.
        ece_rise: The variant's expected calibration error less the reference's.
    """

    texts: int
    labels_kept: Estimate
    macro_f1: Estimate
    ece_rise: Estimate

    @property
    def suffices(self) -> bool:
        """Whether the reviews are enough to let a variant pass."""
        return self.texts >= TEXTS_SUFFICE

    @property
    def decides(self) -> bool:
        """Whether they are enough to refuse it too."""
        return self.texts >= TEXTS_DECIDE

    def record(self) -> dict[str, JsonValue]:
        """All of it, for the provenance."""
        return {
            "texts": self.texts,
            "labels_kept": self.labels_kept.record(),
            "macro_f1_difference": self.macro_f1.record(),
            "ece_difference": self.ece_rise.record(),
        }

    def sentence(self) -> str:
        """What a person should know of it."""
        kept, score, ece = self.labels_kept, self.macro_f1, self.ece_rise
        return (
            f"on {self.texts} calibration texts it keeps {kept.value:.1%} of the reference's labels "
            f"({kept.low:.1%} to {kept.high:.1%}), macro-F1 {score.value:+.4f} "
            f"({score.low:+.4f} to {score.high:+.4f}), ECE {ece.value:+.4f} ({ece.low:+.4f} to {ece.high:+.4f})"
        )


@dataclass(frozen=True)
class Answers:
    """A graph's answers to labelled reviews.

    Attributes:
        labels: Class ids by the stars, shape (rows,).
        logits: Shape (rows, classes).
        temperature: That the graph's logits are divided by.
    """

    labels: NDArray[np.int64]
    logits: NDArray[np.float32]
    temperature: Temperature


@dataclass(frozen=True)
class Calibration:
    """A variant's answers to the calibration reviews, and the temperatures and the threshold that they gave it."""

    answers: Answers
    found: Calibrated


def loss(variant: Answers, reference: Answers) -> Loss:
    """Compare two graphs' answers to the same reviews."""
    labels = reference.labels
    new, old = variant.logits.argmax(axis=1), reference.logits.argmax(axis=1)
    compared: Comparison = compare(labels, new, old, classes=reference.logits.shape[1], tolerance=0.0)
    its_gaps, other_gaps = (
        gaps(labels, probabilities(one.logits, one.temperature)) for one in (variant, reference)
    )
    columns = np.hstack([its_gaps, other_gaps, (new == old)[:, None]])
    drawn = resampled_means(columns)
    means = columns.mean(axis=0)[None]
    return Loss(
        len(labels),
        Estimate(float(means[0, -1]), *interval(drawn[:, -1])),
        Estimate(compared.difference, *compared.interval),
        Estimate(float(_rise(means)[0]), *interval(_rise(drawn))),
    )


def _rise(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """The differences of the calibration errors whose bins' mean gaps these are, the label's column apart."""
    its, other = np.split(np.abs(columns[:, :-1]), 2, axis=1)
    return np.asarray(its.sum(axis=1) - other.sum(axis=1))
