"""Scores that a confusion matrix holds, of one matrix or of a stack of them at once.

A matrix has true classes in rows and answered ones in columns; a stack has shape (..., classes, classes). Counts
need not be whole numbers, so the same lines serve weighted rows.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]


def count(labels: Ids, answers: Ids, classes: int) -> Ids:
    """The confusion matrix of class ids, each of shape (rows,)."""
    return np.bincount(labels * classes + answers, minlength=classes**2).reshape(classes, classes)


def precision_recall_f1(confusion: NDArray[np.number]) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 by class, each of shape (..., classes); 0 where a denominator is 0."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    answered, true = confusion.sum(axis=-2), confusion.sum(axis=-1)
    return _ratio(right, answered), _ratio(right, true), _ratio(2 * right, answered + true)


def macro_f1(confusion: NDArray[np.number]) -> Floats:
    """The mean of F1 over all classes, shape (...)."""
    return np.asarray(precision_recall_f1(confusion)[2].mean(axis=-1))


def accuracy(confusion: NDArray[np.number]) -> Floats:
    """The share of right answers, shape (...)."""
    return _ratio(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def balanced(confusion: NDArray[np.number]) -> Floats:
    """The matrix as if each class were as frequent as any other: its rows are shares that add up to 1."""
    return _ratio(confusion, confusion.sum(axis=-1, keepdims=True))


def ordinal_error(confusion: NDArray[np.number], ranks: Sequence[int]) -> Floats:
    """The mean distance between true and answered class, where `ranks` orders the class ids; shape (...)."""
    return _ratio((confusion * _distances(ranks)).sum(axis=(-2, -1)), confusion.sum(axis=(-2, -1)))


def off_by_two(confusion: NDArray[np.number], ranks: Sequence[int]) -> Floats:
    """The share of answers that are two ranks or more from the truth, shape (...)."""
    return _ratio((confusion * (_distances(ranks) > 1)).sum(axis=(-2, -1)), confusion.sum(axis=(-2, -1)))


def _distances(ranks: Sequence[int]) -> Ids:
    places = np.array(ranks)
    return np.asarray(np.abs(places[:, None] - places))


def _ratio(part: NDArray[np.number], whole: NDArray[np.number]) -> Floats:
    part, whole = np.broadcast_arrays(np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64))
    return np.asarray(np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0))
