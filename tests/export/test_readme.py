"""What the bundle tells other loaders is what the worker does."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxruntime import InferenceSession

from contract.fields import is_blank
from contract.inputs import pad_rows
from contract.labels import LABELS
from export.readme import write_readme
from tests.export.serving import worker_answers
from worker.adapters.bundle import read_bundle


def told_by(bundle: Path, temperature: float | list[float], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the page's own code defines, for a bundle of these temperatures."""
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest["variants"]["fp32"]["temperature"] = temperature
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    write_readme(bundle)
    code = (bundle / "README.md").read_text().split("```python")[1].split("```")[0]
    names: dict[str, Any] = {}
    monkeypatch.chdir(bundle)
    exec(code, names)  # noqa: S102 - our own page
    return names


@pytest.mark.parametrize("temperature", [1.0, 1.7, [0.6, 1.9, 1.3]])
def test_another_loader_that_follows_the_page_gives_the_workers_probabilities(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, temperature: float | list[float]
) -> None:
    """ONNX Runtime's logits, scaled with the code on the page, are what the worker publishes."""
    told = told_by(bundle, temperature, monkeypatch)
    goldens = [golden for golden in read_bundle(bundle).goldens if not is_blank(golden.text)]
    events = [{"reviewText": golden.text, "title": golden.title} for golden in goldens]
    session = InferenceSession(bundle / "model.onnx", providers=["CPUExecutionProvider"])
    logits = np.concatenate([session.run(["logits"], pad_rows([golden.ids]))[0] for golden in goldens])

    expected = [
        [answer["probabilities"][label] for label in LABELS] for answer in worker_answers(bundle, "fp32", events)
    ]

    assert told["probabilities"](logits, told["temperature"]) == pytest.approx(np.array(expected), abs=1e-5)


def test_the_page_says_how_far_unscaled_probabilities_are_off(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest difference on the golden texts stands there, and every variant's temperatures."""
    temperature = [0.6, 1.9, 1.3]
    told = told_by(bundle, temperature, monkeypatch)
    own = np.array([golden.probabilities for golden in read_bundle(bundle).goldens])
    difference = np.abs(told["probabilities"](np.log(own), temperature) - own).max()

    page = (bundle / "README.md").read_text()

    assert difference > 0.05
    assert f"by up to {difference:.2f}" in page
    assert "| fp32 | `model.onnx` | 0.6, 1.9, 1.3 | 0 |" in page
    assert "| int8 | `model.int8.onnx` | 1, 1, 1 | 0 |" in page


def test_every_bundle_has_the_page_and_serves_without_it(exported: Path, bundle: Path) -> None:
    """Export writes it; it is not hashed, so a publisher of the bundle may change it."""
    assert "uncalibrated" not in (exported / "README.md").read_text()
    assert "here they are 1" in (exported / "README.md").read_text()
    (bundle / "README.md").unlink()
    assert read_bundle(bundle).manifest.name == "tiny-model"
