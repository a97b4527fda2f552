"""A student and its teacher, as a user sees them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from reviews.review import Review
from tests.review_files import RECIPE, write_lines
from training import distill as distilling
from training.__main__ import main
from training.distill import mean_answers, teacher_answers
from training.model import load_checkpoint

Files = tuple[Path, Path]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVIEW_SENTIMENT_CACHE", str(tmp_path / "cache"))


def _arguments(reviews: Files, teacher: Path, student: Path, output: Path) -> list[str]:
    data = ["--data", str(reviews[0]), "--validation", str(reviews[1])]
    return [
        "distill",
        "--teacher",
        str(teacher),
        "--student",
        str(student),
        "--output",
        str(output),
        *data,
        *RECIPE,
    ]


def test_a_student_learns_from_its_teacher(
    reviews: Files, checkpoint: Path, base_model: Path, tmp_path: Path
) -> None:
    """The student is a checkpoint like any other; its record names the teacher and counts what was learnt from."""
    output = tmp_path / "student"
    more = write_lines(tmp_path / "more.jsonl", [{"reviewText": "the phone is great great"}])
    arguments = [*_arguments(reviews, checkpoint, base_model, output), "--fragments", "2"]
    assert main([*arguments, "--unlabelled", str(more)]) == 0

    record = json.loads((output / "training.json").read_text())
    assert [teacher["name"] for teacher in record["distillation"]["teachers"]] == ["checkpoint"]
    assert record["distillation"]["teachers"][0]["sha256"]
    assert record["parts"]["training"]["positive"] == 50
    made = record["distillation"]["fragments_made"]
    assert record["parts"]["training"]["unlabelled"] == made + 1
    assert made > 100
    assert json.loads((output / "metrics.json").read_text())["macro_f1"] > 0.8
    assert main(["evaluate", "--checkpoint", str(output), "--data", str(reviews[1]), "--no-baselines"]) == 0


def test_teachers_answers_are_computed_once(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are those of the checkpoint, and come from the cache the second time; other texts are other answers.

    Without a cache they are had all the same.
    """
    reviews = [Review(text, 1, "") for text in ("great phone", "awful case", "it is okay")]
    first = teacher_answers(checkpoint, reviews, bf16=False)
    tokenizer, model, _ = load_checkpoint(checkpoint)
    direct = model(**tokenizer("awful case", return_tensors="pt")).logits.detach().numpy()
    assert np.allclose(first[1], direct[0], atol=1e-5)

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("asked again")

    with monkeypatch.context() as patched:
        patched.setattr(distilling, "answer", fail)
        assert (teacher_answers(checkpoint, reviews, bf16=False) == first).all()
    assert not np.allclose(teacher_answers(checkpoint, reviews[::-1], bf16=False), first)
    monkeypatch.setenv("REVIEW_SENTIMENT_CACHE", "/dev/null")  # nothing can be kept there
    assert (teacher_answers(checkpoint, reviews, bf16=False) == first).all()


def test_the_mean_of_several_teachers_teaches() -> None:
    """It is of the probabilities: one that is sure does not outvote the others by the size of its logits."""
    sure, unsure = np.array([[90.0, 0, 0]], dtype=np.float32), np.array([[0.0, 5, 0]], dtype=np.float32)
    mean = (softmax(sure, axis=1) + softmax(unsure, axis=1)) / 2
    assert np.allclose(softmax(mean_answers([sure, unsure]), axis=1), mean, atol=1e-6)
    assert (mean_answers([sure]) == sure).all()


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--teacher", "absent"], "absent is not a checkpoint"),
        (["--soft-share", "0"], "--soft-share must be above 0"),
        (["--temperature", "0"], "--temperature must be above 0"),
        (["--fragments", "-1"], "--fragments must be 0 or more"),
    ],
)
def test_wrong_input_is_told(
    extra: list[str], message: str, reviews: Files, checkpoint: Path, base_model: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """What the user can fix ends with code 2 and says what."""
    assert main([*_arguments(reviews, checkpoint, base_model, tmp_path / "student"), *extra]) == 2
    assert message in capsys.readouterr().err
