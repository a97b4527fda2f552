"""What a run learns from, as its loss asks for it."""

import numpy as np

from reviews.review import UNLABELLED, Review, Reviews
from training.recipe import Recipe
from training.targets import TrainingSet, ratings


def test_ratings_are_places_from_one_star_to_five() -> None:
    """Below one star counts as one, part of a star is dropped, and no stars are no rating."""
    stars = np.array([0, 0.5, 1, 2.9, 3, 5, np.nan], dtype=np.float32)
    assert ratings(stars).tolist() == [0, 0, 0, 1, 2, 4, UNLABELLED]


def test_rows_have_the_targets_that_their_loss_reads() -> None:
    """Labels always; stars where they weigh, a teacher's answers and weights where there are some."""
    reviews = Reviews.of([Review("a", 1, "", 5.0), Review("b", UNLABELLED, "")])
    answers, weights = np.ones((2, 3), dtype=np.float32), np.array([0.5, 1.5], dtype=np.float32)
    bare = TrainingSet(reviews).data([[2, 3], [2, 4, 3]], Recipe(stars_weight=0))[1]
    assert set(bare) == {"input_ids", "labels"}
    whole = TrainingSet(reviews, None, answers, weights).data([[2, 3], [2, 4, 3]], Recipe(stars_weight=0.5))
    assert set(whole[0]) == {"input_ids", "labels", "stars", "teacher", "weight"}
    assert [int(whole[row]["labels"]) for row in (0, 1)] == [1, UNLABELLED]
    assert [int(whole[row]["stars"]) for row in (0, 1)] == [4, UNLABELLED]
    assert float(whole[1]["weight"]) == 1.5
