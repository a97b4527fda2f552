"""Measuring a finished bundle as a user does it: what is shown and written is what its workers answer."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score

from contract.labels import LABELS
from tests.export.running import evaluate, told
from tests.export.serving import STARS, worker_answers

Reviews = list[dict[str, Any]]


def change_manifest(bundle: Path, **variant: float | None) -> None:
    manifest = json.loads((bundle / "bundle.json").read_text())
    for entry in manifest["variants"].values():
        entry.update(variant)
    (bundle / "bundle.json").write_text(json.dumps(manifest))


@pytest.fixture
def served(bundle: Path) -> Path:
    """A bundle whose variants have a temperature and a threshold."""
    change_manifest(bundle, temperature=2.0, abstain_below=0.8)
    return bundle


def test_the_figures_are_those_of_the_workers_answers(
    served: Path, data: Path, reviews: Reviews, tmp_path: Path
) -> None:
    """macro-F1, confusion, abstention and mean confidence of each variant, from events that a worker published."""
    answer = tmp_path / "figures.json"
    assert evaluate(served, data, "--part", "all", "--json", answer) == 0
    result = json.loads(answer.read_text())
    truth = [LABELS[STARS.index(review["overall"])] for review in reviews]
    assert list(result["variants"]) == ["fp32", "int8"]
    assert result["serves"] == "int8"
    for variant, figures in result["variants"].items():
        answers = worker_answers(served, variant, reviews)
        labels = [one["label"] for one in answers]
        assert figures["macro_f1"] == pytest.approx(f1_score(truth, labels, average="macro"), abs=1e-6)
        assert figures["confusion"] == confusion_matrix(truth, labels, labels=LABELS).tolist()
        right = np.array([label == true for label, true in zip(labels, truth, strict=True)])
        abstained = np.array([one["abstained"] for one in answers])
        assert 0 < abstained.mean() < 1
        assert figures["abstention"]["abstained_share"] == pytest.approx(abstained.mean(), abs=1e-6)
        assert figures["abstention"]["precision"] == pytest.approx(right[~abstained].mean(), abs=1e-6)
        assert figures["abstention"]["precision_of_abstained"] == pytest.approx(right[abstained].mean(), abs=1e-6)
        shown = figures["calibration"]["after"]["reliability"]
        confidence = sum(dot["rows"] * dot["confidence"] for dot in shown) / len(reviews)
        assert confidence == pytest.approx(np.mean([one["confidence"] for one in answers]), abs=1e-5)
        assert figures["calibration"]["temperatures"] == [dict.fromkeys(LABELS, 2.0)]


def test_everything_is_in_the_json_and_the_tables(
    served: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Groups, intervals, both variants side by side, baselines; pictures beside; no path."""
    answer = tmp_path / "figures.json"
    assert evaluate(served, data, "--part", "all", "--json", answer, "--baselines") == 0
    result = json.loads(answer.read_text())
    for figures in result["variants"].values():
        low, high = figures["intervals"]["macro_f1"]
        assert low <= figures["macro_f1"] <= high
        assert set(figures["by_stars"]) == {"1", "3", "5"}
        assert {"by_category", "by_words", "hardest", "ordinal_error"} <= set(figures)
    beside = result["int8_beside_fp32"]
    macro_f1 = [result["variants"][name]["macro_f1"] for name in ("int8", "fp32")]
    assert beside["difference"] == pytest.approx(macro_f1[0] - macro_f1[1], abs=2e-6)
    assert beside["interval"][0] <= beside["difference"] <= beside["interval"][1]
    assert 0.9 < beside["label_agreement"] <= 1
    assert set(result["baselines"]) == {"majority class", "VADER"}
    assert str(tmp_path.parent) not in answer.read_text()
    pictures = [f"figures.{name}.{kind}.png" for name in ("fp32", "int8") for kind in ("confusion", "reliability")]
    assert all((tmp_path / picture).read_bytes().startswith(b"\x89PNG") for picture in pictures)
    shown = " ".join(capsys.readouterr().out.split())
    for said in (
        "tiny-model fp32",
        "tiny-model int8",
        "VADER",
        "ECE",
        "abstains below 0.800",
        "int8 beside fp32: macro-F1",
    ):
        assert said in shown


def test_what_is_no_sound_bundle_is_refused(
    bundle: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 3 for a folder that is none, an altered file, a missing variant, and other golden answers."""
    assert evaluate(tmp_path / "nowhere", data, "--part", "all") == 3
    assert "is no bundle" in told(capsys)
    graph = (bundle / "model.onnx").read_bytes()
    (bundle / "model.onnx").write_bytes(graph[:-1])
    assert evaluate(bundle, data, "--part", "all") == 3
    assert "was altered" in told(capsys)
    (bundle / "model.onnx").write_bytes(graph)
    manifest = json.loads((bundle / "bundle.json").read_text())
    (bundle / "bundle.json").write_text(
        json.dumps(manifest | {"variants": {"fp32": manifest["variants"]["fp32"]}})
    )
    assert evaluate(bundle, data, "--part", "all", "--variant", "int8") == 3
    assert "no variant 'int8'" in told(capsys)
    change_manifest(bundle, own_golden_delta_max=None, golden_delta_max=1e-30)
    assert evaluate(bundle, data, "--part", "all", "--variant", "fp32") == 3
    assert "golden texts" in told(capsys)


def test_other_labels_than_the_reviews_are_wrong_input(
    bundle: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Class ids in another order would give figures of nothing."""
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest["labels"] = ["negative", "neutral", "positive"]
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    assert evaluate(bundle, data, "--part", "all") == 2
    assert "in class-id order" in told(capsys)
