"""Several processes that learn as one."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from tests.review_files import fit_arguments
from tests.training.runs import environment
from training.__main__ import main

Files = tuple[Path, Path]
_TORCHRUN = (
    sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "training",
)  # fmt: skip


def _losses(checkpoint: Path) -> list[tuple[int, float]]:
    history = json.loads((checkpoint / "history.json").read_text())
    return [(entry["step"], entry["loss"]) for entry in history if "loss" in entry]


def test_two_processes_learn_as_one(reviews: Files, base_model: Path, tmp_path: Path) -> None:
    """Two processes on gloo reach the loss of one, step by step within 1e-3, and the same weights.

    A step has the same rows however it is divided: over two processes, or in four parts that are summed up.
    """
    shaping = ("--dropout", "0", "--class-weights", "0.5", "--stars-weight", "0.5", "--layer-decay", "0.9")
    one, two, parts = (
        [*fit_arguments(reviews, base_model, tmp_path / name), *shaping] for name in ("one", "two", "parts")
    )
    subprocess.run([*_TORCHRUN, *two], env=environment(), check=True, timeout=240)
    assert main(one) == 0
    assert main([*parts, "--micro-batch-size", "2"]) == 0

    alone = _losses(tmp_path / "one")
    assert len(alone) == 38  # each step is logged
    for other in ("two", "parts"):
        losses = _losses(tmp_path / other)
        assert [step for step, _ in losses] == [step for step, _ in alone]
        assert np.allclose([loss for _, loss in losses], [loss for _, loss in alone], atol=1e-3, rtol=0)
        weights, others = (load_file(tmp_path / name / "model.safetensors") for name in ("one", other))
        assert all(np.allclose(weights[name], others[name], atol=5e-3) for name in weights)
    records = {
        name: json.loads((tmp_path / name / "training.json").read_text()) for name in ("one", "two", "parts")
    }
    assert {name: record["processes"] for name, record in records.items()} == {"one": 1, "two": 2, "parts": 1}
    assert records["two"]["parts"] == records["one"]["parts"]
