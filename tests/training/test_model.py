"""What is loaded as a base model or a checkpoint, and what is refused."""

import json
import shutil
from pathlib import Path

import pytest
from transformers import AutoModelForSequenceClassification

from tests.review_files import fit_arguments
from tests.training.runs import evaluate
from training.__main__ import main
from training.model import load_base

Files = tuple[Path, Path]


def without_tokenizer(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    for file in target.glob("*tokenizer*"):
        file.unlink()
    (target / "vocab.txt").unlink(missing_ok=True)
    return target


def test_a_checkpoint_is_a_base_model_too(checkpoint: Path) -> None:
    """Fine-tuning can go on from a checkpoint: its head is kept, since its classes are the same."""
    _, model = load_base(str(checkpoint), 32)
    kept = AutoModelForSequenceClassification.from_pretrained(checkpoint).classifier.weight
    assert model.classifier.weight.equal(kept)


def test_a_folder_that_is_no_checkpoint_is_not_measured(
    base_model: Path, reviews: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    """A base model has no encoding and no head: its figures would be those of random numbers."""
    assert main(["evaluate", "--checkpoint", str(base_model), "--data", str(reviews[1])]) == 2
    assert "is not a checkpoint that `python -m training fit` wrote" in capsys.readouterr().err


def test_a_folder_without_a_tokenizer_is_none(
    reviews: Files, base_model: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither a base model nor a checkpoint: a made-up tokenizer would read every word as unknown."""
    base = without_tokenizer(base_model, tmp_path / "base")
    assert main(fit_arguments(reviews, base, tmp_path / "checkpoint")) == 2
    assert evaluate(without_tokenizer(checkpoint, tmp_path / "copy"), reviews) == 2
    assert capsys.readouterr().err.count("has no tokenizer") == 2


def test_classes_in_another_order_are_not_measured(
    reviews: Files, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A head that says `negative` first answers other questions than ours."""
    copy = shutil.copytree(checkpoint, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    config["id2label"] = {"0": "negative", "1": "neutral", "2": "positive"}
    (copy / "config.json").write_text(json.dumps(config))
    assert evaluate(copy, reviews) == 2
    assert "classes are {0: 'neutral'" in capsys.readouterr().err


@pytest.mark.parametrize("tokens_max", [-5, 2, 65])
def test_a_changed_encoding_is_told(
    tokens_max: int, reviews: Files, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """More tokens than the model has positions, or none at all."""
    copy = shutil.copytree(checkpoint, tmp_path / "copy")
    encoding = json.loads((copy / "encoding.json").read_text())
    (copy / "encoding.json").write_text(json.dumps({**encoding, "tokens_max": tokens_max}))
    assert evaluate(copy, reviews) == 2
    assert f"asks for {tokens_max} tokens" in capsys.readouterr().err
