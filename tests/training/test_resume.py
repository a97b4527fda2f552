"""A run that is interrupted or killed goes on to the same end, and no run takes away what is there."""

import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from safetensors.numpy import load_file

from tests.review_files import fit_arguments
from training.__main__ import main
from training.callback import RunCallback

Files = tuple[Path, Path]


@pytest.mark.parametrize("step", [5, 19, 30, 38])  # in the first epoch, at its end, in the second, at the very end
def test_an_interrupted_run_ends_with_the_same_weights(
    step: int, checkpoint: Path, reviews: Files, base_model: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Ctrl-C ends with the step saved; --resume goes on as if nothing had been, down to the last bit."""
    arguments = fit_arguments(reviews, base_model, tmp_path / "checkpoint")
    with monkeypatch.context() as patched:
        _interrupt_at(step, patched)
        assert main(arguments) == 130
    assert f"saved at step {step}; the same command with --resume" in capsys.readouterr().err
    assert not (tmp_path / "checkpoint").exists()

    assert main(arguments) == 2
    assert "go on with it by --resume" in capsys.readouterr().err
    assert main([*arguments, "--resume"]) == 0

    assert _weights_equal(tmp_path / "checkpoint", checkpoint)
    assert (tmp_path / "checkpoint/metrics.json").read_text() == (checkpoint / "metrics.json").read_text()
    assert not (tmp_path / "checkpoint.partial").exists()


def test_a_killed_run_goes_on_from_the_last_saved_step(
    checkpoint: Path, reviews: Files, base_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Without a warning, as by SIGKILL: --resume repeats the steps after the last saved one, with the same end."""
    arguments = [*fit_arguments(reviews, base_model, tmp_path / "checkpoint"), "--save-steps", "5"]
    with monkeypatch.context() as patched:
        patched.setattr(RunCallback, "on_step_end", _die_at_step_7)
        with pytest.raises(ZeroDivisionError):
            main(arguments)
    assert main([*arguments, "--resume"]) == 0
    assert "going on after step 5" in capsys.readouterr().err
    assert _weights_equal(tmp_path / "checkpoint", checkpoint)


def _die_at_step_7(self: RunCallback, args: Any, state: Any, control: Any, **_: Any) -> None:
    if state.global_step == 7:
        raise ZeroDivisionError


def _weights_equal(one: Path, other: Path) -> bool:
    weights, others = (load_file(path / "model.safetensors") for path in (one, other))
    return weights.keys() == others.keys() and all(np.array_equal(weights[name], others[name]) for name in weights)


def _interrupt_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    on_step_end = RunCallback.on_step_end

    def interrupted(self: RunCallback, args: Any, state: Any, control: Any, **rest: Any) -> None:
        if state.global_step == step:
            signal.raise_signal(signal.SIGINT)
        on_step_end(self, args, state, control, **rest)

    monkeypatch.setattr(RunCallback, "on_step_end", interrupted)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_run_ends_with_the_same_weights(
    seed: int, checkpoint: Path, reviews: Files, base_model: Path, tmp_path: Path
) -> None:
    """SIGKILL at a random moment, then --resume, again and again: the weights are those of a run left alone."""
    randomly = random.Random(seed)
    arguments = [*fit_arguments(reviews, base_model, tmp_path / "out"), "--save-steps", "4"]
    killed = 0
    for attempt in range(3):
        run = _own_process([*arguments, *(["--resume"] if attempt else [])])
        wanted = randomly.randint(4, 12) + max((int(s.name[11:]) for s in _states(tmp_path)), default=0)
        while run.is_alive() and max((int(s.name[11:]) for s in _states(tmp_path)), default=0) < wanted:
            time.sleep(0.002)
        time.sleep(randomly.random() * 0.05)
        run.kill()
        run.join()
        killed += run.exitcode == -signal.SIGKILL
    if not (tmp_path / "out").exists():
        run = _own_process([*arguments, "--resume"])
        run.join(120)
        assert run.exitcode == 0
    assert killed
    weights, others = (load_file(folder / "model.safetensors") for folder in (checkpoint, tmp_path / "out"))
    assert all(np.array_equal(weights[name], others[name]) for name in weights)


def _own_process(arguments: list[str]) -> ForkServerProcess:
    """A command in a process of its own, forked from one that has imported PyTorch once for all of them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["training.run"])
    process = context.Process(target=_exit_with, args=(arguments,))
    process.start()
    return process


def _exit_with(arguments: list[str]) -> None:
    sys.exit(main(arguments))


def _states(folder: Path) -> list[Path]:
    return [state for state in folder.glob("out.partial/checkpoint-*") if (state / "trainer_state.json").exists()]


def test_a_run_is_not_resumed_with_other_settings(
    reviews: Files, base_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Weights of two recipes are not mixed; a second signal ends at once, and nothing half-written is resumed."""
    arguments = fit_arguments(reviews, base_model, tmp_path / "checkpoint")
    with monkeypatch.context() as patched:
        _interrupt_at(3, patched)
        main(arguments)
    (tmp_path / "checkpoint.partial/checkpoint-9").mkdir()  # its trainer_state.json was not written yet
    (tmp_path / "checkpoint.partial/checkpoint-8").mkdir()
    (tmp_path / "checkpoint.partial/checkpoint-8/trainer_state.json").write_text('{"epo')
    for step, file in (
        (7, "model.safetensors"),
        (6, "optimizer.pt"),
    ):  # power failed before all was on disk
        cut = tmp_path / f"checkpoint.partial/checkpoint-{step}"
        shutil.copytree(tmp_path / "checkpoint.partial/checkpoint-3", cut)
        os.truncate(cut / file, (cut / file).stat().st_size - 100)
        (cut / "saved.json").unlink()

    assert main([*arguments, "--resume", "--epochs", "3"]) == 2
    assert "epochs was 2.0 and is 3.0" in capsys.readouterr().err
    assert main([*arguments, "--resume", "--save-steps", "99"]) == 0
    assert "going on after step 3" in capsys.readouterr().err


def test_nothing_is_overwritten(checkpoint: Path, reviews: Files, base_model: Path, tmp_path: Path) -> None:
    """An existing checkpoint stays, and so does a folder that only looks like an unfinished run."""
    before = (checkpoint / "training.json").read_bytes()
    assert main(fit_arguments(reviews, base_model, checkpoint)) == 2
    assert (checkpoint / "training.json").read_bytes() == before
    (tmp_path / "other.partial").mkdir()
    (tmp_path / "other.partial/mine.txt").touch()
    assert main(fit_arguments(reviews, base_model, tmp_path / "other")) == 2
    assert (tmp_path / "other.partial/mine.txt").exists()


def test_two_runs_do_not_share_an_output(
    reviews: Files, base_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second one is refused while the first is at it, and nothing of it is left."""
    with FileLock(tmp_path / ".checkpoint.lock"):
        assert main(fit_arguments(reviews, base_model, tmp_path / "checkpoint")) == 2
    assert "another run writes" in capsys.readouterr().err
    assert not (tmp_path / "checkpoint.partial").exists()
