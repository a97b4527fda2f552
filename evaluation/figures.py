"""The figures of a classifier, as they are written to JSON: a field's name is the key, and its place the key's.

A part with a default may be missing, and is then not written: not every command measures all, and older ones did
not. All shares and scores lie between 0 and 1; losses are in nats.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from contract.training_record import ReviewFile

Interval = tuple[float, float]
"""The lower and the upper end of a 95 % interval, by the bootstrap."""

_DIGITS = 6  # what lies beyond is the order of additions


@dataclass(frozen=True, kw_only=True)
class ClassFigures:
    """How well one class is recognised; `rows` of it were measured."""

    precision: float
    recall: float
    f1: float
    rows: int


@dataclass(frozen=True, kw_only=True)
class BalancedFigures:
    """The scores of rows that are weighed so that each class weighs the same."""

    accuracy: float
    macro_f1: float


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a classifier is judged by.

    Attributes:
        checkpoint: Whose figures they are.
        ordinal_error: The mean distance in the order negative, neutral, positive.
        off_by_two: The share of answers at the other end of that order.
        by_class: By label.
        confusion: `confusion[i][j]` counts rows of class i that were answered j, in class-id order.
        loss: Cross-entropy.
        intervals: By score; `f1_negative` is the F1 of a class, `balanced_macro_f1` a score of `balanced`.
    """

    checkpoint: str | None = None
    rows: int
    accuracy: float
    macro_f1: float
    ordinal_error: float | None = None
    off_by_two: float | None = None
    balanced: BalancedFigures | None = None
    by_class: dict[str, ClassFigures]
    confusion: list[list[int]]
    loss: float | None = None
    ece: float | None = None
    brier: float | None = None
    intervals: dict[str, Interval] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Group:
    """The figures of some rows, with the answers by label; macro-F1 is None where a class is missing."""

    rows: int
    accuracy: float
    macro_f1: float | None
    ordinal_error: float
    answered: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class AnswerConfidence:
    """Confidence beside accuracy of the rows with one answer; None where there are no such rows."""

    rows: int
    confidence: float | None
    accuracy: float | None
    ece: float | None


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Mean confidence beside accuracy of the rows of like confidence."""

    rows: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class ProbabilityFigures:
    """How good the probabilities are; `by_answer` has the label given as its key."""

    ece: float
    brier: float
    loss: float
    by_answer: dict[str, AnswerConfidence]
    intervals: dict[str, Interval]
    reliability: list[Bin]


@dataclass(frozen=True, kw_only=True)
class CalibrationFigures:
    """The probabilities before and after scaling with temperatures that never saw the row.

    Attributes:
        fitted_on: What the temperatures were fitted on; None for nothing.
        temperatures: Of each label; one, or one for each half of the rows.
        bins: Into how many bins the rows were put.
    """

    fitted_on: str | None
    temperatures: list[dict[str, float]]
    bins: int
    before: ProbabilityFigures
    after: ProbabilityFigures


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How precise the answers of a confidence of at least `below` are, and how many there are of them.

    `precision_at_least` is the lower end of the one-sided 95 % interval of the precision.
    """

    below: float
    kept: int
    precision: float
    precision_at_least: float


@dataclass(frozen=True, kw_only=True)
class HardText:
    """A text of a high loss: the model is wrong about it, or the stars are."""

    text: str
    category: str
    stars: float | None
    label: str
    answer: str
    confidence: float
    loss: float


@dataclass(frozen=True, kw_only=True)
class ComparisonFigures:
    """macro-F1 of the new classifier less that of the old one, and whether the gate lets it pass."""

    new: float
    old: float
    interval: Interval
    tolerance: float
    difference: float
    passed: bool
    sentence: str


@dataclass(frozen=True, kw_only=True)
class MeasuredData:
    """The files that were measured on, and how many copies of a text were left out."""

    files: list[ReviewFile]
    copies_left_out: int


@dataclass(frozen=True, kw_only=True)
class Evaluation(Figures):
    """All figures of a classifier.

    Attributes:
        coverage: From all texts to the surest half, by scaled confidence.
        macro_f1_min: What is good enough, where that was said.
        by_category: As `by_words` of the text and `by_stars`, with its keys in order.
        hardest: The texts of the highest loss, by falling loss. Who publishes figures leaves these out.
        baselines: By name, on the same rows.
        baselines_left_out: Why one is.
        against: The figures of another checkpoint on the same rows.
    """

    calibration: CalibrationFigures | None = None
    coverage: list[Coverage] = field(default_factory=list)
    macro_f1_min: float | None = None
    by_category: dict[str, Group] = field(default_factory=dict)
    by_words: dict[str, Group] = field(default_factory=dict)
    by_stars: dict[str, Group] = field(default_factory=dict)
    hardest: list[HardText] = field(default_factory=list)
    baselines: dict[str, Figures] | None = None
    baselines_left_out: list[str] | None = None
    data: MeasuredData | None = None
    against: Figures | None = None
    comparison: ComparisonFigures | None = None


def written(figures: Any) -> dict[str, Any]:
    """Figures, or a part of them, as JSON has them."""
    given: dict[str, Any] = TypeAdapter(type(figures)).dump_python(figures, exclude_defaults=True)
    return given


def read(given: Mapping[str, Any]) -> Evaluation:
    """The evaluation that was written; an older version may have written less.

    Raises:
        ValidationError: If it is none.
    """
    return TypeAdapter(Evaluation).validate_python(given)


def rounded(value: float | np.floating | NDArray[np.float64]) -> float:
    """A figure as it is written down."""
    return round(float(value), _DIGITS)
