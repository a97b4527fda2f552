"""What other programs read of a training run."""

import json
from pathlib import Path

import pytest

from contract.training_record import DataSheet, TrainingRecord


def sheet(*digests: str) -> dict[str, object]:
    return {"files": [{"name": f"{digest}.jsonl", "sha256": digest, "reviews": 3} for digest in digests]}


def test_every_file_of_reviews_is_known(tmp_path: Path) -> None:
    """Those that trained, validated or were answered by a teacher; a teacher's weights are no reviews."""
    record = {
        "split": "hash",
        "data": sheet("a", "b"),
        "validation_data": sheet("c"),
        "distillation": {"teachers": [{"name": "t", "sha256": "weights"}], "unlabelled": sheet("d")},
        "settings": {"epochs": 2.0, "leave_out": "1/3"},
    }
    (tmp_path / "training.json").write_text(json.dumps(record))
    read = TrainingRecord.read(tmp_path)
    assert read.split == "hash"
    assert [digest for sheet in read.sheets() for digest in sorted(sheet.digests())] == ["a", "b", "c", "d"]
    assert read.settings.leave_out == "1/3"
    assert read.settings.given() == {"epochs": 2.0, "leave_out": "1/3"}, "settings that nobody asks for are kept"


@pytest.mark.parametrize("written", [None, "", "{", "[]", '{"data": 3}', '{"split": null}', "{}"])
def test_a_record_that_says_nothing_is_empty(written: str | None, tmp_path: Path) -> None:
    """Older versions wrote less, and people edit files: then nothing is known, which is said where it matters."""
    if written is not None:
        (tmp_path / "training.json").write_text(written)
    assert TrainingRecord.read(tmp_path) == TrainingRecord()
    assert TrainingRecord.of(None).sheets() == [DataSheet()]
    assert DataSheet.of("none").digests() == set()
