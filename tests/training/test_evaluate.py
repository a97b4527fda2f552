"""Evaluating as a user does it: what is written, what is shown, and the exit code that stops a worse model."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.review_files import write_lines
from training.__main__ import main

Files = tuple[Path, Path]


@pytest.fixture(scope="module")
def reversed_checkpoint(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint with its head turned round: the likeliest class becomes the least likely."""
    folder = tmp_path_factory.mktemp("other") / "reversed"
    shutil.copytree(checkpoint, folder)
    weights = load_file(folder / "model.safetensors")
    changed = {name: -value if name.startswith("classifier.") else value for name, value in weights.items()}
    save_file(changed, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def evaluate(checkpoint: Path, data: Path, *more: object) -> int:
    return main(["evaluate", "--checkpoint", str(checkpoint), *map(str, more), "--data", str(data)])


def test_everything_is_in_the_json_and_the_table(
    checkpoint: Path, reviews: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Figures, intervals, calibration, groups, hardest texts, baselines; pictures beside; no path."""
    answer = tmp_path / "figures.json"

    assert evaluate(checkpoint, reviews[1], "--train-data", reviews[0], "--json", answer) == 0

    result = json.loads(answer.read_text())
    low, high = result["intervals"]["macro_f1"]
    assert low <= result["macro_f1"] <= high
    assert set(result["baselines"]) == {"majority class", "VADER", "TF-IDF + logistic regression"}
    assert result["baselines"]["TF-IDF + logistic regression"]["macro_f1"] > 0.8
    assert result["baselines"]["majority class"]["accuracy"] == pytest.approx(1 / 3, abs=1e-6)
    assert len(result["hardest"]) == 20
    assert set(result["by_stars"]) == {"1", "3", "5"}
    assert {"before", "after", "temperatures"} <= set(result["calibration"])
    assert str(tmp_path.parent) not in answer.read_text()
    for picture in ("figures.confusion.png", "figures.reliability.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")
    shown = capsys.readouterr().out
    for told in ("VADER", "balanced macro-F1", "ECE", "temperature", "neutral", f"{result['macro_f1']:.3f}"):
        assert told in shown


def test_a_worse_model_is_stopped_by_the_exit_code(
    checkpoint: Path, reversed_checkpoint: Path, reviews: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """1 for the worse one, 0 for the better one and for the same; the last line gives the reason."""
    answer = tmp_path / "figures.json"
    against = ["--no-baselines", "--json", answer, "--against"]

    assert evaluate(reversed_checkpoint, reviews[1], *against, checkpoint) == 1
    assert "failed: macro-F1" in " ".join(capsys.readouterr().out.split())
    worse = json.loads(answer.read_text())
    assert worse["comparison"]["difference"] < 0
    assert worse["against"]["macro_f1"] == json.loads((checkpoint / "metrics.json").read_text())["macro_f1"]

    assert evaluate(checkpoint, reviews[1], *against, reversed_checkpoint) == 0
    assert "passed: macro-F1" in " ".join(capsys.readouterr().out.split())

    assert evaluate(checkpoint, reviews[1], *against, checkpoint, "--tolerance", 0) == 0
    same = json.loads(answer.read_text())["comparison"]
    assert (same["difference"], same["interval"], same["passed"]) == (0, [0, 0], True)

    assert evaluate(reversed_checkpoint, reviews[1], *against, checkpoint, "--tolerance", 1) == 0


def test_copies_are_measured_once_by_both(
    checkpoint: Path, reviews: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file twice, once in capitals, gives the figures of one: more rows are not more evidence."""
    plain = [json.loads(line) | {"category": "any"} for line in reviews[1].read_text().splitlines()]
    loud = [line | {"reviewText": line["reviewText"].upper()} for line in plain]
    once, twice = tmp_path / "once.json", tmp_path / "twice.json"
    more = ["--no-baselines", "--against", checkpoint, "--json"]

    assert evaluate(checkpoint, write_lines(tmp_path / "some.jsonl", plain), *more, once) == 0
    assert evaluate(checkpoint, write_lines(tmp_path / "both.jsonl", [*plain, *loud]), *more, twice) == 0

    one, two = json.loads(once.read_text()), json.loads(twice.read_text())
    assert (one.pop("data")["copies_left_out"], two.pop("data")["copies_left_out"]) == (0, 45)
    assert one == two
    assert "45 copies left out" in capsys.readouterr().out


def test_the_temperature_comes_from_the_calibration_part(checkpoint: Path, reviews: Files, tmp_path: Path) -> None:
    """Of --calibration, what does not stand in --data: temperatures are fitted apart from what is measured."""
    answer = tmp_path / "figures.json"
    mixed = [reviews[0], reviews[1]]
    assert evaluate(checkpoint, reviews[1], "--no-baselines", "--json", answer, "--calibration", *mixed) == 0
    result = json.loads(answer.read_text())["calibration"]
    assert result["fitted_on"] == "150 texts apart"
    assert len(result["temperatures"]) == 1
    assert np.isfinite(result["after"]["loss"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--tolerance", "-1"], "--tolerance must be 0 or more"),
        (["--tolerance", "nan"], "--tolerance must be 0 or more"),
        (["--calibration", "{data}"], "--calibration holds no text but those of --data"),
        (["--train-data", "{data}"], "is left without the texts of --data"),
        (["--train-data", "absent.json"], "can't read absent.json"),
        (["--against", "absent"], "absent is not a checkpoint"),
        (["--json", "/proc/none/figures.json"], "there is no folder /proc/none"),
    ],
)
def test_wrong_input_is_told_in_a_line(
    more: list[str], message: str, checkpoint: Path, reviews: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the user can fix ends with code 2, never with that of a worse model, and says what to do."""
    assert evaluate(checkpoint, reviews[1], *(word.format(data=reviews[1]) for word in more)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
