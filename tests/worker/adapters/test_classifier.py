"""The graph in ONNX Runtime, on a BERT that this session trained."""

from pathlib import Path

import numpy as np
import pytest

from worker.adapters.classifier import OnnxClassifier, _translate, available_device, provider_options
from worker.errors import BundleRefusedError, ModelFailedError
from worker.ports import OutOfDeviceMemoryError


def classifier(folder: Path) -> OnnxClassifier:
    return OnnxClassifier(folder / "model.onnx", device="cpu")


def test_a_result_does_not_depend_on_its_neighbours(bundle: Path) -> None:
    """Alone, among longer rows, or after a larger batch: within 1e-4."""
    model, rng = classifier(bundle), np.random.default_rng(1)
    rows = [[101, *rng.integers(1000, 30000, size).tolist(), 102] for size in (1, 5, 60, 30, 2)]
    together = model.logits(rows)

    for row, answer in zip(rows, together, strict=True):
        assert np.abs(model.logits([row])[0] - answer).max() < 1e-4
    assert together.shape == (5, 3)


def test_cuda_is_not_silently_replaced_by_the_cpu() -> None:
    """Where CUDA is wanted and missing the worker says so; `auto` takes the CPU."""
    options = dict(provider_options("cuda", memory_bytes_max=10))

    assert list(options) == ["CUDAExecutionProvider"]  # a session that names the CPU may not forbid it
    assert options["CUDAExecutionProvider"]["arena_extend_strategy"] == "kSameAsRequested"
    assert options["CUDAExecutionProvider"]["gpu_mem_limit"] == "10"
    if available_device("auto") == "cpu":
        with pytest.raises(ModelFailedError, match="gpu"):
            available_device("cuda")


def test_a_file_that_is_no_graph_is_refused(tmp_path: Path) -> None:
    """Whatever ONNX Runtime can't load is a refused bundle, not a crash."""
    (tmp_path / "model.onnx").write_bytes(b"no graph")

    with pytest.raises(BundleRefusedError, match=r"model\.onnx"):
        OnnxClassifier(tmp_path / "model.onnx", device="cpu")


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("BFCArena::AllocateRawInternal Available memory of 54866688 is smaller than requested bytes of 240640000",
         OutOfDeviceMemoryError),
        ("Failed to allocate memory for requested buffer of size 240640000", OutOfDeviceMemoryError),
        ("CUDA failure 700: an illegal memory access was encountered", ModelFailedError),
        ("Non-zero status code returned while running Gather node: indices out of bounds", RuntimeError),
    ],
)  # fmt: skip
def test_what_the_runtime_says_is_told_apart(message: str, kind: type[Exception]) -> None:
    """Too large a batch is split, a lost device ends the worker, anything else is of the rows at hand."""
    assert type(_translate(RuntimeError(message))) is kind
