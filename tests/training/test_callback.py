"""Keeping the best weights, and ending early."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from evaluation.figures import Evaluation
from tests.review_files import fit_arguments
from training import evaluate, run
from training.__main__ import main
from training.callback import RunCallback

Files = tuple[Path, Path]
_FOUR_EPOCHS = ("--epochs", "4", "--early-stopping", "2")


def _figures_one_after_the_other(monkeypatch: pytest.MonkeyPatch, *macro_f1: float) -> None:
    """The model is measured as it is, but its macro-F1 is said to be another."""
    measure, left = evaluate.measure, list(macro_f1)

    def told(*arguments: Any) -> Evaluation:
        return replace(measure(*arguments), macro_f1=left.pop(0))

    monkeypatch.setattr(run, "measure", told)


def test_a_run_ends_early_with_the_best_weights(
    reviews: Files, base_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After two epochs no better than the first it ends, and the weights and figures are the first epoch's."""
    first = fit_arguments(reviews, base_model, tmp_path / "first")
    seen = {}
    keep_figures = RunCallback._keep_figures

    def kept(self: RunCallback, step: int, model: Any) -> None:
        keep_figures(self, step, model)
        seen[step] = {name: value.detach().numpy().copy() for name, value in model.state_dict().items()}

    monkeypatch.setattr(RunCallback, "_keep_figures", kept)
    _figures_one_after_the_other(monkeypatch, 0.7, 0.7, 0.6)
    assert main([*first, *_FOUR_EPOCHS]) == 0

    record = json.loads((tmp_path / "first/training.json").read_text())
    assert (record["best_step"], record["steps"]) == (19, 57)
    assert json.loads((tmp_path / "first/metrics.json").read_text())["macro_f1"] == 0.7
    weights = load_file(tmp_path / "first/model.safetensors")
    assert list(seen) == [19, 38, 57]
    assert all(np.array_equal(weights[name], seen[19][name]) for name in weights)


def test_an_interrupted_run_remembers_its_best(
    reviews: Files, base_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while measuring the second epoch, it measures that when resumed, and knows the first's figures."""
    arguments = [*fit_arguments(reviews, base_model, tmp_path / "out"), *_FOUR_EPOCHS]
    with monkeypatch.context() as patched:
        _figures_one_after_the_other(patched, 0.7)
        with pytest.raises(IndexError):
            main(arguments)
    _figures_one_after_the_other(monkeypatch, 0.6, 0.5)
    assert main([*arguments, "--resume"]) == 0
    record = json.loads((tmp_path / "out/training.json").read_text())
    assert (record["best_step"], record["steps"]) == (19, 57)
    history = json.loads((tmp_path / "out/history.json").read_text())
    told = {entry["step"]: entry["eval_macro_f1"] for entry in history if "eval_macro_f1" in entry}
    assert told == {19: 0.7, 38: 0.6, 57: 0.5}
