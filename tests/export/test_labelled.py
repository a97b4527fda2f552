"""Labelled reviews: which of them count, and whether the model may have seen them."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from contract.fields import Fields
from export.labelled import Source, doubts, read_labelled
from reviews.corpus import read_corpus
from reviews.splits import split_of
from tests.export.running import evaluate, export, told
from tests.review_files import write_lines
from worker.adapters.bundle import read_bundle

Reviews = list[dict[str, Any]]


def test_the_default_part_is_chosen_by_content(
    own_checkpoint: Path, calibration: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of all reviews those of the part `calibration` count; a checkpoint that was split otherwise is warned of."""
    flags = ("--variants", "fp32", "--calibration", calibration)
    assert export(own_checkpoint, tmp_path / "doubtful", *flags) == 0
    message = told(capsys)
    assert "does not say how its data was split" in message
    assert "calibration texts are few" in message
    (own_checkpoint / "training.json").write_text(json.dumps({"split": "hash"}))
    assert export(own_checkpoint, tmp_path / "sound", *flags) == 0
    assert "how its data was split" not in told(capsys)
    record: Any = read_bundle(tmp_path / "sound").manifest.provenance["calibration"]
    assert record["part"] == "calibration"
    assert 20 < record["texts"] < 120
    assert record["texts"] + record["left_out"]["of other parts"] == 1201


def test_a_file_that_trained_is_recognised(data: Path) -> None:
    """By its hash in the training record, where all parts of it are asked for."""
    sha256 = hashlib.sha256(data.read_bytes()).hexdigest()
    training: JsonValue = {"split": "hash", "data": {"files": [{"name": "train.jsonl", "sha256": sha256}]}}
    whole, part = (
        read_labelled(Source([data], name, "--test", "--test-part"), warn=print) for name in ("all", "test")
    )
    (doubt,) = doubts(whole, {"training": training})
    assert "test.jsonl of --test trained this checkpoint or were measured on" in doubt
    assert list(doubts(part, {"training": training})) == [], "its other parts trained, by the hash of each text"


def test_texts_that_trained_are_recognised_in_another_file(data: Path, tmp_path: Path) -> None:
    """Packed otherwise, with a line more: the record of a training or a calibration has a sample of its texts."""
    learnt = json.loads(json.dumps(read_corpus([data]).data_sheet()))
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(data.read_bytes() + b'{"text": "one more", "rating": 3}\n'))
    whole = read_labelled(Source([packed], "all", "--test", "--test-part"), warn=print)
    (trained,) = doubts(whole, {"training": {"split": "hash", "data": learnt}})
    assert "of the texts of packed.jsonl.gz of --test trained this checkpoint" in trained
    (calibrated,) = doubts(whole, {"calibration": {"sketch": learnt["sketch"]}})
    assert "the bundle was calibrated on about 100% of the texts of packed.jsonl.gz" in calibrated


def test_of_too_many_the_same_are_chosen_in_any_order(data: Path, reviews: Reviews, tmp_path: Path) -> None:
    """The texts decide, not the order of lines; those to be left out and copies are counted, and gone."""
    turned = write_lines(tmp_path / "turned.jsonl", [*reversed(reviews), *reviews[:5]])
    but = [Fields(review["reviewText"].upper()) for review in reviews[:10]]
    chosen = [
        read_labelled(Source([file], "all", "--data", "--part"), warn=print, but=but, texts_max=50)
        for file in (data, turned)
    ]
    texts = [{fields.text for fields in one.texts()} for one in chosen]
    assert texts[0] == texts[1]
    assert len(texts[0]) == 50
    assert not texts[0] & {review["reviewText"] for review in reviews[:10]}
    assert [one.left_out["copies"] for one in chosen] == [0, 5]
    assert {one.left_out["used otherwise"] for one in chosen} == {10}
    assert {one.left_out["more than are needed"] for one in chosen} == {240}


def test_the_part_is_chosen_by_content_and_doubted(
    bundle: Path, data: Path, reviews: Reviews, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the part `test` each text counts once; of a model that was split otherwise with a warning."""
    twice, answer = tmp_path / "twice.jsonl", tmp_path / "figures.json"
    write_lines(twice, [*reviews, *reviews])
    assert evaluate(bundle, twice, "--part", "test", "--variant", "fp32", "--json", answer) == 0
    said = capsys.readouterr()
    assert "does not say how its data was split" in " ".join(said.err.split())
    count = sum(split_of(review["reviewText"]) == "test" for review in reviews)
    assert f"{count} texts, {count} copies left out" in said.out
    sheet = json.loads(answer.read_text())["data"]
    assert (sheet["part"], sheet["texts"]) == ("test", count)
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest["provenance"]["training"]["split"] = "hash"
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    assert evaluate(bundle, twice, "--part", "test", "--variant", "fp32") == 0
    assert "how its data was split" not in capsys.readouterr().err


def test_texts_that_calibrated_are_recognised(
    bundle: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that the bundle was calibrated on makes its calibration look better than it is."""
    sheet = read_labelled(Source([data], "all", "--data", "--part"), warn=print).sheet()
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest["provenance"]["calibration"] = sheet | {"variants": {"fp32": {}}}
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    assert evaluate(bundle, data, "--part", "all", "--variant", "fp32") == 0
    said = capsys.readouterr()
    assert "was calibrated on test.jsonl" in " ".join(said.err.split())
    assert "fitted on 300 texts at export" in " ".join(said.out.split())
