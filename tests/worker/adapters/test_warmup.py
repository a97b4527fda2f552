"""The check before a worker joins its group, on a BERT that this session trained."""

from pathlib import Path

import numpy as np
import pytest

from worker.adapters.bundle import read_bundle
from worker.adapters.classifier import OnnxClassifier
from worker.adapters.encoder import TokenizersEncoder
from worker.adapters.warmup import warm_up
from worker.errors import BundleRefusedError


def classifier(folder: Path) -> OnnxClassifier:
    return OnnxClassifier(folder / "model.onnx", device="cpu", threads=1)


def test_the_bundle_of_this_session_is_warm_within_its_tolerance(bundle: Path) -> None:
    """Read, verified and warmed up as at a worker's start."""
    read = read_bundle(bundle)
    encoder = TokenizersEncoder(read.tokenizer_file, read.manifest.encoding)

    report = warm_up(read, "fp32", encoder, classifier(bundle))

    assert report.texts == 64
    assert report.probability_delta_max < 1e-3


def test_a_model_that_misses_its_goldens_is_refused(bundle: Path) -> None:
    """Warm-up compares every golden probability, and NaN is no agreement."""
    read = read_bundle(bundle)
    encoder = TokenizersEncoder(read.tokenizer_file, read.manifest.encoding)

    class Broken(OnnxClassifier):
        def logits(self, rows):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
            return super().logits(rows) * np.float32("nan")

    with pytest.raises(BundleRefusedError, match="golden"):
        warm_up(read, "fp32", encoder, Broken(bundle / "model.onnx", device="cpu"))
