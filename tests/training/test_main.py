"""The command line: what the user can fix is told in a line, and nothing is lost by it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.review_files import fit_arguments, write_lines
from tests.training.runs import evaluate
from training.__main__ import main

Files = tuple[Path, Path]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--data", "absent.json"], "can't read absent.json: No such file"),
        (["--validation", "absent.json"], "can't read absent.json"),
        (["--base-model", "./absent/bert"], "can't load ./absent/bert: there is no such folder"),
        (["--epochs", "0"], "--epochs must be above 0"),
        (["--learning-rate", "nan"], "--learning-rate must be above 0"),
        (["--tokens-max", "65"], "reads 64 tokens: --tokens-max can't be 65"),
        (["--precision", "fp8"], "--precision must be"),
        (["--output", "/proc/none/checkpoint"], "No such file"),
    ],
)
def test_wrong_input_is_told_without_a_traceback(
    extra: list[str], message: str, reviews: Files, base_model: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """What the user can fix ends with code 2 and a paragraph that says what."""
    assert main([*fit_arguments(reviews, base_model, tmp_path / "checkpoint"), *extra]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--output", "."], "exists already"),
        (["--output", "/"], "exists already"),
        (["--threads", "5000"], "1024"),
    ],
)
def test_what_can_not_be_is_told(
    extra: list[str],
    message: str,
    reviews: Files,
    base_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A folder that is there, and more threads than any machine has."""
    assert main([*fit_arguments(reviews, base_model, tmp_path / "checkpoint"), *extra]) == 2
    assert message in capsys.readouterr().err


def test_a_name_that_is_no_text_is_told(
    base_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before any work: it could not be written into the record."""
    file = tmp_path / os.fsdecode(b"r\xe9views.jsonl")
    arguments = ["fit", "--data", str(file), "--base-model", str(base_model), "--output", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "is not UTF-8" in capsys.readouterr().err


def test_a_pipe_is_no_review_file(
    reviews: Files, base_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be read once for its hash and wait for ever for its lines."""
    os.mkfifo(tmp_path / "pipe")
    arguments = fit_arguments((tmp_path / "pipe", reviews[1]), base_model, tmp_path / "checkpoint")
    assert main(arguments) == 2
    assert "it is a pipe" in capsys.readouterr().err


def test_the_last_figures_stay_until_there_are_new_ones(reviews: Files, base_model: Path, tmp_path: Path) -> None:
    """An evaluation that fails takes nothing away and leaves nothing."""
    (tmp_path / "old.json").write_text("{}")
    for name in ("old.json", "new.json"):
        assert evaluate(base_model, reviews, "--json", str(tmp_path / name)) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["old.json"]
    assert (tmp_path / "old.json").read_text() == "{}"


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/stdout")])
def test_figures_replace_no_device(
    reviews: Files,
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path], None],
) -> None:
    """A file in the place of a pipe or a link would be read by nobody, and root could break /dev with it."""
    file = tmp_path / "figures.json"
    make(file)
    assert evaluate(checkpoint, reviews, "--json", str(file)) == 2
    assert "no plain file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [file]
    assert file.is_symlink() or file.is_fifo()


def test_training_data_without_words_is_told(
    reviews: Files, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """TF-IDF finds nothing in signs alone; exit code 1 would say that a gate failed."""
    signs = write_lines(tmp_path / "signs.jsonl", [{"text": "!" * n, "rating": n % 5 + 1} for n in range(1, 60)])
    arguments = [
        "evaluate",
        "--checkpoint",
        str(checkpoint),
        "--data",
        str(reviews[1]),
        "--train-data",
        str(signs),
    ]
    assert main(arguments) == 2
    assert "TF-IDF can't learn from --train-data" in capsys.readouterr().err


def test_figures_on_what_was_trained_on_are_doubted(
    reviews: Files, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The checkpoint's record says which files trained it; other files are measured without a word."""
    assert evaluate(checkpoint, reviews) == 0
    assert "better than those of new reviews" not in capsys.readouterr().err
    assert evaluate(checkpoint, (reviews[0], reviews[0])) == 0
    assert "train.jsonl trained checkpoint" in capsys.readouterr().err
