"""A student and its teacher, as a user sees them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from reviews.corpus import read_corpus
from reviews.review import Review, Reviews
from tests.review_files import RECIPE, fit_arguments, write_lines
from training import distill as distilling
from training.__main__ import main
from training.distill import mean_answers, teacher_answers, unlabelled_reviews
from training.folds import Fold
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
    answers = np.array([[[90.0, 0, 0]], [[0.0, 5, 0]]], dtype=np.float32)
    sure, unsure = softmax(answers, axis=-1)
    who = np.ones((1, 2), dtype=np.bool_)
    assert np.allclose(softmax(mean_answers(answers, who), axis=1), (sure + unsure) / 2, atol=1e-6)
    assert (mean_answers(answers[:1], who[:, :1]) == answers[0]).all()


def test_only_those_that_are_asked_count() -> None:
    """Of each text by itself; the answers of the others are as if they were not there."""
    answers = np.random.default_rng(1).normal(size=(3, 3, 3)).astype(np.float32)
    who = np.array([[True, False, False], [False, True, True], [True, True, True]])
    mean = softmax(mean_answers(answers, who), axis=1)
    each = softmax(answers, axis=-1)
    wanted = [each[0, 0], each[1:, 1].mean(axis=0), each[:, 2].mean(axis=0)]
    assert np.allclose(mean, wanted, atol=1e-6)


def test_a_student_learns_no_teachers_memory_of_its_own_text(
    reviews: Files, base_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Each review, and each part of it, is answered by the teacher that left it out; the record counts them."""
    folds, teachers = ("1/2", "2/2"), [tmp_path / "one", tmp_path / "two"]
    for fold, teacher in zip(folds, teachers, strict=True):
        assert main([*fit_arguments(reviews, base_model, teacher), "--leave-out", fold, "--epochs", "0.2"]) == 0
    records = [json.loads((teacher / "training.json").read_text()) for teacher in teachers]
    assert [record["settings"]["leave_out"] for record in records] == list(folds)
    assert sum(sum(record["parts"]["training"].values()) for record in records) == 150, "each is left out once"

    given: dict[str, Any] = {}
    monkeypatch.setattr(
        distilling, "run", lambda training_set, *_, **more: given.update(more, training_set=training_set)
    )
    monkeypatch.setattr("training.__main__._summary", str)
    arguments = _arguments(reviews, teachers[0], base_model, tmp_path / "student")
    arguments.insert(arguments.index("--teacher") + 2, str(teachers[1]))
    assert main(arguments) == 0
    training_set, told = given["training_set"], given["record"]["distillation"]
    assert [teacher["left_out"] for teacher in told["teachers"]] == list(folds)
    assert 150 < told["answered_out_of_fold"] <= len(training_set.reviews) == 150 + told["fragments_made"]
    own = [Fold(number, 2).holds(read_corpus([reviews[0]]).reviews) for number in (1, 2)]
    assert (own[0] ^ own[1]).all()
    for teacher, mine in zip(teachers, own, strict=True):
        alone = teacher_answers(teacher, training_set.reviews[:150].select(mine), bf16=False)
        assert np.allclose(softmax(training_set.answers[:150][mine], axis=1), softmax(alone, axis=1), atol=1e-5)

    other = write_lines(
        tmp_path / "other.jsonl", [*reviews[0].read_text().splitlines(), {"text": "x", "rating": 5}]
    )
    assert main(_arguments((other, reviews[1]), teachers[0], base_model, tmp_path / "student")) == 2
    assert "has left out the fold 1/2 of train.jsonl" in capsys.readouterr().err


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


def test_unlabelled_texts_are_none_that_are_measured() -> None:
    """Not even written otherwise: case, spaces and punctuation make no other text."""
    held_out = Reviews.of([Review("A great phone, really.", 1, "")])
    others = Reviews.of([Review("a GREAT phone really", 1, ""), Review("something else", 1, "")])
    left = unlabelled_reviews(others, held_out, "stratified")
    assert [(one.text, one.label, one.stars) for one in left] == [("something else", -1, None)]
