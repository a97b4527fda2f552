"""A bundle appears under its name whole or not at all, and any later change shows."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from contract.errors import UsageError
from export.write import check_output, publish, staging_folder
from worker.adapters.bundle import read_bundle
from worker.adapters.classifier import OnnxClassifier
from worker.adapters.encoder import TokenizersEncoder
from worker.adapters.warmup import warm_up
from worker.errors import BundleRefusedError

_KILLED = """
import os, signal, sys
from pathlib import Path
import export.write as write
from export.checkpoint import read_checkpoint

checkpoint, output, last = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]

def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

if last != "everything":
    setattr(write, last, die)
with write.staging_folder(output) as folder:
    (folder / "model.onnx").write_bytes(b"graph")
    write.write_contents(folder, read_checkpoint(checkpoint), [])
    write.digests(folder)
    write.publish(folder, output, overwrite=False)
"""


@pytest.mark.parametrize("dies_at", ["write_contents", "digests", "publish"])
def test_a_kill_between_files_leaves_no_bundle(checkpoint: Path, tmp_path: Path, dies_at: str) -> None:
    """SIGKILL at any step before the rename: the final name does not exist."""
    output = tmp_path / "bundle"
    done = subprocess.run([sys.executable, "-c", _KILLED, checkpoint, output, dies_at], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not output.exists()
    assert (
        subprocess.run([sys.executable, "-c", _KILLED, checkpoint, output, "everything"], check=False).returncode
        == 0
    )
    assert (output / "model.onnx").exists(), "what the killed one left does not stand in the way"


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    """An error before the rename removes the temporary folder."""
    with pytest.raises(FileNotFoundError), staging_folder(tmp_path / "b") as folder:
        (folder / "absent" / "model.onnx").write_bytes(b"half")
    assert list(tmp_path.iterdir()) == []


def test_an_older_bundle_is_replaced_only_when_asked(tmp_path: Path) -> None:
    """Without --overwrite the older one stays; with it the new one stands there, and no remains."""
    output = tmp_path / "b"
    output.mkdir()
    (output / "bundle.json").write_text("old")
    with pytest.raises(UsageError, match="--overwrite"):
        check_output(output, overwrite=False)
    with staging_folder(output) as folder:
        (folder / "bundle.json").write_text("new")
        publish(folder, output, overwrite=True)
    assert (output / "bundle.json").read_text() == "new"
    assert list(tmp_path.iterdir()) == [output]


def test_overwrite_spares_what_is_no_bundle(tmp_path: Path) -> None:
    """A folder without a manifest, or a file, may be somebody's work: it is never replaced."""
    (tmp_path / "thesis.txt").write_text("years")
    with pytest.raises(UsageError, match="no bundle"):
        check_output(tmp_path, overwrite=True)
    with pytest.raises(UsageError, match="no bundle"):
        check_output(tmp_path / "thesis.txt", overwrite=True)


def test_the_bundle_can_be_read_by_another_user(exported: Path) -> None:
    """The worker's container runs as somebody else than the export did."""
    assert exported.stat().st_mode & 0o055 == 0o055
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in exported.iterdir())


@pytest.mark.parametrize("name", ["model.onnx", "model.int8.onnx", "tokenizer.json", "golden.json", "config.json"])
def test_an_altered_file_is_refused(bundle: Path, name: str) -> None:
    """One changed byte of any file shows in its hash."""
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(BundleRefusedError, match=name):
        read_bundle(bundle)


@pytest.mark.parametrize("name", ["fp32", "int8"])
def test_perturbed_weights_fail_the_warm_up(bundle: Path, name: str) -> None:
    """A graph that is another model is refused by the goldens, whatever its hash."""
    read = read_bundle(bundle)
    file = bundle / read.variant(name).file
    model = onnx.load(file)
    classifier_weight = next(item for item in model.graph.initializer if item.name == "classifier.weight")
    weight = onnx.numpy_helper.to_array(classifier_weight)
    classifier_weight.CopyFrom(onnx.numpy_helper.from_array(np.roll(weight, 1, axis=0), classifier_weight.name))
    onnx.save(model, file)
    encoder = TokenizersEncoder(read.tokenizer_file, read.manifest.encoding)
    with pytest.raises(BundleRefusedError, match="golden texts"):
        warm_up(read, name, encoder, OnnxClassifier(file, device="cpu"))
