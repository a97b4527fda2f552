"""What only a GPU can show: `make test-gpu` there, without a registry and without Kafka."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from rich.console import Console

from contract.scoring import probabilities
from contract.variants import VARIANTS
from export.pipeline import BundleOptions, export_bundle
from export.progress import Progress
from tests.export.tiny_checkpoint import write_checkpoint
from worker.adapters.bundle import read_bundle
from worker.adapters.classifier import OnnxClassifier
from worker.model import load_model
from worker.ports import OutOfDeviceMemoryError
from worker.settings import Settings

pytestmark = pytest.mark.gpu
CUDA = [name for name, kind in VARIANTS.items() if kind.device == "cuda"]


@pytest.fixture(scope="session", autouse=True)
def gpu() -> None:
    """Skip where there is none, and say what is missing."""
    if not torch.cuda.is_available():
        pytest.skip("PyTorch finds no GPU: run this where there is one")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("ONNX Runtime is the CPU's: install the extra `gpu`")


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small BERT with heads of 32, as bge-small has, exported on this machine."""
    folder = tmp_path_factory.mktemp("gpu")
    checkpoint = write_checkpoint(folder / "checkpoint", hidden=128, heads=4)
    export_bundle(BundleOptions(checkpoint, folder / "bundle"), Progress(Console(quiet=True)))
    return folder / "bundle"


@pytest.mark.parametrize("name", CUDA)
def test_a_variant_is_held_to_pytorch_where_it_runs(bundle: Path, name: str) -> None:
    """Without being asked, export makes what this machine can measure, and writes down on what."""
    parity = read_bundle(bundle).variant(name).parity
    assert parity.status == "passed"
    assert torch.cuda.get_device_name() in str(parity.device)


def test_a_worker_serves_the_packed_graph(bundle: Path) -> None:
    """The best of the device, loaded, warm and checked on its golden texts."""
    model = load_model(Settings(bundle=bundle, device="auto"))
    assert (model.variant, model.classifier.provider) == ("fp16.packed", "CUDAExecutionProvider")


@pytest.mark.parametrize("name", ["fp32", *CUDA])
def test_a_result_does_not_depend_on_its_neighbours(bundle: Path, name: str) -> None:
    """Alone, in any order, among a thousand: no label changes, and no probability by a hundredth."""
    classifier = OnnxClassifier(bundle / VARIANTS[name].file, device="cuda")
    randomly = np.random.default_rng(1)
    rows = [[2, *randomly.integers(5, 60, size).tolist(), 3] for size in randomly.integers(1, 46, 1000)]
    together = probabilities(classifier.logits(rows))
    backwards = probabilities(classifier.logits(rows[::-1]))[::-1]
    alone = np.concatenate([probabilities(classifier.logits([row])) for row in rows[:100]])
    assert np.abs(together - backwards).max() <= 0.01
    assert np.abs(together[:100] - alone).max() <= 0.01
    assert (together[:100].argmax(axis=1) == alone.argmax(axis=1)).all()


@pytest.mark.parametrize("name", CUDA)
def test_too_little_memory_is_told_from_a_broken_device(bundle: Path, name: str) -> None:
    """A batch that does not fit says so, and the session goes on with smaller ones."""
    classifier = OnnxClassifier(bundle / VARIANTS[name].file, device="cuda", memory_bytes_max=64 * 2**20)
    with pytest.raises(OutOfDeviceMemoryError):
        classifier.logits([[2, *[7] * 46]] * 20_000)
    assert classifier.logits([[2, 7, 3]]).shape == (1, 3)
