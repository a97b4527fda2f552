"""What of the training part is learnt, and how much each source counts; what is measured stays as it is."""

import argparse
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.errors import InputError
from contract.labels import LABELS
from reviews.review import Reviews
from training.folds import Fold
from training.recipe import setting


@dataclass(frozen=True)
class Selection:
    """The settings of a selection; the defaults take everything, each review for one.

    Raises:
        InputError: If one is out of its range.
    """

    source_weights: tuple[tuple[str, float], ...] = setting(
        (), "how much a review of each source counts in training, else 1; 0 leaves it out", "NAME=WEIGHT"
    )
    source_cap: int = setting(0, "reviews of a source to train on at most, chosen by their texts' hash; 0 for all")
    leave_out: str = setting(
        "", "a fold, as 1/3, not to learn: as a teacher this model then answers it (see distill --teacher)", "K/N"
    )

    def __post_init__(self) -> None:
        names = [name for name, _ in self.source_weights]
        laws = {
            "--source-weights must be 0 or more": all(0 <= one < math.inf for _, one in self.source_weights),
            "--source-weights must name each source once": len(set(names)) == len(names),
            "--source-cap must be 0 or more": self.source_cap >= 0,
            "--leave-out must be K/N, with K from 1 to N and N at least 2": not self.leave_out
            or self._fold is not None,
        }
        for law, holds in laws.items():
            if not holds:
                raise InputError(law)

    def told(self) -> dict[str, Any]:
        """The settings for a record, as JSON gives them back; all of them shape the weights."""
        return {
            "source_weights": dict(self.source_weights),
            "source_cap": self.source_cap,
            "leave_out": self.leave_out,
        }

    def require_known(self, *given: Reviews) -> None:
        """Check that every source with a weight is there.

        Raises:
            InputError: If one is not; the message lists those that are.
        """
        there: dict[str, int] = {}
        for reviews in given if self.source_weights else ():
            ids, names = reviews.sources
            for name, count in zip(names, np.bincount(ids, minlength=len(names)).tolist(), strict=True):
                there[name] = there.get(name, 0) + count
        if unknown := [name for name, _ in self.source_weights if name not in there]:
            listed = ", ".join(f"{name} ({count})" for name, count in sorted(there.items()))
            raise InputError(
                f"--source-weights: no review is of the source {' or '.join(unknown)}: there are {listed}"
            )

    def of(self, reviews: Reviews) -> Reviews:
        """Those of the training part that are learnt."""
        ids, names = reviews.sources
        weights = dict(self.source_weights)
        kept = np.array([weights.get(name, 1.0) > 0 for name in names], dtype=np.bool_)[ids]
        if self.source_cap:
            kept &= _rank_within(ids, reviews.keys) < self.source_cap
        if fold := self._fold:
            kept &= ~fold.holds(reviews)
        return reviews.select(kept)

    def labelled(self, train: Reviews) -> Reviews:
        """As `of`, of reviews with stars.

        Raises:
            InputError: If a class has no review left.
        """
        learnt = self.of(train)
        if lacking := [name for label, name in enumerate(LABELS) if label not in learnt.labels]:
            raise InputError(
                f"no {' and no '.join(lacking)} review is left to train on: let more sources or reviews count"
            )
        return learnt

    def weights(self, reviews: Reviews) -> NDArray[np.float32] | None:
        """How much each of the reviews that are learnt counts, on average 1; None where all count the same."""
        ids, names = reviews.sources
        given = dict(self.source_weights)
        weights = np.array([given.get(name, 1.0) for name in names])[ids]
        if not len(weights) or (weights == weights[0]).all():
            return None
        return np.asarray(weights / weights.mean(), dtype=np.float32)

    @property
    def _fold(self) -> Fold | None:
        return Fold.named(self.leave_out)


EVERYTHING = Selection()


def named_weight(word: str) -> tuple[str, float]:
    """NAME=WEIGHT of a command line; a name may hold more such signs.

    Raises:
        ArgumentTypeError: If it is none.
    """
    name, sign, number = word.rpartition("=")
    try:
        return name, float(number if sign and name else "")
    except ValueError:
        raise argparse.ArgumentTypeError(f"{word!r} is not NAME=WEIGHT") from None


def _rank_within(ids: NDArray[np.int64], keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The place of each row among those of its id, by rising key, shape (rows,)."""
    order = np.lexsort((keys, ids))
    starts = np.searchsorted(ids[order], ids[order])
    ranks = np.empty(len(ids), dtype=np.int64)
    ranks[order] = np.arange(len(ids)) - starts
    return ranks
