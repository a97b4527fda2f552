"""The whole way from a checkpoint to a bundle, on a small BERT."""

import json
import re
from pathlib import Path

import pytest
from transformers import AutoConfig, AutoTokenizer

from contract.variants import PREFERRED, REFERENCE, VARIANTS
from export.__main__ import main
from export.gates.texts import TEXTS_MIN
from export.pipeline import BundleOptions, export_bundle
from export.variants import RECIPES
from tests.export.conftest import TOKENS_MAX, hold_to, quiet
from worker.adapters.bundle import read_bundle
from worker.adapters.classifier import OnnxClassifier
from worker.adapters.encoder import TokenizersEncoder
from worker.adapters.warmup import warm_up


@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_the_worker_takes_every_variant(exported: Path, variant: str) -> None:
    """The bundle reads, hashes and reproduces its 64 goldens through the worker's own code."""
    bundle = read_bundle(exported)
    encoder = TokenizersEncoder(bundle.tokenizer_file, bundle.manifest.encoding)
    classifier = OnnxClassifier(exported / bundle.variant(variant).file, device="cpu", threads=1)
    report = warm_up(bundle, variant, encoder, classifier)
    assert report.texts == 64
    assert report.probability_delta_max <= bundle.variant(variant).golden_delta_max


def test_every_variant_carries_the_figures_that_let_it_pass(exported: Path) -> None:
    """Parity, agreement and flip rate stand in the manifest and are within the gates."""
    variants = read_bundle(exported).manifest.variants
    assert list(variants) == ["fp32", "int8"]
    for variant in variants.values():
        assert variant.parity.status == "passed"
        assert variant.parity.texts is not None
        assert variant.parity.texts >= TEXTS_MIN
        assert variant.parity.label_agreement is not None
        assert variant.parity.label_agreement >= RECIPES["int8"].gates.label_agreement_min
        assert variant.flip_rate is not None
        assert variant.flip_rate <= RECIPES["int8"].gates.flip_rate_max
        assert (variant.temperature, variant.abstain_below, variant.opset) == (1.0, 0.0, 17)
    assert variants["fp32"].parity.probability_delta_max is not None
    assert variants["fp32"].parity.probability_delta_max <= RECIPES["fp32"].gates.probability_delta_max
    assert variants["fp32"].accuracy == {"macro_f1": 0.5, "per_class.neutral.f1": 0.25}
    assert variants["int8"].flip_rate == 0, "fixed scales leave neighbours nothing to change"
    assert variants["int8"].accuracy == {}, "metrics.json was not measured on int8"


def test_the_manifest_says_where_the_bundle_comes_from(exported: Path, checkpoint: Path) -> None:
    """Name, version, training record, versions and processor are there, and no path of the machine."""
    manifest = read_bundle(exported).manifest
    facts = manifest.provenance
    assert manifest.name == "tiny-model"
    assert manifest.version[8] == "."
    assert manifest.version[9:] == str(facts["weights_sha256"])[:6]
    assert manifest.labels == ("neutral", "positive", "negative")
    assert facts["calibration"] == "none"
    assert facts["training"] == json.loads((checkpoint / "training.json").read_text())
    assert isinstance(facts["versions"], dict)
    assert {"torch", "transformers", "onnxruntime"} <= set(facts["versions"])
    measured = facts["measurements"]
    assert isinstance(measured, dict)
    assert isinstance(measured["int8"], dict)
    assert measured["int8"]["batchings"] == RECIPES["int8"].gates.batchings == 20
    assert str(checkpoint.parent) not in (exported / "bundle.json").read_text()


def test_goldens_are_spread(exported: Path) -> None:
    """The goldens reach from the shortest to the longest input and cover more than one label."""
    goldens = read_bundle(exported).goldens
    lengths = [len(golden.ids) for golden in goldens]
    assert min(lengths) <= 4
    assert max(lengths) == TOKENS_MAX
    assert len({golden.probabilities.index(max(golden.probabilities)) for golden in goldens}) == 3
    assert len({golden.text for golden in goldens}) == 64


def test_the_folder_loads_in_transformers(exported: Path) -> None:
    """What optimum reads is there: a config, and a tokenizer that gives the goldens' ids."""
    assert AutoConfig.from_pretrained(exported).num_labels == 3
    tokenizer = AutoTokenizer.from_pretrained(exported)
    golden = read_bundle(exported).goldens[0]
    assert tokenizer(golden.text, truncation=True, max_length=TOKENS_MAX)["input_ids"] == golden.ids


def test_only_fp32_is_made_where_only_fp32_is_asked(checkpoint: Path, tmp_path: Path) -> None:
    """--variants fp32 leaves int8 out, with the name and version that were given."""
    options = BundleOptions(checkpoint, tmp_path / "b", variants=("fp32",), name="mine", version="1", threads=1)
    export_bundle(options, quiet())
    bundle = read_bundle(tmp_path / "b")
    assert (bundle.manifest.name, bundle.manifest.version) == ("mine", "1")
    assert list(bundle.manifest.variants) == ["fp32"]
    assert not (tmp_path / "b" / "model.int8.onnx").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["b"], "nothing temporary stays"


def test_texts_of_others_are_measured_on_and_never_written(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reviews named with --texts count for parity; the bundle holds none of them."""
    reviews = [{"reviewText": f"secretword {index} works great", "overall": 5.0} for index in range(40)]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(review) + "\n" for review in reviews))
    output = tmp_path / "b"
    flags = [
        "bundle",
        "--checkpoint",
        str(checkpoint),
        "--output",
        str(output),
        "--variants",
        "fp32",
        "--threads",
        "1",
    ]
    assert main([*flags, "--texts", str(tmp_path / "r.jsonl")]) == 0
    assert "fp32" in capsys.readouterr().err
    assert not any(b"secretword" in path.read_bytes() for path in output.iterdir())


def test_a_refused_int8_leaves_an_fp32_bundle_that_says_why(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """int8 below its gate is not written, the manifest and the console name the reason, fp32 serves."""
    hold_to(monkeypatch, "int8", label_agreement_min=1.01)
    flags = ["bundle", "--checkpoint", str(checkpoint), "--output", str(tmp_path / "b"), "--threads", "1"]
    assert main(flags) == 0
    bundle = read_bundle(tmp_path / "b")
    assert bundle.choose_variant("cpu") == "fp32"
    assert list(bundle.manifest.variants) == ["fp32"]
    assert "model.int8.onnx" not in bundle.manifest.files
    refused = bundle.manifest.provenance["refused_variants"]
    assert isinstance(refused, dict)
    assert "labels" in str(refused["int8"])
    assert "int8 is refused" in capsys.readouterr().err


def test_the_table_of_variants_is_whole() -> None:
    """Every kind has an entry, the reference comes first, and a worker looks for each on its device."""
    assert list(RECIPES) == list(VARIANTS)
    assert next(iter(VARIANTS)) == REFERENCE.name
    for kind in VARIANTS.values():
        assert RECIPES[kind.name].kind == kind
        assert kind.name in PREFERRED[kind.device]
    assert all(names[-1] == REFERENCE.name for names in PREFERRED.values())


def test_the_names_of_variants_stand_in_one_table() -> None:
    """A new variant is an entry, not a search for strings."""
    root = Path(__file__).parents[2]
    literal = re.compile(f'"({"|".join(map(re.escape, VARIANTS))})"')
    files = (file for package in ("contract", "export", "worker") for file in (root / package).rglob("*.py"))
    assert [str(file.relative_to(root)) for file in files if literal.search(file.read_text())] == [
        "contract/variants.py"
    ]


def test_the_command_of_the_version_before_says_what_to_write(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scripts that were written for it end with 2 and a hint; no command at all, with the usage."""
    assert main(["--checkpoint", str(checkpoint), "--output", str(tmp_path / "b")]) == 2
    assert "python -m export bundle --checkpoint" in " ".join(capsys.readouterr().err.split())
    assert main([]) == 2
    assert "usage: python -m export bundle" in capsys.readouterr().err
