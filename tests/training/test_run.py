"""What a run's record says of its reviews."""

from reviews.review import UNLABELLED, Review, Reviews
from training.run import counts


def test_reviews_are_counted_by_class() -> None:
    """A class without reviews is left out; what only a teacher answers has a name of its own."""
    reviews = Reviews.of(Review("a", label, "") for label in (1, 2, 1, UNLABELLED))
    assert counts(reviews) == {"unlabelled": 1, "positive": 2, "negative": 1}
