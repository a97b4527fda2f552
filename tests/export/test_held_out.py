"""What labelled reviews that trained nothing say of each variant."""

from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import f1_score

from contract.labels import LABELS
from tests.export.running import export, hold_to, told
from tests.export.serving import MARK, STARS, worker_answers, write_labelled
from tests.review_files import write_lines
from worker.adapters.bundle import read_bundle

VARIANTS = ("fp32", "int8")
Reviews = list[dict[str, Any]]


def test_without_reviews_nothing_is_calibrated(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Temperature 1, never abstaining, and a line that says so and what to do."""
    assert export(checkpoint, tmp_path / "b", "--variants", "fp32") == 0
    assert "will not be calibrated" in (message := told(capsys))
    assert "--calibration" in message
    variant = read_bundle(tmp_path / "b").variant("fp32")
    assert (variant.temperature, variant.abstain_below) == (1.0, 0.0)


def test_without_a_precision_nothing_abstains(checkpoint: Path, calibration: Path, tmp_path: Path) -> None:
    """A temperature alone marks no event."""
    flags = ("--variants", "fp32", "--calibration", calibration, "--calibration-part", "all")
    assert export(checkpoint, tmp_path / "b", *flags) == 0
    variant = read_bundle(tmp_path / "b").variant("fp32")
    assert variant.temperature != 1
    assert variant.abstain_below == 0
    record: Any = read_bundle(tmp_path / "b").manifest.provenance["calibration"]
    assert record["variants"]["fp32"]["precision_reached"] is None


def test_what_can_not_be_promised_abstains(
    checkpoint: Path,
    calibration: Path,
    calibration_reviews: Reviews,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A precision out of reach marks everything, says so, and stands in the manifest."""
    flags = ("--variants", "fp32", "--calibration", calibration, "--calibration-part", "all", "--precision", 0.999)
    assert export(checkpoint, tmp_path / "b", *flags) == 0
    assert "at no threshold do 1200 texts prove a precision of 0.999" in told(capsys)
    bundle = read_bundle(tmp_path / "b")
    assert bundle.variant("fp32").abstain_below == 1
    record: Any = bundle.manifest.provenance["calibration"]
    assert record["variants"]["fp32"]["precision_reached"] is False
    assert all(answer["abstained"] for answer in worker_answers(tmp_path / "b", "fp32", calibration_reviews[:50]))


def test_what_int8_loses_on_reviews_decides_and_is_written_down(
    checkpoint: Path,
    calibration: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The manifest has the loss with its intervals; a gate on it makes export try again, and then refuse."""
    flags = ("--calibration", calibration, "--calibration-part", "all")
    assert export(checkpoint, tmp_path / "b", *flags) == 0
    lost: Any = read_bundle(tmp_path / "b").manifest.provenance["measurements"]
    assert "beside_reference" not in lost["fp32"]
    assert lost["int8"]["beside_reference"]["texts"] == 1200
    assert lost["int8"]["beside_reference"]["macro_f1_difference"]["low"] >= -0.02
    assert "on 1200 calibration texts it keeps" in told(capsys)

    hold_to(monkeypatch, "int8", macro_f1_loss_max=-1.0)
    assert export(checkpoint, tmp_path / "refused", *flags) == 0
    bundle = read_bundle(tmp_path / "refused")
    assert list(bundle.manifest.variants) == ["fp32"]
    refusals: Any = bundle.manifest.provenance["refused_variants"]
    assert "of macro-F1, by its interval on 1200 calibration texts" in refusals["int8"]
    assert told(capsys).count("trying again") == 3


def test_accuracy_comes_from_test_texts(checkpoint: Path, calibration: Path, tmp_path: Path) -> None:
    """--test gives each variant the figures of its own answers; no text of it is written either."""
    test = write_labelled(tmp_path / "test.jsonl", 300, seed=12)
    output, flags = tmp_path / "b", ("--calibration", calibration, "--calibration-part", "all")
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
    calibration: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2, what is wrong, and nothing is left behind."""
    write_lines(few := tmp_path / "few.jsonl", [{"reviewText": "great secret", "overall": 5.0}])
    words = [word.format(file=calibration, few=few) for word in flags]
    assert export(checkpoint, tmp_path / "b", *words) == 2
    assert says in told(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["few.jsonl"]
