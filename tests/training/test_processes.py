"""Several processes that learn as one."""

import json
import subprocess
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from tests.review_files import fit_arguments
from tests.training.runs import ALONE, environment

Files = tuple[Path, Path]
_TORCHRUN = (*ALONE[:2], "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *ALONE[1:])


def _losses(checkpoint: Path) -> list[tuple[int, float]]:
    history = json.loads((checkpoint / "history.json").read_text())
    return [(entry["step"], entry["loss"]) for entry in history if "loss" in entry]


def test_two_processes_learn_as_one(reviews: Files, base_model: Path, tmp_path: Path) -> None:
    """Two processes on gloo reach the loss of one, step by step within 1e-3, and the same weights.

    A step has the same rows however it is divided: over two processes, or in four parts that are summed up.
    """
    runs = {
        "one": (ALONE, []),
        "two": (_TORCHRUN, []),
        "parts": (ALONE, ["--micro-batch-size", "2"]),
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
        subprocess.run([*command, *arguments, *recipe], env=environment(), check=True, timeout=240)

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
