"""The command line of `python -m export evaluate`."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from export.evaluate_cli import parse
from export.write import digests
from tests.export.running import evaluate
from training.__main__ import parser
from training.recipe import Recipe


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
        golden["own"] = {name: np.roll(values, 1).tolist() for name, values in golden["own"].items()}
    (folder / "golden.json").write_text(json.dumps(goldens))
    (folder / "bundle.json").write_text(json.dumps(_with_digests(folder, manifest)))
    return folder


def _with_digests(folder: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    return manifest | {"files": {name: digest.model_dump() for name, digest in digests(folder).items()}}


def test_a_worse_bundle_is_stopped_by_the_exit_code(
    exported: Path, worse: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
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


@pytest.mark.parametrize(
    ("wanted", "code", "says"), [("0", 0, "Good enough: macro-F1"), ("0.999", 1, "Not good enough: macro-F1")]
)
@pytest.mark.parametrize("variant", ["fp32", "all"])
def test_a_bundle_that_is_not_good_enough_ends_with_1(
    exported: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    variant: str, wanted: str, code: int, says: str,
) -> None:  # fmt: skip
    """What serves is judged, as `training evaluate` judges a checkpoint, and the verdict is the last line."""
    answer = tmp_path / "figures.json"
    ended = evaluate(exported, data, "--macro-f1-min", wanted, "--variant", variant, "--json", answer)

    assert ended == code
    result = json.loads(answer.read_text())
    last = " ".join(capsys.readouterr().out.split()).split(f"{result['serves']}: ")[-1]
    assert last.startswith(says)
    assert f"at least {float(wanted):.3f} was asked for" in last
    assert result["variants"][result["serves"]]["macro_f1_min"] == float(wanted)


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (["--part", "half"], 2, "invalid choice"),
        (["--variant", "fp64"], 2, "--variant takes fp32, int8, fp16 and fp16.packed"),
        (["--tolerance", "-1"], 2, "--tolerance must be 0 or more"),
        (["--tolerance", "nan"], 2, "--tolerance must be 0 or more"),
        (["--macro-f1-min", "70"], 2, "--macro-f1-min must be from 0 to 1"),
        (["--macro-f1-min", "nan"], 2, "--macro-f1-min must be from 0 to 1"),
        (["--threads", "-1"], 2, "--threads takes a number"),
        (["--train-data", "{data}"], 2, "give --baselines too"),
        (["--baselines", "--train-data", "{data}"], 2, "is left without the texts of --data"),
        (["--baselines", "--train-data", "absent.json"], 2, "can't read absent.json"),
        (["--json", "/proc/none/figures.json"], 2, "there is no folder /proc/none"),
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
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Never the exit code of a worse bundle; 2 for wrong input, 3 for what is no bundle, as workers say it."""
    assert evaluate(exported, data, "--part", "all", *(word.format(data=data) for word in more)) == code
    error = capsys.readouterr().err
    assert says in " ".join(error.split())
    assert "Traceback" not in error


def test_no_pytorch_is_needed() -> None:
    """Measuring a bundle imports neither torch nor transformers: it runs where workers do."""
    code = "import sys, export.evaluate_cli; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_both_evaluations_measure_all_that_is_named() -> None:
    """`--part` has one default: what was learnt of it is said (see `reviews.seen`), not left out in silence."""
    ours = parse(["bundle", "--data", "some.jsonl"])
    trainings = parser(Recipe()).parse_args(["evaluate", "--checkpoint", "c", "--data", "some.jsonl"])
    assert ours.part == trainings.part == "all"
