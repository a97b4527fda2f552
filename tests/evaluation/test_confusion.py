"""Scores that a confusion matrix holds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, precision_recall_fscore_support

from evaluation import confusion
from evaluation.metrics import RANKS

answered_rows = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=200)


@given(answered_rows)
def test_scores_are_those_of_scikit_learn(rows: list[tuple[int, int]]) -> None:
    """What is computed from the confusion matrix is what scikit-learn computes from the rows."""
    labels, answers = np.array(rows).T
    matrix = confusion.count(labels, answers, 3)
    weights = (1 / np.bincount(labels, minlength=3).clip(1))[labels]
    expected = precision_recall_fscore_support(labels, answers, labels=[0, 1, 2], zero_division=0)[:3]

    assert np.allclose(confusion.precision_recall_f1(matrix), expected)
    assert confusion.accuracy(matrix) == pytest.approx(accuracy_score(labels, answers))
    even = confusion.balanced(matrix)
    assert confusion.macro_f1(even) == pytest.approx(
        f1_score(labels, answers, labels=[0, 1, 2], average="macro", sample_weight=weights, zero_division=0)
    )
    if set(labels.tolist()) == {0, 1, 2}:
        assert confusion.accuracy(even) == pytest.approx(balanced_accuracy_score(labels, answers))


@given(st.lists(answered_rows, min_size=1, max_size=5))
def test_a_stack_has_the_scores_of_its_matrices(stack: list[list[tuple[int, int]]]) -> None:
    """Many matrices at once give what each gives alone."""
    columns = [np.array(rows).T for rows in stack]
    matrices = [confusion.count(labels, answers, 3) for labels, answers in columns]
    at_once = np.stack(matrices)
    assert confusion.macro_f1(at_once).tolist() == [float(confusion.macro_f1(one)) for one in matrices]
    assert confusion.accuracy(at_once).tolist() == [float(confusion.accuracy(one)) for one in matrices]
    assert confusion.ordinal_error(at_once, RANKS).tolist() == [
        float(confusion.ordinal_error(one, RANKS)) for one in matrices
    ]
    assert confusion.off_by_two(at_once, RANKS).tolist() == [
        float(confusion.off_by_two(one, RANKS)) for one in matrices
    ]


def test_a_matrix_of_nothing_has_scores_of_nothing() -> None:
    """No division by zero: a class without rows or answers has 0."""
    nothing = np.zeros((3, 3), dtype=np.int64)
    assert (
        confusion.accuracy(nothing) == confusion.macro_f1(nothing) == confusion.ordinal_error(nothing, RANKS) == 0
    )
    assert confusion.balanced(nothing).tolist() == nothing.tolist()
