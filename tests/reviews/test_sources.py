"""What the data sheet says of each source."""

from reviews.review import Review, Reviews
from reviews.sources import by_source

LONG = "this is a long review of a phone that was sold to me as new and broke within {} days of its arrival"


def test_a_source_is_described() -> None:
    """Reviews, stars, mean words, copies within it, and near duplicates of another source."""
    reviews = Reviews.of(
        [
            Review("good phone", 1, "", 5.0, source="shop"),
            Review("Good, phone!", 1, "", 4.0, source="shop"),
            Review(LONG.format("ten"), 2, "", 1.0, source="shop"),
            Review("bad", 2, "", 1.0, source="crawl"),
            Review(LONG.format("ten").replace("arrival", "coming"), 2, "", 1.0, source="crawl"),
        ]
    )
    assert by_source(reviews) == {
        "crawl": {"reviews": 2, "stars": {"1": 2}, "words_mean": 12.0, "copies": 0, "near_elsewhere": 1},
        "shop": {
            "reviews": 3, "stars": {"1": 1, "4": 1, "5": 1}, "words_mean": 9.0, "copies": 1, "near_elsewhere": 1,
        },
    }  # fmt: skip


def test_reviews_without_stars_have_none() -> None:
    """Texts for a teacher alone are counted all the same; no reviews have no source."""
    assert by_source(Reviews.of([Review("a", -1, "", source="more")]))["more"]["stars"] == {}
    assert by_source(Reviews.of([])) == {}
