"""How loading a model ends when it can't: with the exit code that says why, never with a traceback."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from worker.adapters.classifier import OnnxClassifier
from worker.errors import BundleRefusedError, ModelFailedError
from worker.model import load_model
from worker.ports import OutOfDeviceMemoryError
from worker.settings import Settings


def settings(folder: Path) -> Settings:
    return Settings.model_validate({"bundle": folder, "device": "cpu", "threads": 1})


def spoilt(bundle: Path, to: Path, name: str, content: Any) -> Settings:
    """A bundle with another file of this name, and a manifest that lists it as its own."""
    shutil.copytree(bundle, to)
    (to / name).write_text(json.dumps(content))
    manifest = json.loads((to / "bundle.json").read_text())
    data = (to / name).read_bytes()
    manifest["files"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (to / "bundle.json").write_text(json.dumps(manifest))
    return settings(to)


def test_a_tokenizer_of_a_newer_format_is_refused(bundle: Path, tmp_path: Path) -> None:
    """Its file's hash holds, but this version of the library can't read it."""
    tokenizer = json.loads((bundle / "tokenizer.json").read_text())
    tokenizer["model"] = {"type": "WordPiece2030", "vocab": []}
    with pytest.raises(BundleRefusedError, match="newer version"):
        load_model(spoilt(bundle, tmp_path / "bundle", "tokenizer.json", tokenizer))
    tokenizer = json.loads((bundle / "tokenizer.json").read_text())
    tokenizer["post_processor"] = None
    with pytest.raises(BundleRefusedError, match="special tokens"):
        load_model(spoilt(bundle, tmp_path / "bare", "tokenizer.json", tokenizer))


def test_golden_texts_that_check_nothing_are_refused(bundle: Path, tmp_path: Path) -> None:
    """None at all, one without tokens, or one with the probabilities of another model's labels."""
    goldens = json.loads((bundle / "golden.json").read_text())
    with pytest.raises(BundleRefusedError, match="no texts"):
        load_model(spoilt(bundle, tmp_path / "none", "golden.json", []))
    short = [{**goldens[0], "probabilities": [0.5, 0.5]}, *goldens[1:]]
    with pytest.raises(BundleRefusedError, match=r"probabilities: List should have at least 3 items"):
        load_model(spoilt(bundle, tmp_path / "short", "golden.json", short))


@pytest.mark.parametrize("error", [MemoryError(), OutOfDeviceMemoryError("no room"), RuntimeError("odd")])
def test_no_memory_at_the_warm_up_is_the_devices_fault(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Exit code 6, for which a restart elsewhere helps; anything else that the graph does is the bundle's."""

    def logits(*_: object) -> NDArray[np.float32]:
        raise error

    monkeypatch.setattr(OnnxClassifier, "logits", logits)
    refused = BundleRefusedError if isinstance(error, RuntimeError) else ModelFailedError
    with pytest.raises(refused):
        load_model(settings(bundle))


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("std::bad_alloc"), RuntimeError("Out of memory")])
def test_no_memory_to_load_the_graph_is_the_devices_fault(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The same when the runtime allocates the weights."""

    def session(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("onnxruntime.InferenceSession", session)
    with pytest.raises(ModelFailedError, match="no memory"):
        load_model(settings(bundle))
