"""Calibration and abstention in the bundle: fitted for the graph that serves, and kept by the worker."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.fields import Fields
from contract.labels import LABELS
from contract.manifest import BundleManifest
from contract.scoring import Temperature, probabilities
from evaluation.abstention import lower_bound
from evaluation.calibration import fit_temperatures
from export.confidence import calibrate
from reviews.review import Review
from tests.export.running import export
from tests.export.serving import MARK, STARS, worker_answers
from worker.adapters.bundle import read_bundle
from worker.adapters.classifier import OnnxClassifier
from worker.adapters.encoder import TokenizersEncoder

PRECISION = 0.85
VARIANTS = ("fp32", "int8")
Reviews = list[dict[str, Any]]


@pytest.fixture(scope="module")
def calibrated(calibration: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that was calibrated on the file."""
    output = tmp_path_factory.mktemp("bundles") / "calibrated"
    flags = ("--calibration", calibration, "--calibration-part", "all", "--precision", PRECISION)
    assert export(checkpoint, output, *flags) == 0
    return output


def logits_and_labels(folder: Path, variant: str, reviews: Reviews) -> tuple[np.ndarray, np.ndarray]:
    """A graph's answers to the reviews, one by one."""
    bundle = read_bundle(folder)
    encoder = TokenizersEncoder(bundle.tokenizer_file, bundle.manifest.encoding)
    classifier = OnnxClassifier(folder / bundle.variant(variant).file, device="cpu")
    rows = encoder.encode([Fields(review["reviewText"]) for review in reviews])
    labels = np.array([STARS.index(review["overall"]) for review in reviews])
    return np.concatenate([classifier.logits([row.ids]) for row in rows]), labels


def is_right(review: dict[str, Any], sentiment: dict[str, Any]) -> bool:
    return bool(sentiment["label"] == LABELS[STARS.index(review["overall"])])


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_temperature_is_that_of_the_very_graph(
    calibrated: Path, calibration_reviews: Reviews, variant: str
) -> None:
    """The manifest's temperatures are those of this variant's logits, one a label, and lower the ECE."""
    bundle = read_bundle(calibrated)
    logits, labels = logits_and_labels(calibrated, variant, calibration_reviews)
    temperature = bundle.variant(variant).temperature
    assert isinstance(temperature, tuple)
    assert temperature == pytest.approx(fit_temperatures(labels, logits), rel=1e-3)
    assert max(temperature) > 1.1, "the model does not know how unclear these texts are"
    record: Any = bundle.manifest.provenance["calibration"]
    assert (record["part"], record["texts"], record["left_out"]["used otherwise"]) == ("all", 1200, 1)
    assert record["files"][0]["name"] == "calibration.jsonl"
    figures = record["variants"][variant]
    assert figures["temperature"] == pytest.approx(dict(zip(LABELS, temperature, strict=True)), abs=1e-6)
    assert figures["after"]["ece"] < figures["before"]["ece"]
    assert figures["after"]["brier"] < figures["before"]["brier"]
    assert "fitted" in record["figures_on"]


def test_int8_has_a_temperature_of_its_own(calibrated: Path) -> None:
    """It is another model than fp32."""
    variants = read_bundle(calibrated).manifest.variants
    assert variants["int8"].temperature != variants["fp32"].temperature


def test_golden_probabilities_stay_uncalibrated(calibrated: Path, exported: Path) -> None:
    """They are those of the bundle without calibration, and the worker loads the bundle."""
    plain = {(golden.text, golden.title): golden for golden in read_bundle(exported).goldens}
    both = [(ours, plain[ours.text, ours.title]) for ours in read_bundle(calibrated).goldens
            if (ours.text, ours.title) in plain]  # fmt: skip
    assert len(both) > 15, "the hostile texts are golden in every bundle"
    for ours, theirs in both:
        # Other neighbours in PyTorch's batches move the last digits.
        assert ours.probabilities == pytest.approx(theirs.probabilities, abs=1e-6)
    assert len(worker_answers(calibrated, "int8", [{"text": "great"}])) == 1


def test_calibration_texts_are_not_written(calibrated: Path, calibration_reviews: Reviews) -> None:
    """Parity is measured on some of them; a bundle travels, and none of its texts is one of theirs."""
    given = {review["reviewText"] for review in calibration_reviews}
    assert not given & {golden.text for golden in read_bundle(calibrated).goldens}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_worker_keeps_the_promise(calibrated: Path, calibration_reviews: Reviews, variant: str) -> None:
    """Of the calibration texts, events that are not abstained are as precise as was asked, surely, and as many."""
    answers = worker_answers(calibrated, variant, calibration_reviews)
    kept = [is_right(*pair) for pair in zip(calibration_reviews, answers, strict=True) if not pair[1]["abstained"]]
    assert lower_bound(np.array([sum(kept)]), np.array([len(kept)]))[0] >= PRECISION
    below = read_bundle(calibrated).variant(variant).abstain_below
    assert all(answer["abstained"] == (answer["confidence"] < below) for answer in answers)
    record: Any = read_bundle(calibrated).manifest.provenance["calibration"]
    assert record["variants"][variant]["coverage"] == pytest.approx(len(kept) / len(calibration_reviews), abs=2e-3)
    assert record["variants"][variant]["precision"] == pytest.approx(sum(kept) / len(kept), abs=2e-3)
    assert 0.2 < len(kept) / len(calibration_reviews) < 1


def test_no_calibration_text_is_in_the_bundle(calibrated: Path, calibration_reviews: Reviews) -> None:
    """Neither a text nor its mark stands in any file."""
    for path in calibrated.iterdir():
        content = path.read_bytes()
        assert f"{MARK}11{MARK}".encode() not in content, path.name
    goldens = {golden.text for golden in read_bundle(calibrated).goldens}
    assert not goldens & {review["reviewText"] for review in calibration_reviews}


@pytest.mark.parametrize("temperature", [2.0, (3.0, 0.5, 2.0)])
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_worker_divides_the_logits(bundle: Path, variant: str, temperature: Temperature) -> None:
    """A bundle of temperature 2 gives events the probabilities of halved logits; or each answer has its own."""
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest["variants"][variant] |= {"temperature": temperature, "abstain_below": 0.7}
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    reviews = [{"reviewText": text, "overall": 5.0} for text in ("great love it", "okay", "awful", "the cable is")]
    logits, _ = logits_and_labels(bundle, variant, reviews)
    expected = probabilities(logits, temperature)
    for row, sentiment in zip(expected, worker_answers(bundle, variant, reviews), strict=True):
        shown = [sentiment["probabilities"][label] for label in LABELS]
        assert shown == pytest.approx(row.tolist(), abs=2e-3)
        assert sentiment["confidence"] == max(shown)
        assert sentiment["abstained"] == (max(shown) < 0.7)


def test_confidences_are_compared_as_the_worker_rounds_them() -> None:
    """Texts that differ in the seventh digit only are kept or abstained together, by what events show."""
    logits = np.array([[0, 0, 4 + index * 1e-7] for index in range(100)], dtype=np.float32)
    found = calibrate([Review("", 2, "")] * 100, logits, 0.9)
    assert found.abstention.kept == 100
    assert found.abstain_below == round(found.abstain_below, 6)


def test_a_manifest_of_before_is_still_read(exported: Path) -> None:
    """A variant without temperature and threshold has 1 and 0: older bundles serve as they did."""
    manifest = json.loads((exported / "bundle.json").read_text())
    for variant in manifest["variants"].values():
        del variant["temperature"], variant["abstain_below"]
    read = BundleManifest.model_validate(manifest)
    assert {(one.temperature, one.abstain_below) for one in read.variants.values()} == {(1.0, 0.0)}
