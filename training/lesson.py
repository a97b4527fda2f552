"""What a run learns from: reviews with their stars, and what a teacher says of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data import Review
from training.losses import Distillation, Loss
from training.order import EncodedReviews
from training.recipe import Recipe

UNLABELLED = -1


@dataclass(frozen=True)
class Lesson:
    """Reviews to learn from.

    Attributes:
        reviews: With the class id of each, or `UNLABELLED` for a text that only a teacher answers.
        distillation: How much a teacher's answers count, if there is one.
        answers: Its logits, shape (reviews, classes).
    """

    reviews: Sequence[Review]
    distillation: Distillation | None = None
    answers: NDArray[np.float32] | None = None

    def loss(self, recipe: Recipe) -> Loss:
        """The recipe's loss."""
        return Loss(recipe, [review.label for review in self.reviews], self.distillation)

    def data(self, rows: Sequence[Sequence[int]], recipe: Recipe) -> EncodedReviews:
        """The rows, encoded, with the targets that the loss asks for."""
        targets: dict[str, Sequence[Any]] = {"labels": [review.label for review in self.reviews]}
        if recipe.stars_weight:
            targets["stars"] = [_rating(review.stars) for review in self.reviews]
        if self.answers is not None:
            targets["teacher"] = self.answers.tolist()
        return EncodedReviews(rows, **targets)


def _rating(stars: float | None) -> int:
    """The place among the ratings of 1 to 5 stars, or `UNLABELLED`; no stars count as one, like the class does."""
    return UNLABELLED if stars is None else max(0, int(stars) - 1)
