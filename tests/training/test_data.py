"""Reading reviews: labels, rejected lines, and a split that leaks nothing."""

import gzip
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data import LABELS, Review, read_corpus, split, star_label, text_key
from training.errors import TrainingError


@pytest.mark.parametrize(
    ("stars", "name"),
    [(0, "negative"), (1, "negative"), (2, "negative"), (3, "neutral"), (4, "positive"), (5.0, "positive")],
)
def test_stars_become_classes(stars: float, name: str) -> None:
    """4-5 positive, 3 neutral, 0-2 negative; class ids are 0 neutral, 1 positive, 2 negative."""
    assert star_label(stars) == {"neutral": 0, "positive": 1, "negative": 2}[name]
    assert LABELS[star_label(stars)] == name


@pytest.mark.parametrize("stars", [-1, 5.1, float("nan")])
def test_other_stars_are_refused(stars: float) -> None:
    """A rating outside 0..5 is nobody's class."""
    with pytest.raises(ValueError, match="outside"):
        star_label(stars)


def test_files_of_every_shape_are_read(tmp_path: Path) -> None:
    """JSON lines of 2014 and 2023, gzipped or not, and the Python literals of the first publication."""
    (tmp_path / "Toys.json").write_text('{"reviewText":"a","overall":5.0}\n\n')
    with gzip.open(tmp_path / "Books.jsonl.gz", "wt") as file:
        file.write('{"text":"b","rating":3,"category":"Novels"}\n')
    (tmp_path / "Old.json").write_text("{'reviewText': 'it\\'s c', 'overall': 1.0}\n")

    corpus = read_corpus([tmp_path / "Toys.json", tmp_path / "Books.jsonl.gz", tmp_path / "Old.json"])

    assert corpus.reviews == [Review("a", 1, "Toys"), Review("b", 0, "Novels"), Review("it's c", 2, "Old")]


def test_bad_lines_are_counted_with_the_first_place_of_each_reason(tmp_path: Path) -> None:
    """Nothing is dropped in silence: each reason has its count, its file and its line."""
    lines = [
        '{"reviewText":"a","overall":5}',
        "nonsense",
        "[1]",
        '{"overall":5}',
        '{"reviewText":" ","overall":5}',
        '{"reviewText":"a"}',
        '{"reviewText":"a","overall":true}',
        '{"reviewText":"a","overall":9}',
    ]
    file = tmp_path / "mixed.json"
    file.write_text("\n".join(lines))

    corpus = read_corpus([file])

    assert len(corpus.reviews) == 1
    assert corpus.rejected == Counter(
        {"not JSON": 1, "not an object": 1, "no text": 2, "no stars": 2, "stars outside 0..5": 1}
    )
    assert corpus.first_place["no text"] == f"{file}:4"


@pytest.mark.parametrize("content", [None, b"", b"nonsense\n", b"\x1f\x8bbroken"])
def test_files_of_no_use_are_a_clear_error(tmp_path: Path, content: bytes | None) -> None:
    """Missing, empty, unusable or broken: the error names the file."""
    file = tmp_path / ("reviews.json.gz" if content == b"\x1f\x8bbroken" else "reviews.json")
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(TrainingError, match="reviews"):
        read_corpus([file])


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2)), min_size=60, max_size=200))
def test_the_split_keeps_copies_together_and_shares_alike(items: list[tuple[int, int]]) -> None:
    """No text stands on both sides, whatever its case and punctuation, and each class is on both."""
    reviews = [
        Review(f"{'Text' if n % 2 else 'tExt!'} {text} {label}", label, "c")
        for n, (text, label) in enumerate(items)
    ]
    reviews += [Review(f"more {n} {label}", label, "c") for n in range(10) for label in range(3)]

    training, validation = split(reviews)

    assert Counter(training + validation) == Counter(reviews)
    assert not {text_key(r.text) for r in training} & {text_key(r.text) for r in validation}
    assert {r.label for r in training} == {r.label for r in validation} == {0, 1, 2}
    assert split(reviews) == (training, validation), "the same seed splits alike"


def test_a_class_that_is_missing_is_a_clear_error() -> None:
    """Two texts of each class are the least; the message names the class."""
    reviews = [Review(f"{n}", n % 2, "c") for n in range(10)]

    with pytest.raises(TrainingError, match="negative"):
        split(reviews)
