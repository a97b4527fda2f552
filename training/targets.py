"""What a run learns from: reviews with their stars, and what a teacher says of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviews.review import UNLABELLED, Reviews
from training.losses import Distillation, Loss
from training.recipe import Recipe
from training.sampler import EncodedReviews


@dataclass(frozen=True)
class TrainingSet:
    """Reviews to learn from.

    Attributes:
        reviews: With the class id of each, or `UNLABELLED` for a text that only a teacher answers.
        distillation: How much a teacher's answers count, if there is one.
        answers: Its logits, shape (reviews, classes).
        weights: How much each review counts, on average 1, shape (reviews,); None where all count the same.
    """

    reviews: Reviews
    distillation: Distillation | None = None
    answers: NDArray[np.float32] | None = None
    weights: NDArray[np.float32] | None = None

    def loss(self, recipe: Recipe) -> Loss:
        """The recipe's loss."""
        return Loss(recipe, self.reviews.labels, self.distillation)

    def data(self, rows: Sequence[Sequence[int]], recipe: Recipe) -> EncodedReviews:
        """The rows, encoded, with the targets that the loss asks for."""
        targets: dict[str, ArrayLike] = {"labels": self.reviews.labels}
        if recipe.stars_weight:
            targets["stars"] = ratings(self.reviews.stars)
        if self.answers is not None:
            targets["teacher"] = self.answers
        if self.weights is not None:
            targets["weight"] = self.weights
        return EncodedReviews(rows, **targets)


def ratings(stars: NDArray[np.float32]) -> NDArray[np.int64]:
    """The place of each among the ratings of 1 to 5, or `UNLABELLED` where it is NaN; below 1 counts as 1."""
    return np.where(np.isnan(stars), UNLABELLED, np.maximum(np.nan_to_num(stars), 1).astype(np.int64) - 1)
