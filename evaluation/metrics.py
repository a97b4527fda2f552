"""Figures of a classifier; the one to look at is macro-F1, because nearly three reviews in four are positive."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from contract import scoring
from contract.labels import LABELS, ORDER
from evaluation import calibration, confusion
from evaluation.figures import BalancedFigures, ClassFigures, Figures, rounded

RANKS = tuple(ORDER.index(label) for label in range(len(LABELS)))
"""The place of each class id in that order."""


def figures(labels: NDArray[np.int64], logits: NDArray[np.float32]) -> Figures:
    """What `answer_figures` gives, and what needs probabilities: cross-entropy in nats, ECE and Brier score.

    Args:
        labels: Class ids, shape (rows,).
        logits: Shape (rows, classes).
    """
    predicted = scoring.probabilities(logits)
    return replace(
        answer_figures(labels, logits.argmax(axis=1)),
        loss=rounded(calibration.cross_entropy(labels, logits)),
        ece=rounded(calibration.reliability(labels, predicted).error()),
        brier=rounded(calibration.brier(labels, predicted).mean()),
    )


def answer_figures(labels: NDArray[np.int64], answers: NDArray[np.int64]) -> Figures:
    """What needs no probabilities, of class ids (rows,)."""
    matrix = confusion.count(labels, answers, len(LABELS))
    even = confusion.balanced(matrix)
    by_class = zip(LABELS, *confusion.precision_recall_f1(matrix), matrix.sum(axis=1), strict=True)
    return Figures(
        rows=len(labels),
        accuracy=rounded(confusion.accuracy(matrix)),
        macro_f1=rounded(confusion.macro_f1(matrix)),
        ordinal_error=rounded(confusion.ordinal_error(matrix, RANKS)),
        off_by_two=rounded(confusion.off_by_two(matrix, RANKS)),
        balanced=BalancedFigures(
            accuracy=rounded(confusion.accuracy(even)), macro_f1=rounded(confusion.macro_f1(even))
        ),
        by_class={
            name: ClassFigures(
                precision=rounded(precision), recall=rounded(recall), f1=rounded(f1), rows=int(rows)
            )
            for name, precision, recall, f1, rows in by_class
        },
        confusion=matrix.tolist(),
    )
