"""The check before a worker joins its group, on a BERT that this session trained."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from worker.adapters.bundle import read_bundle
from worker.adapters.classifier import OnnxClassifier
from worker.adapters.encoder import TokenizersEncoder
from worker.adapters.warmup import warm_up
from worker.errors import BundleRefusedError


def classifier(folder: Path) -> OnnxClassifier:
    return OnnxClassifier(folder / "model.onnx", device="cpu")


def test_the_bundle_of_this_session_is_warm_within_its_tolerance(bundle: Path) -> None:
    """Read, verified and warmed up as at a worker's start."""
    read = read_bundle(bundle)
    encoder = TokenizersEncoder(read.tokenizer_file, read.manifest.encoding)

    report = warm_up(read, "fp32", encoder, classifier(bundle))

    assert report.texts == 64
    assert report.probability_delta_max < 1e-3


def test_it_says_how_long_the_device_took(bundle: Path) -> None:
    """For all golden texts; the first window is cut by that."""
    read = read_bundle(bundle)
    encoder = TokenizersEncoder(read.tokenizer_file, read.manifest.encoding)
    report = warm_up(read, "fp32", encoder, classifier(bundle))
    assert report.size_bytes == sum(len(golden.text.encode()) for golden in read.goldens) > 0
    assert report.elapsed_s > 0


def test_a_model_that_misses_its_goldens_is_refused(bundle: Path) -> None:
    """Warm-up compares every golden probability, and NaN is no agreement."""
    read = read_bundle(bundle)
    encoder = TokenizersEncoder(read.tokenizer_file, read.manifest.encoding)

    class Broken(OnnxClassifier):
        def logits(self, rows):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
            return super().logits(rows) * np.float32("nan")

    with pytest.raises(BundleRefusedError, match="golden"):
        warm_up(read, "fp32", encoder, Broken(bundle / "model.onnx", device="cpu"))


def test_a_variant_that_was_measured_is_held_to_its_own_answers(bundle: Path) -> None:
    """Tightly, and however far those are from the reference's; without them, to the reference's, loosely."""
    read = read_bundle(bundle)
    encoder = TokenizersEncoder(read.tokenizer_file, read.manifest.encoding)
    limits = read.variant("fp32").model_copy(update={"golden_delta_max": 0.5, "own_golden_delta_max": 0.01})
    manifest = read.manifest.model_copy(update={"variants": {"fp32": limits}})

    def warm(shift: float, own_shift: float | None) -> None:
        goldens = [
            golden.model_copy(
                update={
                    "probabilities": [value + shift for value in golden.probabilities],
                    "own": {}
                    if own_shift is None
                    else {"fp32": [value + own_shift for value in golden.probabilities]},
                }
            )
            for golden in read.goldens
        ]
        warm_up(replace(read, manifest=manifest, goldens=tuple(goldens)), "fp32", encoder, classifier(bundle))

    warm(shift=0.9, own_shift=0.0)
    warm(shift=0.4, own_shift=None)
    with pytest.raises(BundleRefusedError, match=r"off by 0\.0[0-9]+ .* 0\.0100 is allowed"):
        warm(shift=0.0, own_shift=0.02)
    with pytest.raises(BundleRefusedError, match=r"0\.5000 is allowed"):
        warm(shift=0.6, own_shift=None)


def test_a_few_texts_may_be_further_off_than_the_rest(bundle: Path) -> None:
    """One in eight, as far as the variant may be from the reference: int8 rounds them to the other side."""
    read = read_bundle(bundle)
    encoder = TokenizersEncoder(read.tokenizer_file, read.manifest.encoding)
    limits = read.variant("fp32").model_copy(update={"golden_delta_max": 0.1, "own_golden_delta_max": 0.01})
    manifest = read.manifest.model_copy(update={"variants": {"fp32": limits}})

    def warm(moved: int, shift: float) -> None:
        goldens = [
            golden.model_copy(
                update={"own": {"fp32": [value + shift * (place < moved) for value in golden.probabilities]}}
            )
            for place, golden in enumerate(read.goldens)
        ]
        warm_up(replace(read, manifest=manifest, goldens=tuple(goldens)), "fp32", encoder, classifier(bundle))

    warm(moved=64 // 8, shift=0.05)
    with pytest.raises(BundleRefusedError, match=r"on 9 of its 64 golden texts .* 0\.0100 is allowed"):
        warm(moved=64 // 8 + 1, shift=0.05)
    with pytest.raises(BundleRefusedError, match=r"on one of its 64 golden texts .* 0\.1000 is allowed"):
        warm(moved=1, shift=0.2)
