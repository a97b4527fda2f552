"""Experiments that train: models are compared on the same texts, and what is finished is not done twice."""

import json
import random
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from benchmarks import encoders, learning_curve, settings, titles, trials
from contract.errors import InputError
from tests.review_files import review, write_lines
from training.recipe import Recipe

_RECIPE = Recipe(
    epochs=2, learning_rate=5e-3, batch_size=8, tokens_max=32, threads=1, precision="fp32", layer_decay=1.0
)


@pytest.fixture(scope="module")
def arguments(base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """400 reviews, half of them under titles that tell their stars, and a run whose settings are to be taken."""
    folder, randomly = tmp_path_factory.mktemp("trials"), random.Random(3)
    found = [review((5, 3, 1)[number % 3], randomly) for number in range(400)]
    for number, one in enumerate(found[::2]):
        one["summary"] = ("perfect", "average", "refund")[2 * number % 3]
    (folder / "training.json").write_text(json.dumps({"settings": _RECIPE.shaping()}))
    data = write_lines(folder / "reviews.jsonl", found)
    return ["--data", str(data), "--base-model", str(base_model), "--like", str(folder)]


def _run(benchmark: ModuleType, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [benchmark.__name__, *arguments])
    benchmark.main()


def _forbid_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(trials, "run", fail)


def test_titles_are_compared_on_the_same_rows(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both models learn from and answer titled reviews alone, each in its template; their difference is paired."""
    _run(titles, [*arguments, "--output", str(tmp_path)], monkeypatch)
    names = ("text", "title+text")
    records = {name: json.loads((tmp_path / name / "training.json").read_text()) for name in names}
    assert records["text"]["parts"] == records["title+text"]["parts"]
    assert 100 < sum(records["text"]["parts"]["training"].values()) < 200
    encodings = [json.loads((tmp_path / name / "encoding.json").read_text())["template"] for name in names]
    assert encodings == list(names)
    figures = json.loads((tmp_path / "titles.json").read_text())
    scores = {name: one["macro_f1"] for name, one in figures["columns"].items()}
    assert figures["difference"]["difference"] == pytest.approx(scores["title+text"] - scores["text"], abs=1e-3)
    assert scores["text"] > 0.6
    assert "a difference of" in capsys.readouterr().out


def test_a_learning_curve_grows_and_is_taken_up_again(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each share has its model and its baseline; a second call trains nothing, nor takes another recipe's."""
    asked = [*arguments, "--output", str(tmp_path), "--shares", "0.5", "1"]
    _run(learning_curve, asked, monkeypatch)
    file = tmp_path / "learning_curve.json"
    half, whole = json.loads(file.read_text())
    assert whole["reviews"] == pytest.approx(2 * half["reviews"], abs=1)
    assert whole["model"]["macro_f1"] > 0.6
    assert "<svg" in (tmp_path / "learning_curve.svg").read_text()
    _forbid_training(monkeypatch)
    _run(learning_curve, asked, monkeypatch)
    assert json.loads(file.read_text()) == [half, whole]
    (tmp_path / "like").mkdir()
    other = json.dumps({"settings": replace(_RECIPE, learning_rate=1e-3).shaping()})
    (tmp_path / "like" / "training.json").write_text(other)
    with pytest.raises(InputError, match="another experiment"):
        _run(learning_curve, [*asked, "--like", str(tmp_path / "like")], monkeypatch)


def test_encoders_are_compared_on_the_same_texts(
    arguments: list[str], base_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each base model learns with its own rate; the first one's difference from itself is none."""
    other = tmp_path / "other"
    other.symlink_to(base_model, target_is_directory=True)
    data, like = arguments[:2], arguments[4:]
    rates = ["--base-model", str(base_model), "5e-3", "--base-model", str(other), "1e-9"]
    _run(
        encoders,
        [*data, *like, *rates, "--epochs", "2", "--share", "0.9", "--output", str(tmp_path / "out")],
        monkeypatch,
    )
    words, learnt, unlearnt = json.loads((tmp_path / "out" / "encoders.json").read_text())
    assert words["macro_f1"] > 0.6
    assert learnt["against_first"]["difference"] == 0
    assert unlearnt["against_first"]["difference"] < -0.1
    assert learnt["parameters"] == unlearnt["parameters"] > 1000
    records = [
        json.loads((tmp_path / "out" / row["name"] / "training.json").read_text()) for row in (learnt, unlearnt)
    ]
    assert [record["settings"]["learning_rate"] for record in records] == [5e-3, 1e-9]
    assert [record["settings"]["epochs"] for record in records] == [2, 2]


def test_settings_are_compared_over_seeds(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial's settings win over the common ones, each seed has its own run; what is no setting is refused."""
    common = ["learning_rate=5e-3", "batch_size=8", "tokens_max=32", "threads=1", "precision=fp32"]
    trials_ = ["--trial", "stars_loss=corn", "--trial", "stars_weight=0", "learning_rate=1e-9"]
    asked = [*arguments[:4], "--common", *common, *trials_, "--seeds", "3", "4", "--output", str(tmp_path)]
    _run(settings, asked, monkeypatch)
    figures = json.loads((tmp_path / "settings.json").read_text())
    learnt, unlearnt = (
        figures[name]["macro_f1"] for name in ("stars_loss=corn", "stars_weight=0,learning_rate=1e-09")
    )
    assert (learnt["against_first"], learnt["interval"]) == (0, [0, 0])
    assert learnt["mean"] == pytest.approx(sum(learnt["seeds"]) / 2)
    assert unlearnt["interval"][0] < unlearnt["against_first"] < unlearnt["interval"][1] < 0
    record = json.loads((tmp_path / "stars_loss=corn,seed=4" / "training.json").read_text())["settings"]
    assert (record["stars_loss"], record["seed"], record["tokens_max"]) == ("corn", 4, 32)
    with pytest.raises(SystemExit):
        _run(settings, [*asked, "--trial", "no_setting=1"], monkeypatch)


def test_a_difference_is_that_of_the_same_texts() -> None:
    """Means over seeds, by hand; texts that all answer alike move no difference."""
    labels, right = np.array([0, 1, 2, 2]), 8 * np.eye(3)[[0, 1, 2, 2]]
    wrong = right[[0, 1, 1, 2]]  # of class 2 one is taken for 1, and is 8 nats from the truth
    first, second = settings.compared(labels, np.stack([[right, wrong], [right, right]]))
    assert first["macro_f1"]["seeds"] == pytest.approx([1, (1 + 2 / 3 + 2 / 3) / 3])
    assert second["macro_f1"]["against_first"] == pytest.approx((1 - (1 + 2 / 3 + 2 / 3) / 3) / 2)
    assert second["f1_neutral"]["seeds"] == [1, 1]
    assert second["cross_entropy"]["against_first"] == pytest.approx(-8 / 4 / 2)
    low, high = second["macro_f1"]["interval"]
    assert 0 == low < second["macro_f1"]["against_first"] < high  # a draw may lack the text that tells them apart
