"""Whether reviews have been learnt already."""

import base64
import gzip
import json
import random
from pathlib import Path

import numpy as np
import pytest

from contract.training_record import DataSheet
from reviews.corpus import Corpus, read_corpus
from reviews.seen import SKETCH_TEXTS, seen_in, share_in, sketch_of
from tests.review_files import review, write_lines

_RANDOMLY = random.Random(8)
LEARNT = [review((5, 3, 1)[number % 3], _RANDOMLY) for number in range(3000)]
OTHERS = [review((5, 3, 1)[number % 3], _RANDOMLY) for number in range(600)]


@pytest.fixture(scope="module")
def sheet(tmp_path_factory: pytest.TempPathFactory) -> DataSheet:
    """The data sheet of `LEARNT`, as a checkpoint's record has it."""
    file = write_lines(tmp_path_factory.mktemp("learnt") / "learnt.jsonl", LEARNT)
    return DataSheet.of(json.loads(json.dumps(read_corpus([file]).data_sheet())))


def _seen(sheet: DataSheet, corpus: Corpus) -> str:
    return seen_in([sheet], corpus.files, corpus.reviews.keys)


def test_learnt_texts_are_recognised_in_another_file(sheet: DataSheet, tmp_path: Path) -> None:
    """Compressed, in another order, with a line more, in capitals, some of them alone: their texts tell."""
    lines = "".join(json.dumps(line) + "\n" for line in LEARNT).encode()
    (tmp_path / "packed.jsonl.gz").write_bytes(gzip.compress(lines))
    loud = [line | {"reviewText": line["reviewText"].upper() + "!"} for line in LEARNT]
    for file in (
        tmp_path / "packed.jsonl.gz",
        write_lines(tmp_path / "turned.jsonl", [*reversed(LEARNT), OTHERS[0]]),
        write_lines(tmp_path / "loud.jsonl", loud),
        write_lines(tmp_path / "some.jsonl", LEARNT[::10]),
    ):
        assert _seen(sheet, read_corpus([file])) == f"about 100% of the texts of {file.name}"


def test_the_share_is_estimated(sheet: DataSheet, tmp_path: Path) -> None:
    """Of a mixture it is told how much was learnt, within what a sample of a thousand texts can tell."""
    mixed = read_corpus([write_lines(tmp_path / "mixed.jsonl", [*LEARNT[:600], *OTHERS])])
    assert share_in(mixed.reviews.keys, sheet.sketch) == pytest.approx(0.5, abs=0.1)


def test_other_reviews_are_not_taken_for_learnt_ones(sheet: DataSheet, tmp_path: Path) -> None:
    """Even if a few short texts are the same in both, as "Great!" is in any two sets."""
    corpus = read_corpus([write_lines(tmp_path / "others.jsonl", [*OTHERS, *LEARNT[:20]])])
    assert _seen(sheet, corpus) == ""


def test_a_record_without_a_sketch_knows_files_by_their_bytes(tmp_path: Path) -> None:
    """Older versions wrote none, and one that is damaged is none."""
    corpus = read_corpus([write_lines(tmp_path / "learnt.jsonl", LEARNT[:30])])
    assert _seen(DataSheet(files=tuple(corpus.files)), corpus) == "learnt.jsonl"
    assert _seen(DataSheet(), corpus) == ""
    cut = base64.b64encode(b"seven b").decode()
    assert _seen(DataSheet.of({"sketch": cut}), corpus) == ""
    assert seen_in([], corpus.files, corpus.reviews.keys) == ""


def test_a_sketch_is_small_and_of_the_texts_alone() -> None:
    """At most 8 bytes of each of 1,024 texts, and copies change nothing."""
    keys = np.arange(5000, dtype=np.uint64)
    assert len(base64.b64decode(sketch_of(keys))) == 8 * SKETCH_TEXTS
    assert sketch_of(np.repeat(keys[::-1], 2)) == sketch_of(keys)
