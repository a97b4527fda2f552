"""Reviews in Arrow are the sequence that a list of them would be."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.fields import gives_stars_away
from contract.labels import LABELS
from reviews.review import Review, Reviews, key_of, text_key
from reviews.splits import SPLITS, split_of

some_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
some_title = some_text.filter(lambda title: not gives_stars_away(title)) | st.just("5 stars")
some_reviews = st.lists(
    st.builds(
        Review, some_text, st.sampled_from(range(len(LABELS))), st.sampled_from(["Books", "Toys", "Ä"]),
        st.none() | st.floats(0, 5), st.none() | some_title,
        st.sampled_from(["crawl", "shop"]),
    ),
    max_size=30,
)  # fmt: skip


@given(some_reviews, st.slices(30), st.data())
def test_they_are_a_sequence(items: list[Review], part: slice, data: st.DataObject) -> None:
    """Length, order, single ones, slices and selections are those of the list; nothing of a review is lost."""
    reviews = Reviews.of(items)
    assert len(reviews) == len(items)
    assert list(reviews) == items
    assert [reviews[place] for place in range(-len(items), len(items))] == items + items
    assert list(reviews[part]) == items[part]
    assert list(reviews.texts()) == [item.text for item in items]
    places = data.draw(st.lists(st.sampled_from(range(len(items))), max_size=50)) if items else []
    chosen = reviews.select(places)
    assert list(chosen) == [items[place] for place in places]
    assert list(chosen[part]) == [items[place] for place in places][part]
    assert list(chosen.joined(reviews)) == [items[place] for place in places] + items
    with pytest.raises(IndexError):
        reviews[len(items)]


@given(some_reviews, st.slices(30))
def test_arrays_describe_the_selection(items: list[Review], part: slice) -> None:
    """Labels, stars, keys, parts, titles and categories stand in the order of the sequence."""
    reviews, items = Reviews.of(items)[part], items[part]
    assert reviews.labels.dtype == np.int8
    assert reviews.labels.tolist() == [item.label for item in items]
    stars = [np.nan if item.stars is None else item.stars for item in items]
    np.testing.assert_array_equal(reviews.stars, np.array(stars, dtype=np.float32))
    assert reviews.keys.dtype == np.uint64
    assert reviews.keys.tolist() == [key_of(item.text) for item in items]
    assert [SPLITS[split] for split in reviews.splits] == [split_of(item.text) for item in items]
    assert reviews.titled.tolist() == [item.title is not None for item in items]
    assert reviews.star_titled.tolist() == [item.title == "5 stars" for item in items]
    for (ids, names), own in (
        (reviews.categories, [item.category for item in items]),
        (reviews.sources, [item.source for item in items]),
    ):
        assert [names[place] for place in ids] == own
        assert names == sorted(set(own))
    assert reviews.words.tolist() == [len(item.text.split()) for item in items]
    assert len(reviews.groups) == len(items)


@given(some_text, some_text)
def test_keys_are_equal_for_copies_only(one: str, other: str) -> None:
    """The hash is equal where the key of the text is."""
    assert (key_of(one) == key_of(other)) == (text_key(one) == text_key(other))


def test_a_mask_selects_too() -> None:
    """Where it is true, in order."""
    reviews = Reviews.of(Review(f"text {number}", 0, "") for number in range(5))
    assert [review.text for review in reviews.select(reviews.keys == reviews.keys[3])] == ["text 3"]


def test_many_are_read_in_batches() -> None:
    """The order holds beyond a batch, also of a selection that goes back and forth."""
    reviews = Reviews.of(Review(f"text {number}", number % 3, "") for number in range(5000))
    order = np.random.default_rng(0).permutation(5000)
    assert [review.text for review in reviews.select(order)] == [f"text {number}" for number in order]


def test_they_can_be_sent_to_another_process() -> None:
    """As data loaders do it."""
    reviews = Reviews.of([Review("one", 1, "x", 5.0, "title"), Review("two", 2, "y")])
    assert list(pickle.loads(pickle.dumps(reviews[1:]))) == list(reviews[1:])  # noqa: S301 - our own
