"""Token ids on disk are those that the encoder gave, made once for the same reviews and the same encoder."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviews.corpus import read_corpus
from reviews.review import Review, Reviews
from tests.review_files import write_lines
from training.tokens import tokenise


def letters(reviews: Sequence[Review]) -> list[list[int]]:
    return [[ord(sign) for sign in review.text] for review in reviews]


def never(reviews: Sequence[Review]) -> list[list[int]]:
    raise AssertionError("made again")


@given(st.lists(st.text(max_size=9)), st.slices(20))
def test_rows_are_what_the_encoder_gave(texts: list[str], part: slice) -> None:
    """In order, each with its length, also in slices; empty rows and no rows too."""
    reviews = [Review(text, 0, "") for text in texts]
    rows = tokenise(reviews, letters)
    assert list(rows) == letters(reviews)
    assert rows.lengths.tolist() == [len(text) for text in texts]
    assert list(rows[part]) == letters(reviews)[part]
    assert rows[part].lengths.tolist() == [len(text) for text in texts][part]


def test_rows_are_made_once(tmp_path: Path) -> None:
    """Same reviews and same key: read from the cache. Others: made again. Reviews from memory: always made."""
    lines = [{"text": f"text {number}", "rating": 5} for number in range(9)]
    reviews = read_corpus([write_lines(tmp_path / "some.jsonl", lines)]).reviews
    first = tokenise(reviews, letters, "letters")
    assert list(tokenise(reviews, never, "letters")) == list(first) == letters(reviews)
    assert list(tokenise(reviews[2:4], letters, "letters")) == list(first[2:4])
    for others, key in (
        (reviews, "other"),
        (reviews, None),
        (reviews[::-1], "letters"),
        (Reviews.of([*reviews]), "letters"),
    ):
        with pytest.raises(AssertionError, match="made again"):
            tokenise(others, never, key)


def test_an_encoder_that_fails_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    """The next run makes the rows as if there had been none."""
    reviews = read_corpus([write_lines(tmp_path / "some.jsonl", [{"text": "fails", "rating": 5}])]).reviews
    before = {file for file in cache.rglob("*") if file.suffix != ".lock"}
    with pytest.raises(AssertionError):
        tokenise(reviews, never, "fails")
    assert {file for file in cache.rglob("*") if file.suffix != ".lock"} - {cache / "tokens"} <= before
    assert list(tokenise(reviews, letters, "fails")) == letters(reviews)
