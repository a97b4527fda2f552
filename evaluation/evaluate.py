"""From reviews and logits to all figures of a classifier; needs no PyTorch."""

import hashlib
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contract import scoring
from contract.labels import LABELS
from evaluation import abstention, calibration, confusion
from evaluation.bootstrap import interval, resampled_counts, resampled_means
from evaluation.figures import (
    AnswerConfidence,
    Bin,
    CalibrationFigures,
    Coverage,
    Evaluation,
    Figures,
    Group,
    HardText,
    Interval,
    ProbabilityFigures,
    rounded,
)
from evaluation.metrics import RANKS, answer_figures, figures
from reviews.review import Review, Reviews, text_key

Ids = NDArray[np.int64]
Logits = NDArray[np.float32]

_WORDS_MAX = (20, 50, 100, 200, 400)  # of the buckets of length; the last one has no end
_BINS_OF_ANSWER = 5  # of those that have one label the bins hold fewer rows, so there are fewer bins
_COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)
_HARDEST = 20
_LINE_CHARACTERS = 160


@dataclass(frozen=True)
class Served:
    """The temperature that serves, to be judged as it is, and what it was fitted on; None for nothing."""

    temperature: scoring.Temperature
    fitted_on: str | None


def evaluate_logits(
    reviews: Sequence[Review], logits: Logits, scaling: tuple[Sequence[Review], Logits] | Served | None = None
) -> Evaluation:
    """All figures of a classifier.

    Args:
        reviews: What it answered, each text once.
        logits: Its answers, shape (rows, classes).
        scaling: Reviews with logits to fit the temperature on, none of whose texts is measured, or the temperature
            itself; without either each half of the rows is scaled with the temperature of the other.
    """
    labels = ids_of(reviews)
    answers = logits.argmax(axis=1)
    scaled = _scaled(reviews, labels, logits, scaling)
    return Evaluation(
        **vars(replace(figures(labels, logits), intervals=intervals(labels, answers))),
        calibration=_calibration(labels, logits, scaled),
        coverage=_coverage(scaled.logits, answers == labels),
        by_category=breakdown([review.category for review in reviews], labels, answers),
        by_words=_by_words(reviews, labels, answers),
        by_stars=breakdown([_stars(review) for review in reviews], labels, answers),
        hardest=_hardest(reviews, labels, logits),
    )


def ids_of(reviews: Sequence[Review]) -> Ids:
    """The class ids of reviews, shape (rows,)."""
    if isinstance(reviews, Reviews):
        return reviews.labels.astype(np.int64)
    return np.array([review.label for review in reviews], dtype=np.int64)


def summarise(labels: Ids, answers: Ids) -> Figures:
    """What classifiers are compared by: figures of class ids (rows,), with their intervals."""
    return replace(answer_figures(labels, answers), intervals=intervals(labels, answers))


def intervals(labels: Ids, answers: Ids) -> dict[str, Interval]:
    """The 95 % bootstrap interval of each score, of class ids (rows,)."""
    drawn = resampled_counts(confusion.count(labels, answers, len(LABELS)))
    even = confusion.balanced(drawn)
    f1 = confusion.precision_recall_f1(drawn)[2]
    scores = {
        "accuracy": confusion.accuracy(drawn),
        "macro_f1": f1.mean(axis=-1),
        **{f"f1_{name}": f1[:, label] for label, name in enumerate(LABELS)},
        "ordinal_error": confusion.ordinal_error(drawn, RANKS),
        "balanced_accuracy": confusion.accuracy(even),
        "balanced_macro_f1": confusion.macro_f1(even),
    }
    return {name: _bounds(values) for name, values in scores.items()}


def breakdown(keys: Sequence[str], labels: Ids, answers: Ids) -> dict[str, Group]:
    """Figures of the rows of each key, keys in order; macro-F1 is None where a class is missing."""
    names, places = np.unique(np.array(keys, dtype=object).astype(str), return_inverse=True)
    matrices = [
        confusion.count(labels[places == place], answers[places == place], len(LABELS))
        for place in range(len(names))
    ]
    return {str(name): _group(matrix) for name, matrix in zip(names, matrices, strict=True)}


def _group(matrix: Ids) -> Group:
    whole = bool(matrix.sum(axis=1).all())
    return Group(
        rows=int(matrix.sum()),
        accuracy=rounded(confusion.accuracy(matrix)),
        macro_f1=rounded(confusion.macro_f1(matrix)) if whole else None,
        ordinal_error=rounded(confusion.ordinal_error(matrix, RANKS)),
        answered={name: int(matrix[:, label].sum()) for label, name in enumerate(LABELS)},
    )


def _by_words(reviews: Sequence[Review], labels: Ids, answers: Ids) -> dict[str, Group]:
    """Words, not tokens: classifiers with other tokenizers have the same buckets."""
    firsts = (1, *(most + 1 for most in _WORDS_MAX))
    names = [f"{first}-{most}" for first, most in zip(firsts, _WORDS_MAX, strict=False)] + [f"{firsts[-1]}-"]
    keys = [names[bisect_left(_WORDS_MAX, len(review.text.split()))] for review in reviews]
    groups = breakdown(keys, labels, answers)
    return {name: groups[name] for name in names if name in groups}


def _stars(review: Review) -> str:
    return "unknown" if review.stars is None else f"{review.stars:g}"


class _Scaled(NamedTuple):
    """Logits (rows, classes), and the temperatures that they were divided by."""

    logits: NDArray[np.floating]
    temperatures: Sequence[scoring.Temperature]
    fitted_on: str | None


def _scaled(
    reviews: Sequence[Review],
    labels: Ids,
    logits: Logits,
    scaling: tuple[Sequence[Review], Logits] | Served | None,
) -> _Scaled:
    """Scaled with temperatures that never saw the row."""
    if scaling is None:
        halves = np.array([_second_half(review.text) for review in reviews])
        return _Scaled(*calibration.cross_fitted(labels, logits, halves), "the other half of these texts")
    served = scaling if isinstance(scaling, Served) else _fitted_apart(*scaling)
    return _Scaled(scoring.scaled(logits, served.temperature), (served.temperature,), served.fitted_on)


def _calibration(labels: Ids, logits: Logits, scaled: _Scaled) -> CalibrationFigures:
    """ECE, Brier score and cross-entropy before and after scaling."""
    return CalibrationFigures(
        fitted_on=scaled.fitted_on,
        temperatures=[by_label(temperature) for temperature in scaled.temperatures],
        bins=calibration.BINS,
        before=_probability_figures(labels, logits),
        after=_probability_figures(labels, scaled.logits),
    )


def _coverage(scaled: NDArray[np.floating], right: NDArray[np.bool_]) -> list[Coverage]:
    confidence = scoring.probabilities(scaled).max(axis=1)
    kept = {one.below: one for one in abstention.by_coverage(confidence, right, _COVERAGES)}
    return [
        Coverage(
            below=rounded(one.below),
            kept=one.kept,
            precision=rounded(one.right / one.kept),
            precision_at_least=rounded(one.precision_at_least),
        )
        for one in kept.values()
    ]


def _fitted_apart(reviews: Sequence[Review], logits: Logits) -> Served:
    return Served(calibration.fit_temperatures(ids_of(reviews), logits), f"{len(reviews)} texts apart")


def by_label(temperature: scoring.Temperature) -> dict[str, float]:
    """What the logits of an answer are divided by, for each label."""
    each = np.broadcast_to(temperature, len(LABELS)).tolist()
    return {name: rounded(value) for name, value in zip(LABELS, each, strict=True)}


def _probability_figures(labels: Ids, logits: NDArray[np.floating]) -> ProbabilityFigures:
    predicted = scoring.probabilities(logits)
    table, brier = calibration.reliability(labels, predicted), calibration.brier(labels, predicted)
    drawn = resampled_means(np.column_stack([calibration.gaps(labels, predicted), brier]))
    return ProbabilityFigures(
        ece=rounded(table.error()),
        brier=rounded(brier.mean()),
        loss=rounded(calibration.cross_entropy(labels, logits)),
        by_answer={name: _of_answer(label, labels, predicted) for label, name in enumerate(LABELS)},
        intervals={"ece": _bounds(np.abs(drawn[:, :-1]).sum(axis=1)), "brier": _bounds(drawn[:, -1])},
        reliability=[
            Bin(rows=int(rows), confidence=rounded(confidence), accuracy=rounded(accuracy))
            for rows, confidence, accuracy in zip(table.rows, table.confidence, table.accuracy, strict=True)
        ],
    )


def _of_answer(label: int, labels: Ids, predicted: calibration.Floats) -> AnswerConfidence:
    rows = predicted.argmax(axis=1) == label
    if not rows.any():
        return AnswerConfidence(rows=0, confidence=None, accuracy=None, ece=None)
    return AnswerConfidence(
        rows=int(rows.sum()),
        confidence=rounded(predicted[rows, label].mean()),
        accuracy=rounded((labels[rows] == label).mean()),
        ece=rounded(calibration.reliability(labels[rows], predicted[rows], _BINS_OF_ANSWER).error()),
    )


def _second_half(text: str) -> bool:
    """Not by the first byte of the hash, since parts of the data are chosen by that."""
    return hashlib.sha256(text_key(text).encode()).digest()[1] % 2 == 1


def _hardest(reviews: Sequence[Review], labels: Ids, logits: Logits) -> list[HardText]:
    losses, predicted = calibration.losses(labels, logits), scoring.probabilities(logits)
    return [
        HardText(
            text=" ".join(reviews[row].text.split())[:_LINE_CHARACTERS],
            category=reviews[row].category,
            stars=reviews[row].stars,
            label=LABELS[labels[row]],
            answer=LABELS[predicted[row].argmax()],
            confidence=rounded(predicted[row].max()),
            loss=rounded(losses[row]),
        )
        for row in np.argsort(-losses, kind="stable")[:_HARDEST].tolist()
    ]


def _bounds(resampled: NDArray[np.float64]) -> Interval:
    low, high = interval(resampled)
    return rounded(low), rounded(high)
