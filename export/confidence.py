"""Making a variant's probabilities mean what they say, and finding where it should abstain."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
from pydantic import JsonValue

from contract.scoring import Temperature, probabilities
from evaluation import calibration
from evaluation.abstention import Abstention, abstain, choose_threshold
from evaluation.evaluate import by_label, ids_of
from evaluation.figures import rounded
from evaluation.formats import temperatures
from export.scoring import Logits
from reviews.review import Review

TEXTS_MAX = 10_000
"""Temperatures need no more, and of so many texts the promised precision is known to half a percent."""
TEXTS_FEW = 1_000
"""Of so many, a temperature's standard error is about 5 %; it grows with the root of what is missing."""
ABSTAIN_ALWAYS = 1.0
"""The threshold where no other keeps the promise. Who filters by `abstained` then gets nothing, instead of answers
that are wrong more often than was asked; 0 would let all of them through. What rounds to 1 is still kept."""
_DIGITS = 6  # to which the worker rounds a confidence before it compares


@dataclass(frozen=True, kw_only=True)
class AbstentionFigures:
    """What a threshold does, as it is written down; a precision is None where a side has no texts."""

    below: float
    texts: int
    abstained_share: float
    coverage: float
    precision: float | None
    precision_at_least: float
    precision_of_abstained: float | None

    @classmethod
    def of(cls, found: Abstention) -> Self:
        """Round what was found."""
        return cls(
            below=found.below,
            texts=found.rows,
            abstained_share=rounded(found.abstained_share),
            coverage=rounded(1 - found.abstained_share),
            precision=_optional(found.precision),
            precision_at_least=rounded(found.precision_at_least),
            precision_of_abstained=_optional(found.precision_of_abstained),
        )


@dataclass(frozen=True)
class Calibrated:
    """What a variant of the bundle gets from the calibration texts.

    Attributes:
        temperature: To divide its logits by, for each label in class-id order.
        abstain_below: The confidence below which an event is marked as abstained.
        reached: Whether the precision that was asked for is kept; None where none was.
        abstention: What the threshold does to the calibration texts.
        figures: ECE and Brier score, before and after; on the texts that the temperatures were fitted on.
    """

    temperature: tuple[float, ...]
    abstain_below: float
    reached: bool | None
    abstention: Abstention
    figures: dict[str, dict[str, float]]

    def record(self) -> dict[str, JsonValue]:
        """All of it, for the provenance."""
        abstention = asdict(AbstentionFigures.of(self.abstention))
        return {
            "temperature": dict(by_label(self.temperature)),
            **{name: dict(values) for name, values in self.figures.items()},
            "abstain_below": abstention.pop("below"),
            "precision_reached": self.reached,
            **abstention,
        }

    def sentence(self, precision: float | None) -> str:
        """What a person should know of it."""
        before, after = self.figures["before"], self.figures["after"]
        said = (
            f"temperature {temperatures([by_label(self.temperature)])}: ECE {before['ece']:.3f} → "
            f"{after['ece']:.3f}, Brier {before['brier']:.3f} → {after['brier']:.3f} on the texts that they were "
            "fitted on"
        )
        if precision is None:
            return f"{said}; never abstains"
        if not self.reached:
            return f"{said}; abstains nearly always"
        kept = self.abstention
        return (
            f"{said}; below {self.abstain_below:.3f} abstains on {kept.abstained_share:.1%}, the rest is right in "
            f"{kept.precision or 0:.1%} (at least {kept.precision_at_least:.1%}, sure at 95 %)"
        )


def calibrate(reviews: Sequence[Review], logits: Logits, precision: float | None) -> Calibrated:
    """Fit a variant's temperatures, then choose its threshold at these.

    The threshold is the smallest of which the precision is at least what was asked for, sure at 95 %: see
    `evaluation.abstention` and decision 10.

    Args:
        reviews: Calibration texts, at least one.
        logits: The variant's answers to them, shape (rows, classes).
        precision: The accuracy that answers at or above the threshold shall have; None for no threshold.
    """
    labels = ids_of(reviews)
    temperature = calibration.fit_temperatures(labels, logits)
    confidence, right = confidences(logits, temperature), logits.argmax(axis=1) == labels
    chosen = None if precision is None else choose_threshold(confidence, right, precision)
    below = 0.0 if precision is None else ABSTAIN_ALWAYS if chosen is None else chosen
    return Calibrated(
        temperature,
        below,
        None if precision is None else chosen is not None,
        abstain(confidence, right, below),
        {"before": _figures(labels, logits, 1.0), "after": _figures(labels, logits, temperature)},
    )


def confidences(logits: Logits, temperature: Temperature) -> calibration.Floats:
    """The confidence of each row as the worker publishes it and compares it with the threshold; shape (rows,)."""
    highest = probabilities(logits, temperature).max(axis=1)
    return np.array([round(float(share), _DIGITS) for share in highest])


def _figures(labels: calibration.Ids, logits: Logits, temperature: Temperature) -> dict[str, float]:
    predicted = probabilities(logits, temperature)
    return {
        "ece": rounded(calibration.reliability(labels, predicted).error()),
        "brier": rounded(calibration.brier(labels, predicted).mean()),
    }


def _optional(value: float | None) -> float | None:
    return None if value is None else rounded(value)
