"""What of a bundle is refused, on a BERT that this session trained."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from worker.adapters.bundle import read_bundle
from worker.adapters.classifier import OnnxClassifier
from worker.errors import BundleRefusedError


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    """A bundle to be spoilt."""
    return Path(shutil.copytree(bundle, tmp_path / "bundle"))


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


def test_files_may_be_links_into_a_cache(copy: Path) -> None:
    """As the Hugging Face cache keeps them: a snapshot of links to blobs elsewhere, guarded by their hashes."""
    blobs = copy.parent / "blobs"
    blobs.mkdir()
    for file in [file for file in copy.rglob("*") if file.is_file()]:
        blob = blobs / hashlib.sha256(file.read_bytes()).hexdigest()
        file.rename(blob)
        file.symlink_to(os.path.relpath(blob, file.parent))
    read = read_bundle(copy)
    OnnxClassifier(copy / read.variant("fp32").file, device="cpu")
    assert read.manifest.files

    (copy / "golden.json").resolve().write_text("[]")
    with pytest.raises(BundleRefusedError, match=r"golden\.json was altered"):
        read_bundle(copy)


@pytest.mark.parametrize("name", ["../elsewhere", "/etc/hostname", "a/../../elsewhere"])
def test_a_manifest_can_not_point_outside(copy: Path, name: str) -> None:
    """A file beyond the folder is refused before it is read."""
    manifest = json.loads((copy / "bundle.json").read_text())
    manifest["files"][name] = {"bytes": 0, "sha256": "0" * 64}
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
