"""The texts that parity is measured on."""

import gzip
import json
from pathlib import Path

import pytest

from contract.errors import UsageError
from contract.fields import Fields
from export.gates.texts import FILE_TEXTS_MAX, TEXTS_MIN, collect_texts
from tests.export.running import export, told
from tests.review_files import write_lines

GOLDEN = [Fields(f"a review with {word} in it and some more words to cut") for word in ("joy", "rage", "doubt")]


def test_there_are_always_enough_and_always_the_same() -> None:
    """Few golden pairs give at least 500 different texts, the same in every run, short and very long ones."""
    texts = collect_texts(GOLDEN, []).all
    assert len(set(texts)) == len(texts) >= TEXTS_MIN
    assert texts == collect_texts(GOLDEN, []).all
    lengths = [len(fields.text) for fields in texts]
    assert min(lengths) <= 5
    assert max(lengths) > 400


def test_reviews_are_read_as_the_worker_reads_them(tmp_path: Path) -> None:
    """Fields reviewText or text, title or summary, gzip or not; blank texts and lone surrogates are left out."""
    reviews = [
        {"reviewText": "good", "summary": "yes"},
        {"text": "", "reviewText": "fine"},
        {"text": "  "},
        {"text": "\ud800"},
        {"text": "bad", "title": 7},
        {"text": "\u200b\x07", "body": "fair", "title": " ", "summary": "so so"},
    ]
    with gzip.open(tmp_path / "r.json.gz", "wt") as file:
        file.writelines(json.dumps(review) + "\n" for review in reviews)
    texts = collect_texts(GOLDEN, [tmp_path / "r.json.gz"])
    assert texts.private == (Fields("good", "yes"), Fields("fine"), Fields("bad"), Fields("fair", "so so"))
    assert not set(texts.private) & set(texts.shareable)


def test_held_out_texts_come_in_the_place_of_composed_ones() -> None:
    """They are private, each once, and as many texts fewer are made up."""
    held_out = [Fields(f"held out {number}") for number in range(300)]
    texts = collect_texts(GOLDEN, [], [*held_out, held_out[0]])
    assert texts.private == tuple(held_out)
    assert len(texts.shareable) == len(collect_texts(GOLDEN, []).shareable) - 300


def test_composed_texts_have_titles_where_golden_ones_do() -> None:
    """Each golden title in turn, none too; without titles the texts are the same, and have none."""
    titled = [fields._replace(title=title) for fields, title in zip(GOLDEN, ("joy", None, "rage"), strict=True)]
    with_titles, without = collect_texts(titled, []).shareable, collect_texts(GOLDEN, []).shareable
    assert [fields.text for fields in with_titles] == [fields.text for fields in without]
    assert {fields.title for fields in with_titles[-100:]} == {"joy", None, "rage"}
    assert {fields.title for fields in without} == {None}


def test_nothing_to_compose_from_is_wrong_input() -> None:
    """Blank golden texts can't be turned into 500: the message says what to do."""
    with pytest.raises(UsageError, match="--texts"):
        collect_texts([Fields(" ")], [])


def test_the_first_texts_of_each_file_count(tmp_path: Path) -> None:
    """A share of each, so that a long first file leaves room for the others."""
    files = [tmp_path / "long.jsonl", tmp_path / "short.jsonl"]
    for file, count in zip(files, (700, 3), strict=True):
        write_lines(file, [{"text": f"{file.stem} {number}"} for number in range(count)])
    texts = [fields.text for fields in collect_texts(GOLDEN, files).private]
    assert texts == [f"long {number}" for number in range(FILE_TEXTS_MAX // 2)] + [
        f"short {number}" for number in range(3)
    ]


@pytest.mark.parametrize("content", ["not json\n", "[1]\n", '{"overall": 5}\n'])
def test_unreadable_texts_are_wrong_input(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    """--texts takes JSON lines with a text; anything else is named, file and all."""
    (tmp_path / "r.json").write_text(content)
    assert export(checkpoint, tmp_path / "b", "--texts", str(tmp_path / "r.json")) == 2
    message = told(capsys)
    assert "--texts: nothing usable in" in message
    assert "overall" not in message, "stars are not looked at"
