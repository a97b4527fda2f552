"""Keeping the best weights, ending early, and what is said when something runs out."""

import errno
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
from training.failures import what_to_do
from training.trainer import layers_below_head

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


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "lower --micro-batch-size"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
            "--micro-batch-size",
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "--micro-batch-size"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos"), "the disk is full"),
    ],
)
def test_a_run_out_of_something_says_how_to_go_on(
    error: Exception, said: str, reviews: Files, base_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Out of memory or disk: code 2, what helps, and that --resume goes on from the last good state."""
    arguments = [*fit_arguments(reviews, base_model, tmp_path / "out"), "--save-steps", "5"]

    def fail(self: RunCallback, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 7:
            raise error

    with monkeypatch.context() as patched:
        patched.setattr(RunCallback, "on_step_end", fail)
        assert main(arguments) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "saved at step 5; the same command with --resume goes on" in told
    assert main([*arguments, "--resume"]) == 0


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    """What a user can't fix is not dressed up as advice."""
    assert what_to_do(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None


@pytest.mark.parametrize(
    ("name", "below"),
    [
        ("classifier.weight", 0),
        ("stars.bias", 0),
        ("bert.pooler.dense.weight", 0),
        ("bert.encoder.layer.11.output.dense.weight", 1),
        ("bert.encoder.layer.0.attention.self.query.bias", 12),
        ("bert.embeddings.LayerNorm.weight", 13),
    ],
)
def test_each_layer_has_its_distance_from_the_head(name: str, below: int) -> None:
    """Of twelve layers the last is one below the head, the first twelve, and the embeddings thirteen."""
    assert layers_below_head(name, 12) == below
