"""Measuring a finished bundle as a user does it: what is shown and written is what its workers answer."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.metrics import confusion_matrix, f1_score

from contract.labels import LABELS
from export.__main__ import main
from reviews.splits import part_of
from tests.export.serving import STARS, worker_answers, write_labelled, write_lines

Reviews = list[dict[str, Any]]


def evaluate(bundle: Path, data: Path, *more: object) -> int:
    return main(["evaluate", str(bundle), "--data", str(data), "--threads", "1", *map(str, more)])


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def change_manifest(bundle: Path, **variant: float) -> None:
    manifest = json.loads((bundle / "bundle.json").read_text())
    for entry in manifest["variants"].values():
        entry.update(variant)
    (bundle / "bundle.json").write_text(json.dumps(manifest))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `reviews` are."""
    return tmp_path_factory.mktemp("reviews") / "test.jsonl"


@pytest.fixture(scope="module")
def reviews(data: Path) -> Reviews:
    """300 labelled reviews."""
    return write_labelled(data, 300, seed=21)


@pytest.fixture
def served(bundle: Path) -> Path:
    """A bundle whose variants have a temperature and a threshold."""
    change_manifest(bundle, temperature=2.0, abstain_below=0.8)
    return bundle


@pytest.fixture(scope="module")
def worse(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, but for goldens and hashes taken from graphs that mix up classes."""
    folder = Path(shutil.copytree(exported, tmp_path_factory.mktemp("worse") / "bundle"))
    manifest = json.loads((folder / "bundle.json").read_text())
    for entry in manifest["variants"].values():
        model = onnx.load(folder / entry["file"])
        for name in ("classifier.weight", "classifier.bias"):
            tensor = next(item for item in model.graph.initializer if item.name == name)
            turned = np.roll(onnx.numpy_helper.to_array(tensor), 1, axis=0)
            tensor.CopyFrom(onnx.numpy_helper.from_array(turned, name))
        onnx.save(model, folder / entry["file"])
    goldens = json.loads((folder / "golden.json").read_text())
    for golden in goldens:
        golden["probabilities"] = np.roll(golden["probabilities"], 1).tolist()
    (folder / "golden.json").write_text(json.dumps(goldens))
    (folder / "bundle.json").write_text(json.dumps(_with_digests(folder, manifest)))
    return folder


def _with_digests(folder: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    from export.write import digests  # noqa: PLC0415 - one fixture needs it

    return manifest | {"files": {name: digest.model_dump() for name, digest in digests(folder).items()}}


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
    served: Path, data: Path, reviews: Reviews, tmp_path: Path, capsys: pytest.CaptureFixture[str]
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


def test_a_worse_bundle_is_stopped_by_the_exit_code(
    exported: Path, worse: Path, data: Path, reviews: Reviews, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """1 for the worse one, 0 for the better and for the same; what serves is compared, or the variant named."""
    answer = tmp_path / "figures.json"
    assert evaluate(worse, data, "--part", "all", "--against", exported, "--json", answer) == 1
    assert "failed: macro-F1" in " ".join(capsys.readouterr().out.split())
    result = json.loads(answer.read_text())
    assert result["against"]["variant"] == result["serves"] == "int8"
    assert result["comparison"]["difference"] < 0
    assert evaluate(exported, data, "--part", "all", "--against", worse) == 0
    assert evaluate(exported, data, "--part", "all", "--against", exported, "--tolerance", "0") == 0
    assert evaluate(worse, data, "--part", "all", "--against", exported, "--tolerance", "1") == 0
    assert (
        evaluate(worse, data, "--part", "all", "--against", exported, "--variant", "fp32", "--json", answer) == 1
    )
    result = json.loads(answer.read_text())
    assert (list(result["variants"]), result["against"]["variant"]) == (["fp32"], "fp32")
    assert "int8_beside_fp32" not in result


def test_the_part_is_chosen_by_content_and_doubted(
    bundle: Path, data: Path, reviews: Reviews, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By default the texts of the part `test`, each once; of a model that was split otherwise with a warning."""
    twice, answer = tmp_path / "twice.jsonl", tmp_path / "figures.json"
    write_lines(twice, [*reviews, *reviews])
    assert evaluate(bundle, twice, "--variant", "fp32", "--json", answer) == 0
    told = capsys.readouterr()
    assert "does not say how its data was split" in " ".join(told.err.split())
    count = sum(part_of(review["reviewText"]) == "test" for review in reviews)
    assert f"{count} texts, {count} copies left out" in told.out
    sheet = json.loads(answer.read_text())["data"]
    assert (sheet["part"], sheet["texts"]) == ("test", count)
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest["provenance"]["training"]["split"] = "hash"
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    assert evaluate(bundle, twice, "--variant", "fp32") == 0
    assert "how its data was split" not in capsys.readouterr().err


def test_texts_that_calibrated_are_recognised(
    bundle: Path, data: Path, reviews: Reviews, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that the bundle was calibrated on makes its calibration look better than it is."""
    from export.labelled import Source, read_labelled  # noqa: PLC0415 - one test needs it

    sheet = read_labelled(Source([data], "all", "--data", "--part"), warn=print).sheet()
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest["provenance"]["calibration"] = sheet | {"variants": {"fp32": {}}}
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    assert evaluate(bundle, data, "--part", "all", "--variant", "fp32") == 0
    told = capsys.readouterr()
    assert "was calibrated on test.jsonl" in " ".join(told.err.split())
    assert "fitted on 300 texts at export" in " ".join(told.out.split())


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (["--part", "half"], 2, "invalid choice"),
        (["--variant", "fp64"], 2, "--variant takes fp32, int8, fp16 and fp16.packed"),
        (["--tolerance", "-1"], 2, "--tolerance must be 0 or more"),
        (["--tolerance", "nan"], 2, "--tolerance must be 0 or more"),
        (["--threads", "-1"], 2, "--threads takes a number"),
        (["--train-data", "{data}"], 2, "give --baselines too"),
        (["--baselines", "--train-data", "{data}"], 2, "is left without the texts of --data"),
        (["--baselines", "--train-data", "absent.json"], 2, "can't read absent.json"),
        (["--json", "/proc/none/figures.json"], 2, "No such file"),
        (["--nonsense"], 2, "unrecognized arguments"),
        (["--against", "absent"], 3, "absent is no bundle"),
    ],
)
def test_wrong_input_is_told_in_a_line(
    more: list[str],
    code: int,
    says: str,
    exported: Path,
    data: Path,
    reviews: Reviews,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Never the exit code of a worse bundle; 2 for wrong input, 3 for what is no bundle, as workers say it."""
    assert evaluate(exported, data, "--part", "all", *(word.format(data=data) for word in more)) == code
    error = capsys.readouterr().err
    assert says in " ".join(error.split())
    assert "Traceback" not in error


def test_what_is_no_sound_bundle_is_refused(
    bundle: Path, data: Path, reviews: Reviews, tmp_path: Path, capsys: pytest.CaptureFixture[str]
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
    change_manifest(bundle, golden_delta_max=1e-30)
    assert evaluate(bundle, data, "--part", "all", "--variant", "fp32") == 3
    assert "golden texts" in told(capsys)


def test_other_labels_than_the_reviews_are_wrong_input(
    bundle: Path, data: Path, reviews: Reviews, capsys: pytest.CaptureFixture[str]
) -> None:
    """Class ids in another order would give figures of nothing."""
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest["labels"] = ["negative", "neutral", "positive"]
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    assert evaluate(bundle, data, "--part", "all") == 2
    assert "in class-id order" in told(capsys)


def test_no_pytorch_is_needed() -> None:
    """Measuring a bundle imports neither torch nor transformers: it runs where workers do."""
    code = "import sys, export.evaluate_cli; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
