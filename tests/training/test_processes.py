"""Runs in processes of their own: several that learn as one, and one that is killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.review_files import fit_arguments

Files = tuple[Path, Path]
_ALONE = (sys.executable, "-m", "training")
_TORCHRUN = (*_ALONE[:2], "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *_ALONE[1:])


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}


def _losses(checkpoint: Path) -> list[tuple[int, float]]:
    history = json.loads((checkpoint / "history.json").read_text())
    return [(entry["step"], entry["loss"]) for entry in history if "loss" in entry]


def test_two_processes_learn_as_one(reviews: Files, base_model: Path, tmp_path: Path) -> None:
    """Two processes on gloo reach the loss of one, step by step within 1e-3, and the same weights.

    A step has the same rows however it is divided: over two processes, or in four parts that are summed up.
    """
    runs = {
        "one": (_ALONE, []),
        "two": (_TORCHRUN, []),
        "parts": (_ALONE, ["--micro-batch-size", "2"]),
    }
    for name, (command, more) in runs.items():
        arguments = fit_arguments(reviews, base_model, tmp_path / name)
        recipe = [
            "--dropout",
            "0",
            "--class-weights",
            "0.5",
            "--stars-weight",
            "0.5",
            "--layer-decay",
            "0.9",
            *more,
        ]
        subprocess.run([*command, *arguments, *recipe], env=_environment(), check=True, timeout=240)

    one = _losses(tmp_path / "one")
    assert len(one) == 38  # each step is logged
    for other in ("two", "parts"):
        losses = _losses(tmp_path / other)
        assert [step for step, _ in losses] == [step for step, _ in one]
        assert np.allclose([loss for _, loss in losses], [loss for _, loss in one], atol=1e-3, rtol=0)
        weights, others = (load_file(tmp_path / name / "model.safetensors") for name in ("one", other))
        assert all(np.allclose(weights[name], others[name], atol=5e-3) for name in weights)
    records = {name: json.loads((tmp_path / name / "training.json").read_text()) for name in runs}
    assert {name: record["processes"] for name, record in records.items()} == {"one": 1, "two": 2, "parts": 1}
    assert records["two"]["parts"] == records["one"]["parts"]


def test_a_step_that_can_not_be_divided_is_refused(reviews: Files, base_model: Path, tmp_path: Path) -> None:
    """Nine rows are not two equal halves of four: what to choose instead is said."""
    arguments = [
        *fit_arguments(reviews, base_model, tmp_path / "out"),
        "--batch-size",
        "9",
        "--micro-batch-size",
        "2",
    ]
    done = subprocess.run(
        [*_ALONE, *arguments],
        env=_environment(), check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    assert "choose a multiple of 2" in done.stderr


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_run_ends_with_the_same_weights(
    seed: int, checkpoint: Path, reviews: Files, base_model: Path, tmp_path: Path
) -> None:
    """SIGKILL at a random moment, then --resume, again and again: the weights are those of a run left alone."""
    randomly = random.Random(seed)
    arguments = [*fit_arguments(reviews, base_model, tmp_path / "out"), "--save-steps", "4"]
    command = [*_ALONE, *arguments]
    killed = 0
    for attempt in range(3):
        run = subprocess.Popen([*command, *(["--resume"] if attempt else [])], env=_environment())
        wanted = randomly.randint(4, 12) + max((int(s.name[11:]) for s in _states(tmp_path)), default=0)
        while run.poll() is None and max((int(s.name[11:]) for s in _states(tmp_path)), default=0) < wanted:
            time.sleep(0.002)
        time.sleep(randomly.random() * 0.05)
        run.send_signal(signal.SIGKILL)
        killed += run.wait() == -signal.SIGKILL
    if not (tmp_path / "out").exists():
        subprocess.run([*command, "--resume"], env=_environment(), check=True, timeout=120)
    assert killed
    weights, others = (load_file(folder / "model.safetensors") for folder in (checkpoint, tmp_path / "out"))
    assert all(np.array_equal(weights[name], others[name]) for name in weights)


def _states(folder: Path) -> list[Path]:
    return [state for state in folder.glob("out.partial/checkpoint-*") if (state / "trainer_state.json").exists()]
