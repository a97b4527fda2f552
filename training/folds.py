"""Folds of the training part: which reviews a teacher has left out, and who may answer what."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from reviews.review import Reviews
from training.fragments import Fragments

_WORD = re.compile(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})")
_FOLDS_MIN = 2


@dataclass(frozen=True)
class Fold:
    """One of `count` folds, by the groups' keys: copies and near duplicates of a review are in its fold."""

    number: int
    count: int

    @classmethod
    def named(cls, word: str) -> Self | None:
        """The fold K/N; None if the word is none."""
        match = _WORD.fullmatch(word)
        fold = cls(int(match[1]), int(match[2])) if match else None
        return fold if fold and fold.number <= fold.count and fold.count >= _FOLDS_MIN else None

    def holds(self, reviews: Reviews) -> NDArray[np.bool_]:
        """Whether each review is in the fold, shape (reviews,)."""
        return np.asarray(reviews.group_keys % np.uint64(self.count) == self.number - 1)


def learnt_by(
    left_out: Sequence[Fold | None], known: Reviews, train: Reviews, others: Reviews, made: Fragments
) -> NDArray[np.bool_]:
    """Who has learnt which text, or one that is nearly the same, shape (train + others + made, teachers).

    Args:
        left_out: The fold of `known` that each teacher has left out; None for one that has learnt all of it.
        known: The training part.
        train: What of it is learnt now.
        others: Texts without stars.
        made: Parts of `train` and then `others`. Those that stand in `known` as a review are learnt as such too.
    """
    learnt = np.ones((len(known), len(left_out)), dtype=np.bool_)
    for place, fold in enumerate(left_out):
        if fold:
            learnt[:, place] = ~fold.holds(known)
    whole = np.concatenate([_by_key(learnt, known, train), _by_group(learnt, known, others)])
    parts = _by_key(learnt, known, Reviews.of(made.reviews))
    return np.concatenate([whole, parts | whole[np.asarray(made.parents, dtype=np.int64)]])


def asked(learnt: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Who answers which text, shape (texts, teachers): those that have not learnt it, or all where all have."""
    return ~learnt | learnt.all(axis=1, keepdims=True)


def _by_group(learnt: NDArray[np.bool_], known: Reviews, others: Reviews) -> NDArray[np.bool_]:
    """Who has learnt a copy or a near duplicate of each of the others."""
    if not len(others):
        return np.zeros((0, learnt.shape[1]), dtype=np.bool_)
    groups = known.joined(others).groups
    of_group = np.zeros((int(groups.max()) + 1, learnt.shape[1]), dtype=np.bool_)
    np.logical_or.at(of_group, groups[: len(known)], learnt)
    return np.asarray(of_group[groups[len(known) :]])


def _by_key(learnt: NDArray[np.bool_], known: Reviews, some: Reviews) -> NDArray[np.bool_]:
    """Who has learnt a copy of each of these; copies are in one fold, so any one tells."""
    order = np.argsort(known.keys)
    places = order[np.minimum(np.searchsorted(known.keys, some.keys, sorter=order), len(order) - 1)]
    return np.asarray(learnt[places] & (known.keys[places] == some.keys)[:, None])
