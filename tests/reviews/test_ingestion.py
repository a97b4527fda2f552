"""Reading to Arrow: once for the same files, whole or not at all, with an account of everything odd."""

import json
from pathlib import Path

import pytest

from contract.errors import InputError
from reviews import ingestion
from reviews.corpus import Corpus, read_corpus
from tests.review_files import write_lines

GOOD: dict[str, object] = {"reviewText": "good", "overall": 5}


def lines_with(*more: object) -> list[object]:
    return [*({"text": f"text {number}", "rating": 1 + number % 5} for number in range(20)), *more]


def told(corpus: Corpus) -> dict[str, str]:
    return {what: place.rsplit("/", 1)[-1] for what, place in corpus.first_place.items()}


def test_the_second_reading_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives the same reviews, groups and account without parsing a line; places are those of today's files."""
    file = write_lines(tmp_path / "some.jsonl", lines_with("{", {"text": "TEXT 1", "rating": 2.5}))
    first = read_corpus([file])
    (tmp_path / "moved").mkdir()
    moved = file.rename(tmp_path / "moved" / "some.jsonl")
    monkeypatch.setattr(ingestion, "read_line", lambda *_: pytest.fail("parsed again"))

    second = read_corpus([moved])

    assert list(second.reviews) == list(first.reviews)
    assert second.reviews.groups.tolist() == first.reviews.groups.tolist()
    assert second.reviews.fingerprint == first.reviews.fingerprint
    assert (second.rejected, second.odd, second.files) == (first.rejected, first.odd, first.files)
    assert second.first_place["not JSON"] == f"{moved}:21"


def test_another_content_name_or_order_is_another_fingerprint(tmp_path: Path) -> None:
    """A changed byte is seen, and so is what a category or a row's place depends on."""
    one, two = write_lines(tmp_path / "a.jsonl", [GOOD]), write_lines(tmp_path / "b.jsonl", [GOOD])
    marks = [read_corpus(files).reviews.fingerprint for files in ([one], [two], [one, two], [two, one])]
    write_lines(one, [GOOD | {"overall": 4}])
    marks.append(read_corpus([one]).reviews.fingerprint)
    reviews = read_corpus([one, two]).reviews
    marks += [reviews[:1].fingerprint, reviews[1:].fingerprint]
    assert len(set(marks)) == len(marks)
    assert None not in marks


@pytest.mark.parametrize("what", ["read_line", "near_groups"])
def test_an_interrupted_reading_leaves_nothing(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    """Ctrl-C in either pass: no half cache, and the next reading is whole."""
    file = write_lines(tmp_path / f"{what}.jsonl", lines_with())
    before = {folder for folder in cache.rglob("*") if folder.is_dir()}

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ingestion, what, interrupt)
        with pytest.raises(KeyboardInterrupt):
            read_corpus([file])
    assert {folder for folder in cache.rglob("*") if folder.is_dir()} - {cache / "reviews"} == before - {
        cache / "reviews"
    }
    assert len(read_corpus([file]).reviews) == 20


def test_titles_are_chosen_as_the_worker_does(tmp_path: Path) -> None:
    """The first of `title` and `summary` that is a string and not blank; how many there are is counted."""
    records: list[dict[str, object]] = [
        {"title": "new", "summary": "old"},
        {"title": " \u200b", "summary": "old"},
        {"title": 7, "summary": "old"},
        {"summary": ["old"]},
        {"title": None},
        {},
    ]
    corpus = read_corpus([write_lines(tmp_path / "some.jsonl", [GOOD | record for record in records])])
    assert [review.title for review in corpus.reviews] == ["new", "old", "old", None, None, None]
    assert corpus.data_sheet()["with_title"] == 3
    assert corpus.data_sheet()["star_titles"] == 0


def test_titles_that_count_stars_are_counted(tmp_path: Path) -> None:
    """A default of the shop's form, which would tell the label."""
    titles = ("Five Stars", "Great", "4/5", None)
    corpus = read_corpus([write_lines(tmp_path / "some.jsonl", [GOOD | {"summary": title} for title in titles])])
    assert corpus.data_sheet()["star_titles"] == 2


def test_what_is_odd_is_used_and_told(tmp_path: Path) -> None:
    """Odd stars, titles and categories are counted, with the first place of each; the line is not left out."""
    odd = [
        GOOD | {"overall": 2.5},
        GOOD | {"overall": 3.5},
        GOOD | {"title": {"text": "x"}},
        json.dumps(GOOD | {"title": "x"}).replace('"x"', '"\\ud800"'),
        GOOD | {"category": ["Toys"]},
        GOOD | {"source": {"shop": 1}},
    ]
    corpus = read_corpus([write_lines(tmp_path / "some.jsonl", [GOOD, *odd])])
    assert len(corpus.reviews) == 7
    assert corpus.odd == {
        "stars between whole numbers": 2, "a title that is no text": 1, "a lone surrogate in the title": 1,
        "a category that is no text": 1, "a source that is no text": 1,
    }  # fmt: skip
    assert told(corpus) == {
        "stars between whole numbers": "some.jsonl:2", "a title that is no text": "some.jsonl:4",
        "a lone surrogate in the title": "some.jsonl:5", "a category that is no text": "some.jsonl:6",
        "a source that is no text": "some.jsonl:7",
    }  # fmt: skip
    assert corpus.remarks()[0].startswith("2 lines with stars between whole numbers, first ")
    assert {review.category for review in corpus.reviews} == {"some"}


def test_a_review_knows_its_source(tmp_path: Path) -> None:
    """The record's `source`, or else the file's name up to the first point; unlabelled reviews know it too."""
    records = [GOOD, GOOD | {"source": "crawl"}, GOOD | {"source": ""}]
    file = write_lines(tmp_path / "shop.part.jsonl", records)
    for starred in (True, False):
        corpus = read_corpus([file], starred=starred)
        assert [review.source for review in corpus.reviews] == ["shop", "crawl", "shop"]
    assert list(corpus.data_sheet()["by_source"]) == ["crawl", "shop"]


def test_categories_are_chosen_by_name(tmp_path: Path) -> None:
    """Of the record, or else of the file; the sheet says what was asked for, and files keep their numbers."""
    files = [
        write_lines(tmp_path / "Books.jsonl", [GOOD, GOOD | {"category": "Toys", "text": "a toy"}]),
        write_lines(tmp_path / "Toys_5.jsonl", [GOOD | {"category": "Toys"}, GOOD]),
    ]
    corpus = read_corpus(files, categories=["Toys", "Toys_5"])
    assert [(review.category, review.text) for review in corpus.reviews] == [
        ("Toys", "a toy"), ("Toys", "good"), ("Toys_5", "good"),
    ]  # fmt: skip
    sheet = corpus.data_sheet()
    assert sheet["by_category"] == {"Toys": 2, "Toys_5": 1}
    assert sheet["categories"] == ["Toys", "Toys_5"]
    assert [(file["name"], file["reviews"]) for file in sheet["files"]] == [
        ("Books.jsonl", 2),
        ("Toys_5.jsonl", 2),
    ]


def test_an_unknown_category_is_an_error_that_lists_the_known(tmp_path: Path) -> None:
    """With how many reviews each has."""
    file = write_lines(tmp_path / "Books.jsonl", [GOOD, GOOD, GOOD | {"category": "Toys"}])
    with pytest.raises(InputError, match=r"category toys in .*Books.jsonl: there are Books \(2\), Toys \(1\)"):
        read_corpus([file], categories=["Books", "toys"])


def test_more_than_a_batch_is_read_in_order(tmp_path: Path) -> None:
    """Batches are written one after the other; every file's reviews are counted."""
    lines = [{"text": f"text {number}", "rating": 3} for number in range(4500)]
    files = [write_lines(tmp_path / "a.jsonl", lines), write_lines(tmp_path / "b.jsonl", lines[:10])]
    corpus = read_corpus(files)
    assert [review.text for review in corpus.reviews] == [line["text"] for line in [*lines, *lines[:10]]]
    assert [file.reviews for file in corpus.files] == [4500, 10]
