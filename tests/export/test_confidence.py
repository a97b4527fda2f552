"""Calibration and abstention in the bundle: fitted for the graph that serves, and kept by the worker."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from contract.fields import Fields
from contract.labels import LABELS
from contract.manifest import BundleManifest
from contract.scoring import Temperature, probabilities
from evaluation.abstention import lower_bound
from evaluation.calibration import fit_temperatures
from export.__main__ import main
from export.confidence import calibrate
from reviews.review import Review
from tests.export.serving import MARK, STARS, worker_answers, write_labelled, write_lines
from worker.adapters.bundle import read_bundle
from worker.adapters.classifier import OnnxClassifier
from worker.adapters.encoder import TokenizersEncoder

PRECISION = 0.85
VARIANTS = ("fp32", "int8")
Reviews = list[dict[str, Any]]


def export(checkpoint: Path, output: Path, *more: object) -> int:
    return main(
        ["bundle", "--checkpoint", str(checkpoint), "--output", str(output), "--threads", "1", *map(str, more)]
    )


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 1200 labelled reviews, and one text that is a golden one of the checkpoint."""
    return tmp_path_factory.mktemp("reviews") / "calibration.jsonl"


@pytest.fixture(scope="module")
def reviews(file: Path, checkpoint: Path) -> Reviews:
    """What the file holds, without the golden text."""
    reviews = write_labelled(file, 1200, seed=11)
    golden = json.loads((checkpoint / "golden_pairs.json").read_text())[0]["fields"]["text"]
    write_lines(file, [*reviews, {"reviewText": golden, "overall": 5.0}])
    return reviews


@pytest.fixture(scope="module")
def calibrated(file: Path, reviews: Reviews, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that was calibrated on the file."""
    output = tmp_path_factory.mktemp("bundles") / "calibrated"
    flags = ("--calibration", file, "--calibration-part", "all", "--precision", PRECISION)
    assert export(checkpoint, output, *flags) == 0
    return output


def logits_and_labels(folder: Path, variant: str, reviews: Reviews) -> tuple[np.ndarray, np.ndarray]:
    """A graph's answers to the reviews, one by one."""
    bundle = read_bundle(folder)
    encoder = TokenizersEncoder(bundle.tokenizer_file, bundle.manifest.encoding)
    classifier = OnnxClassifier(folder / bundle.variant(variant).file, device="cpu", threads=1)
    rows = encoder.encode([Fields(review["reviewText"]) for review in reviews])
    labels = np.array([STARS.index(review["overall"]) for review in reviews])
    return np.concatenate([classifier.logits([row.ids]) for row in rows]), labels


def is_right(review: dict[str, Any], sentiment: dict[str, Any]) -> bool:
    return bool(sentiment["label"] == LABELS[STARS.index(review["overall"])])


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_temperature_is_that_of_the_very_graph(calibrated: Path, reviews: Reviews, variant: str) -> None:
    """The manifest's temperatures are those of this variant's logits, one a label, and lower the ECE."""
    bundle = read_bundle(calibrated)
    logits, labels = logits_and_labels(calibrated, variant, reviews)
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


def test_calibration_texts_are_not_written(calibrated: Path, reviews: Reviews) -> None:
    """Parity is measured on some of them; a bundle travels, and none of its texts is one of theirs."""
    given = {review["reviewText"] for review in reviews}
    assert not given & {golden.text for golden in read_bundle(calibrated).goldens}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_worker_keeps_the_promise(calibrated: Path, reviews: Reviews, variant: str) -> None:
    """Of the calibration texts, events that are not abstained are as precise as was asked, surely, and as many."""
    answers = worker_answers(calibrated, variant, reviews)
    kept = [is_right(*pair) for pair in zip(reviews, answers, strict=True) if not pair[1]["abstained"]]
    assert lower_bound(np.array([sum(kept)]), np.array([len(kept)]))[0] >= PRECISION
    below = read_bundle(calibrated).variant(variant).abstain_below
    assert all(answer["abstained"] == (answer["confidence"] < below) for answer in answers)
    record: Any = read_bundle(calibrated).manifest.provenance["calibration"]
    assert record["variants"][variant]["coverage"] == pytest.approx(len(kept) / len(reviews), abs=2e-3)
    assert record["variants"][variant]["precision"] == pytest.approx(sum(kept) / len(kept), abs=2e-3)
    assert 0.2 < len(kept) / len(reviews) < 1


def test_no_calibration_text_is_in_the_bundle(calibrated: Path, reviews: Reviews) -> None:
    """Neither a text nor its mark stands in any file."""
    for path in calibrated.iterdir():
        content = path.read_bytes()
        assert f"{MARK}11{MARK}".encode() not in content, path.name
    goldens = {golden.text for golden in read_bundle(calibrated).goldens}
    assert not goldens & {review["reviewText"] for review in reviews}


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


def test_without_reviews_nothing_is_calibrated(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Temperature 1, never abstaining, and a line that says so and what to do."""
    assert export(checkpoint, tmp_path / "b", "--variants", "fp32") == 0
    assert "will not be calibrated" in (message := told(capsys))
    assert "--calibration" in message
    variant = read_bundle(tmp_path / "b").variant("fp32")
    assert (variant.temperature, variant.abstain_below) == (1.0, 0.0)


def test_without_a_precision_nothing_abstains(
    checkpoint: Path, file: Path, reviews: Reviews, tmp_path: Path
) -> None:
    """A temperature alone marks no event."""
    flags = ("--variants", "fp32", "--calibration", file, "--calibration-part", "all")
    assert export(checkpoint, tmp_path / "b", *flags) == 0
    variant = read_bundle(tmp_path / "b").variant("fp32")
    assert variant.temperature != 1
    assert variant.abstain_below == 0
    record: Any = read_bundle(tmp_path / "b").manifest.provenance["calibration"]
    assert record["variants"]["fp32"]["precision_reached"] is None


def test_what_can_not_be_promised_abstains(
    checkpoint: Path, file: Path, reviews: Reviews, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A precision out of reach marks everything, says so, and stands in the manifest."""
    flags = ("--variants", "fp32", "--calibration", file, "--calibration-part", "all", "--precision", 0.999)
    assert export(checkpoint, tmp_path / "b", *flags) == 0
    assert "at no threshold do 1200 texts prove a precision of 0.999" in told(capsys)
    bundle = read_bundle(tmp_path / "b")
    assert bundle.variant("fp32").abstain_below == 1
    record: Any = bundle.manifest.provenance["calibration"]
    assert record["variants"]["fp32"]["precision_reached"] is False
    assert all(answer["abstained"] for answer in worker_answers(tmp_path / "b", "fp32", reviews[:50]))


def test_confidences_are_compared_as_the_worker_rounds_them() -> None:
    """Texts that differ in the seventh digit only are kept or abstained together, by what events show."""
    logits = np.array([[0, 0, 4 + index * 1e-7] for index in range(100)], dtype=np.float32)
    found = calibrate([Review("", 2, "")] * 100, logits, 0.9)
    assert found.abstention.kept == 100
    assert found.abstain_below == round(found.abstain_below, 6)


def test_the_default_part_is_chosen_by_content(
    own_checkpoint: Path, file: Path, reviews: Reviews, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of all reviews those of the part `calibration` count; a checkpoint that was split otherwise is warned of."""
    flags = ("--variants", "fp32", "--calibration", file)
    assert export(own_checkpoint, tmp_path / "doubtful", *flags) == 0
    message = told(capsys)
    assert "does not say how its data was split" in message
    assert "calibration texts are few" in message
    (own_checkpoint / "training.json").write_text(json.dumps({"split": "hash"}))
    assert export(own_checkpoint, tmp_path / "sound", *flags) == 0
    assert "how its data was split" not in told(capsys)
    record: Any = read_bundle(tmp_path / "sound").manifest.provenance["calibration"]
    assert record["part"] == "calibration"
    assert 20 < record["texts"] < 120
    assert record["texts"] + record["left_out"]["of other parts"] == 1201


def test_a_file_that_trained_is_recognised(
    own_checkpoint: Path, file: Path, reviews: Reviews, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its hash in the training record, where all parts of it are asked for."""
    import hashlib  # noqa: PLC0415 - one test needs it

    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    record = {"split": "hash", "data": {"files": [{"name": "train.jsonl", "sha256": sha256}]}}
    (own_checkpoint / "training.json").write_text(json.dumps(record))
    flags = ("--variants", "fp32", "--calibration", file, "--calibration-part", "all")
    assert export(own_checkpoint, tmp_path / "b", *flags) == 0
    assert "calibration.jsonl of --calibration trained this checkpoint" in told(capsys)


def test_accuracy_comes_from_test_texts(
    checkpoint: Path, file: Path, reviews: Reviews, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--test gives each variant the figures of its own answers; no text of it is written either."""
    test = write_labelled(tmp_path / "test.jsonl", 300, seed=12)
    output, flags = tmp_path / "b", ("--calibration", file, "--calibration-part", "all")
    assert export(checkpoint, output, *flags, "--test", tmp_path / "test.jsonl", "--test-part", "all") == 0
    for variant in VARIANTS:
        answers = [answer["label"] for answer in worker_answers(output, variant, test)]
        truth = [LABELS[STARS.index(review["overall"])] for review in test]
        figures = read_bundle(output).variant(variant).accuracy
        assert figures["macro_f1"] == pytest.approx(f1_score(truth, answers, average="macro"), abs=1e-6)
        assert figures["rows"] == 300
    assert not any(f"{MARK}12{MARK}".encode() in path.read_bytes() for path in output.iterdir())
    sheet: Any = read_bundle(output).manifest.provenance["test"]
    assert (sheet["part"], sheet["texts"]) == ("all", 300)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--precision", "0.9"], "--precision needs --calibration"),
        (["--calibration", "{file}", "--precision", "1"], "a share between 0 and 1"),
        (["--calibration", "{file}", "--precision", "nan"], "a share between 0 and 1"),
        (["--calibration", "{file}", "--precision", "most"], "invalid float value"),
        (["--calibration", "{file}", "--calibration-part", "some"], "invalid choice"),
        (["--calibration", "absent.json"], "can't read absent.json"),
        (["--calibration", "{few}"], "--calibration-part all"),
        (["--calibration", "{few}", "--calibration-part", "all"], "no neutral review"),
        (
            ["--calibration", "{file}", "--calibration-part", "all", "--test", "{file}", "--test-part", "all"],
            "all 1201 texts of --test are in the bundle or used for calibration",
        ),
        (["--test", "{file}"], "does not say how its data was split"),
    ],
)
def test_wrong_input_is_told_before_the_work(
    flags: list[str],
    says: str,
    checkpoint: Path,
    file: Path,
    reviews: Reviews,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2, what is wrong, and nothing is left behind."""
    write_lines(few := tmp_path / "few.jsonl", [{"reviewText": "great secret", "overall": 5.0}])
    words = [word.format(file=file, few=few) for word in flags]
    assert export(checkpoint, tmp_path / "b", *words) == 2
    assert says in told(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["few.jsonl"]


def test_a_manifest_of_before_is_still_read(exported: Path) -> None:
    """A variant without temperature and threshold has 1 and 0: older bundles serve as they did."""
    manifest = json.loads((exported / "bundle.json").read_text())
    for variant in manifest["variants"].values():
        del variant["temperature"], variant["abstain_below"]
    read = BundleManifest.model_validate(manifest)
    assert {(one.temperature, one.abstain_below) for one in read.variants.values()} == {(1.0, 0.0)}
