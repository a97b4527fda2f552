"""What the figures mean."""

import numpy as np
import pytest

from contract.labels import ORDER
from evaluation.figures import ClassFigures
from evaluation.metrics import answer_figures, figures

NEUTRAL, POSITIVE, NEGATIVE = 0, 1, 2


def test_figures_are_those_of_the_definition() -> None:
    """Accuracy, macro-F1 over all three classes, cross-entropy, and the matrix with true classes in rows."""
    labels = np.array([0, 0, 1, 1, 1, 2])
    logits = np.eye(3, dtype=np.float32)[[0, 1, 1, 1, 0, 1]] * 9

    result = figures(labels, logits)

    assert result.accuracy == pytest.approx(3 / 6)
    assert result.confusion == [[1, 1, 0], [1, 2, 0], [0, 1, 0]]
    assert result.macro_f1 == pytest.approx((0.5 + 2 * 2 / 7 + 0) / 3, abs=1e-6)
    assert result.by_class["negative"] == ClassFigures(precision=0, recall=0, f1=0, rows=1)
    assert result.loss == pytest.approx(np.log(1 + 2 * np.exp(-9)) + 9 * 3 / 6, abs=1e-5)
    assert result.ece == pytest.approx(0.5, abs=1e-3)  # certain, and right in one of two cases
    assert result.brier == pytest.approx(3 / 6 * 2, abs=1e-2)


def test_a_class_that_is_never_answered_costs_macro_f1() -> None:
    """Answering positive to all is right in most cases and yet a bad classifier."""
    labels = np.array([1] * 8 + [0, 2])
    logits = np.tile(np.array([[0, 1, 0]], dtype=np.float32), (10, 1))
    result = figures(labels, logits)
    assert result.accuracy == 0.8
    assert result.macro_f1 == pytest.approx(0.296296, abs=1e-6)


def test_the_ordinal_error_counts_steps_from_bad_to_good() -> None:
    """Neutral lies between the others, though it is class 0: taking one end for the other costs two steps."""
    labels = np.array([NEGATIVE, NEGATIVE, NEUTRAL, NEUTRAL, POSITIVE, POSITIVE, POSITIVE, POSITIVE])
    answers = np.array([NEGATIVE, POSITIVE, POSITIVE, NEGATIVE, NEGATIVE, NEUTRAL, POSITIVE, POSITIVE])

    result = answer_figures(labels, answers)

    assert ORDER == (NEGATIVE, NEUTRAL, POSITIVE)
    assert result.ordinal_error == (0 + 2 + 1 + 1 + 2 + 1 + 0 + 0) / 8
    assert result.off_by_two == 2 / 8
