"""The small BERT checkpoint, the bundle that comes of it, and labelled reviews for both."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from export.pipeline import BundleOptions, export_bundle
from tests.export.running import quiet
from tests.export.serving import write_labelled
from tests.export.tiny_checkpoint import write_checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkpoint; not to be changed."""
    return write_checkpoint(tmp_path_factory.mktemp("checkpoints") / "Tiny Model")


@pytest.fixture
def own_checkpoint(checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the small checkpoint, to be changed at will."""
    return Path(shutil.copytree(checkpoint, tmp_path / "checkpoint"))


@pytest.fixture(scope="session")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of the small checkpoint; not to be changed."""
    output = tmp_path_factory.mktemp("bundles") / "bundle"
    export_bundle(BundleOptions(checkpoint, output, threads=1), quiet())
    return output


@pytest.fixture
def bundle(exported: Path, tmp_path: Path) -> Path:
    """A copy of the bundle, to be changed at will."""
    return Path(shutil.copytree(exported, tmp_path / "bundle"))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 300 labelled reviews."""
    write_labelled(file := tmp_path_factory.mktemp("reviews") / "test.jsonl", 300, seed=21)
    return file


@pytest.fixture(scope="session")
def reviews(data: Path) -> list[dict[str, Any]]:
    """What `data` holds."""
    return [json.loads(line) for line in data.read_text().splitlines()]


@pytest.fixture(scope="session")
def calibration(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 1200 labelled reviews, and one whose text is a golden one of the checkpoint."""
    write_labelled(file := tmp_path_factory.mktemp("reviews") / "calibration.jsonl", 1200, seed=11)
    golden = json.loads((checkpoint / "golden_pairs.json").read_text())[0]["fields"]["text"]
    with file.open("a") as lines:
        lines.write(json.dumps({"reviewText": golden, "overall": 5.0}) + "\n")
    return file


@pytest.fixture(scope="session")
def calibration_reviews(calibration: Path) -> list[dict[str, Any]]:
    """What `calibration` holds, without the golden text."""
    return [json.loads(line) for line in calibration.read_text().splitlines()[:-1]]
