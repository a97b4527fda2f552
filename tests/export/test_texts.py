"""The texts that parity is measured on."""

import gzip
import json
from pathlib import Path

import pytest

from export.texts import TEXTS_MIN, collect_texts
from worker.core.encoding import Fields
from worker.errors import UsageError

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
    ]
    with gzip.open(tmp_path / "r.json.gz", "wt") as file:
        file.writelines(json.dumps(review) + "\n" for review in reviews)
    texts = collect_texts(GOLDEN, [tmp_path / "r.json.gz"])
    assert texts.private == (Fields("good", "yes"), Fields("fine"), Fields("bad"))
    assert not set(texts.private) & set(texts.shareable)


def test_nothing_to_compose_from_is_wrong_input() -> None:
    """Blank golden texts can't be turned into 500: the message says what to do."""
    with pytest.raises(UsageError, match="--texts"):
        collect_texts([Fields(" ")], [])
