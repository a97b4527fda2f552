"""Bundle, classifier and warm-up, on a BERT that this session trained."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from worker.adapters.bundle import read_bundle
from worker.adapters.classifier import OnnxClassifier, available_device, provider_options
from worker.adapters.encoder import TokenizersEncoder
from worker.adapters.warmup import warm_up
from worker.errors import BundleRefusedError, ModelFailedError


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    """A bundle to be spoilt."""
    return Path(shutil.copytree(bundle, tmp_path / "bundle"))


def classifier(folder: Path) -> OnnxClassifier:
    return OnnxClassifier(folder / "model.onnx", device="cpu", threads=1)


def test_the_bundle_of_this_session_is_warm_within_its_tolerance(bundle: Path) -> None:
    """Read, verified and warmed up as at a worker's start."""
    read = read_bundle(bundle)
    encoder = TokenizersEncoder(read.tokenizer_file, read.manifest.encoding)

    report = warm_up(read, "fp32", encoder, classifier(bundle))

    assert report.texts == 64
    assert report.probability_delta_max < 1e-3


def test_a_result_does_not_depend_on_its_neighbours(bundle: Path) -> None:
    """Alone, among longer rows, or in the reused buffers of a larger batch before: within 1e-4."""
    model, rng = classifier(bundle), np.random.default_rng(1)
    rows = [[101, *rng.integers(1000, 30000, size).tolist(), 102] for size in (1, 5, 60, 30, 2)]
    together = model.logits(rows)

    for row, answer in zip(rows, together, strict=True):
        assert np.abs(model.logits([row])[0] - answer).max() < 1e-4
    assert together.shape == (5, 3)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "golden.json", "encoding.json"])
def test_an_altered_file_is_refused(copy: Path, name: str) -> None:
    """One byte more, and the bundle is not loaded; the message names the file."""
    (copy / name).write_bytes((copy / name).read_bytes() + b" ")

    with pytest.raises(BundleRefusedError, match=name):
        read_bundle(copy)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "golden.json", "bundle.json"])
def test_a_missing_file_is_refused(copy: Path, name: str) -> None:
    """A bundle without one of its files is none."""
    (copy / name).unlink()

    with pytest.raises(BundleRefusedError, match="no bundle"):
        read_bundle(copy)


def test_a_manifest_can_not_point_outside(copy: Path) -> None:
    """A file beyond the folder is refused before it is read."""
    manifest = json.loads((copy / "bundle.json").read_text())
    manifest["files"]["../elsewhere"] = {"bytes": 0, "sha256": "0" * 64}
    (copy / "bundle.json").write_text(json.dumps(manifest))

    with pytest.raises(BundleRefusedError, match="outside"):
        read_bundle(copy)


@pytest.mark.parametrize("change", [{"format": 2}, {"labels": ["good", "bad", "ugly"]}, {"variants": {"x": {}}}])
def test_a_manifest_of_another_kind_is_refused(copy: Path, change: dict[str, object]) -> None:
    """An unknown format, other labels or a half-written variant: not served."""
    manifest = json.loads((copy / "bundle.json").read_text())
    (copy / "bundle.json").write_text(json.dumps({**manifest, **change}))

    with pytest.raises(BundleRefusedError, match="format 1"):
        read_bundle(copy)


def test_an_unknown_variant_is_refused(bundle: Path) -> None:
    """The message lists those that there are; `auto` takes what passed."""
    with pytest.raises(BundleRefusedError, match="fp32"):
        read_bundle(bundle).choose_variant("cpu", "int3")
    assert read_bundle(bundle).choose_variant("cpu") == "fp32"


def test_a_model_that_misses_its_goldens_is_refused(bundle: Path) -> None:
    """Warm-up compares every golden probability, and NaN is no agreement."""
    read = read_bundle(bundle)
    encoder = TokenizersEncoder(read.tokenizer_file, read.manifest.encoding)

    class Broken(OnnxClassifier):
        def logits(self, rows):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
            return super().logits(rows) * np.float32("nan")

    with pytest.raises(BundleRefusedError, match="golden"):
        warm_up(read, "fp32", encoder, Broken(bundle / "model.onnx", device="cpu"))


def test_cuda_is_not_silently_replaced_by_the_cpu() -> None:
    """Where CUDA is wanted and missing the worker says so; `auto` takes the CPU."""
    options = dict(provider_options("cuda", memory_bytes_max=10))

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
