"""Checkpoint and bundle in the hands of other servers: what they answer is what the worker answers."""

import json
import os
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.labels import LABELS
from contract.scoring import Temperature, probabilities
from tests.export.serving import worker_answers
from tests.integration.harness import until

pytestmark = pytest.mark.foreign
_HERE = Path(__file__).parent
_ALONE = os.environ | {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}


@pytest.fixture(scope="module")
def texts(checkpoint: Path) -> list[str]:
    """Some that the model did not learn; where a longer one is cut, transformers does not know."""
    lines = (checkpoint.parent / "held-out.jsonl").read_text().splitlines()[:200]
    return [json.loads(line)["reviewText"] for line in lines]


def worker_probabilities(bundle: Path, texts: list[str]) -> list[list[float]]:
    """Of each text by the worker, in class-id order."""
    answers = worker_answers(bundle, "fp32", [{"reviewText": text} for text in texts])
    assert not any(answer["truncated"] for answer in answers)
    assert len({answer["label"] for answer in answers}) > 1
    return [[answer["probabilities"][label] for label in LABELS] for answer in answers]


@pytest.mark.parametrize("temperature", [1.0, (0.6, 1.9, 1.3)])
def test_optimum_gives_the_workers_probabilities_uncalibrated(
    foreign: Path, bundle: Path, texts: list[str], tmp_path: Path, temperature: Temperature
) -> None:
    """From the folder as it is, with other graphs; scaled as the bundle's page says, they are the served ones."""
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    shutil.copy(folder / "model.onnx", folder / "model.int8.onnx")
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest["variants"]["fp32"]["temperature"] = temperature
    (folder / "bundle.json").write_text(json.dumps(manifest))
    done = subprocess.run(
        [foreign / "optimum" / "bin" / "python", _HERE / "optimum_logits.py", folder],
        input=json.dumps(texts), env=_ALONE, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout)

    assert tuple(theirs["labels"]) == tuple(LABELS)
    assert probabilities(np.array(theirs["logits"]), temperature) == pytest.approx(
        np.array(worker_probabilities(folder, texts)), abs=1e-5
    )


@pytest.fixture
def infinity(foreign: Path, checkpoint: Path, tmp_path: Path) -> Iterator[str]:
    """The address of an Infinity that serves the checkpoint."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command: list[str | Path] = [
        foreign / "infinity" / "bin" / "infinity_emb",
        "v2",
        "--model-id",
        checkpoint,
        "--port",
        port,
    ]
    command += ["--host", "127.0.0.1", "--device", "cpu", "--no-model-warmup", "--served-model-name", "reviews"]
    with (tmp_path / "log").open("w+") as log, subprocess.Popen(command, env=_ALONE, stdout=log, stderr=log) as it:
        try:
            address = f"http://127.0.0.1:{port}"
            until(lambda: it.poll() is not None or is_healthy(address), "Infinity does not start", 120)
            assert it.poll() is None, (tmp_path / "log").read_text()
            yield address
        finally:
            it.terminate()


def is_healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5):  # noqa: S310 - ours
            return True
    except urllib.error.URLError:
        return False


def test_infinity_serves_the_checkpoint_with_the_workers_labels(
    infinity: str, bundle: Path, texts: list[str]
) -> None:
    """And with its probabilities, since this bundle is not calibrated."""
    body = json.dumps({"model": "reviews", "input": texts}).encode()
    asked = urllib.request.Request(f"{infinity}/classify", body, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(asked, timeout=100) as answer:  # noqa: S310
        rows: list[list[dict[str, Any]]] = json.load(answer)["data"]
    theirs = [{each["label"]: each["score"] for each in row} for row in rows]
    ours = worker_probabilities(bundle, texts)

    assert {row[0]["label"] for row in rows} <= set(LABELS)
    assert [max(one, key=one.__getitem__) for one in theirs] == [LABELS[int(np.argmax(row))] for row in ours]
    given = np.array([[one[label] for label in LABELS] for one in theirs])
    assert given == pytest.approx(np.array(ours), abs=1e-5)
