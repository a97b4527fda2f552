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


@pytest.mark.parametrize(
    ("written", "text", "odd"),
    [
        (rb"'Caf\xc3\xa9'", "Caf\u00e9", ["text that Python 2 wrote as bytes, read as UTF-8"]),
        (rb"u'Caf\xe9'", "Caf\u00e9", []),
        (rb"u'\xc3\xa9'", "\u00c3\u00a9", []),
        (rb"'Caf\xe9'", "Caf\u00e9", []),
        ("'\u00c3\u00a9'".encode(), "\u00c3\u00a9", []),
        (rb"'\u2026 \xc3\xa9'", "\u2026 \u00c3\u00a9", []),
        (rb"u'\ud83d\ude00!'", "\U0001f600!", []),
        (rb"'\ud83d\ude00!'", "\U0001f600!", []),
        (rb"'5\/5'", r"5\/5", []),
    ],
)
def test_a_python_literal_is_read_as_python_2_meant_it(written: bytes, text: str, odd: list[str]) -> None:
    """Escapes of a string without `u` are bytes of UTF-8, which is told; only what is no UTF-8 is characters.

    A line with other letters than ASCII was not written by Python 2, and two halves of a pair are one character.
    """
    read, told = read_line(b"{'reviewText': %s, 'overall': 4.0}" % written, "Books")
    assert (read.text, told) == (text, odd)


def test_half_of_a_pair_in_a_python_literal_is_left_out_as_in_json() -> None:
    """The same line in both notations has the same reason."""
    for line in (rb"{'text': '\ud83d', 'overall': 1}", rb'{"text": "\ud83d", "overall": 1}'):
        with pytest.raises(ValueError, match="lone surrogate"):
            read_line(line, "Books")


@pytest.mark.parametrize("stars", [b"0.0", b"0", b"-0.0"])
def test_no_star_at_all_is_odd(stars: bytes) -> None:
    """No shop takes such a review, so 0 may stand for a rating that is missing: it counts as bad, and is told."""
    review, odd = read_line(b'{"text": "fine", "overall": %s}' % stars, "Books")
    assert (LABELS[review.label], review.stars) == ("negative", 0)
    assert odd == ["0 stars, which shops do not give: it may stand for no answer"]


@pytest.mark.parametrize(
    "written", [b'{"text": "a", "overall": 5, "id": %s}', b"{'text': 'a', 'overall': 5, 'id': %s}"]
)
def test_a_number_too_long_to_read_is_a_line_left_out(written: bytes) -> None:
    """Python refuses integers of more than 4,300 digits, in either notation."""
    with pytest.raises(ValueError, match=r"^not JSON$"):
        read_line(written % (b"1" * 5000), "Books")
