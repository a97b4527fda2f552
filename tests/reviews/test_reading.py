"""From a line of a review file to a review."""

import gzip
import json
from pathlib import Path

import pytest

from contract.labels import LABELS
from reviews.corpus import read_corpus
from reviews.reading import read_line
from reviews.review import UNLABELLED
from tests.review_files import write_lines


def test_all_layouts_of_amazon_are_read(tmp_path: Path) -> None:
    """Plain and compressed, of 2014 and 2023, also Python literals; the category falls back to the file's name."""
    plain = write_lines(
        tmp_path / "Books.json",
        [
            {"reviewText": "a", "overall": 5.0, "text": " "},
            {"text": "b", "rating": 3, "category": "Toys"},
            "{'reviewText': 'it\\'s c', 'overall': 1.0}",
        ],
    )
    packed = tmp_path / "Garden.jsonl.gz"
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbf" + json.dumps({"reviewText": "d", "overall": 2}).encode()))

    corpus = read_corpus([plain, packed])

    assert [(item.text, LABELS[item.label], item.category, item.stars) for item in corpus.reviews] == [
        ("a", "positive", "Books", 5),
        ("b", "neutral", "Toys", 3),
        ("it's c", "negative", "Books", 1),
        ("d", "negative", "Garden", 2),
    ]
    assert [(file.name, file.reviews) for file in corpus.files] == [
        ("Books.json", 3),
        ("Garden.jsonl.gz", 1),
    ]


@pytest.mark.parametrize("stars", ["", ', "overall": 5', ', "overall": "many"', ', "overall": 99'])
def test_where_none_are_needed_stars_are_not_looked_at(stars: str) -> None:
    """A text for a teacher alone: whatever stars it has, it is unlabelled, and nothing is odd about it."""
    review, odd = read_line(f'{{"text": "fine", "title": "so so"{stars}}}'.encode(), "Books", starred=False)
    assert (review.text, review.title, review.category) == ("fine", "so so", "Books")
    assert (review.label, review.stars, odd) == (UNLABELLED, None, [])


def test_an_odd_line_is_used_and_says_what_is_odd() -> None:
    """The lower class counts between whole stars; a title that is no text is passed over for the next name."""
    line = b'{"text": "fine", "rating": 3.5, "title": 7, "summary": "so so", "category": ["x"]}'
    review, odd = read_line(line, "Books")
    assert (LABELS[review.label], review.stars, review.title, review.category) == (
        "neutral",
        3.5,
        "so so",
        "Books",
    )
    assert sorted(odd) == ["a category that is no text", "a title that is no text", "stars between whole numbers"]


def test_what_can_not_be_used_says_why_in_few_words() -> None:
    """Reasons are counted, so they name no value of the line."""
    for line in (b'{"text": "a", "rating": 6}', b'{"text": "b", "rating": -3}'):
        with pytest.raises(ValueError, match=r"^stars outside 0\.\.5$"):
            read_line(line, "Books")
