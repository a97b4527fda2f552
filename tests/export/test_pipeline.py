"""The whole way from a checkpoint to a bundle, on a small BERT."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from pydantic import JsonValue
from transformers import AutoConfig, AutoTokenizer

from export.gates.texts import TEXTS_MIN
from export.pipeline import BundleOptions, export_bundle
from export.variants import RECIPES, GraphSource
from tests.export.running import export, hold_to, quiet, told
from tests.export.serving import worker_answers
from tests.export.tiny_checkpoint import TOKENS_MAX, rewrite_encoding
from worker.adapters.bundle import read_bundle
from worker.adapters.classifier import OnnxClassifier
from worker.adapters.encoder import TokenizersEncoder
from worker.adapters.warmup import warm_up


@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_the_worker_takes_every_variant(exported: Path, variant: str) -> None:
    """The bundle reads, hashes and reproduces its 64 goldens through the worker's own code."""
    bundle = read_bundle(exported)
    encoder = TokenizersEncoder(bundle.tokenizer_file, bundle.manifest.encoding)
    classifier = OnnxClassifier(exported / bundle.variant(variant).file, device="cpu")
    report = warm_up(bundle, variant, encoder, classifier)
    assert report.texts == 64
    assert report.probability_delta_max < 1e-4, "from its own answers, of this very machine"
    assert all(set(golden.own) == {"fp32", "int8"} for golden in bundle.goldens)


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
        assert (variant.temperature, variant.abstain_below) == (1.0, 0.0)
    assert variants["fp32"].parity.probability_delta_max is not None
    assert variants["fp32"].parity.probability_delta_max <= RECIPES["fp32"].gates.probability_delta_max
    assert variants["fp32"].accuracy == {"macro_f1": 0.5, "per_class.neutral.f1": 0.25}
    assert [variant.opset for variant in variants.values()] == [17, 23]
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
    assert measured["int8"]["batchings"] == RECIPES["int8"].gates.batchings == 10
    assert str(checkpoint.parent) not in (exported / "bundle.json").read_text()


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
    assert export(checkpoint, output, "--variants", "fp32", "--texts", tmp_path / "r.jsonl") == 0
    assert "fp32" in told(capsys)
    assert not any(b"secretword" in path.read_bytes() for path in output.iterdir())


def test_a_refused_int8_leaves_an_fp32_bundle_that_says_why(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """int8 below its gate is not written, the manifest and the console name the reason, fp32 serves."""
    hold_to(monkeypatch, "int8", label_agreement_min=1.01)
    assert export(checkpoint, tmp_path / "b") == 0
    bundle = read_bundle(tmp_path / "b")
    assert bundle.choose_variant("cpu") == "fp32"
    assert list(bundle.manifest.variants) == ["fp32"]
    assert "model.int8.onnx" not in bundle.manifest.files
    refused = bundle.manifest.provenance["refused_variants"]
    assert isinstance(refused, dict)
    assert "labels" in str(refused["int8"])
    said = told(capsys)
    assert "int8 is refused" in said
    assert said.count("trying again") == 3, "with more and more of it in fp32"


def test_an_attempt_that_loses_too_much_is_followed_by_another(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first that passes serves, and the manifest says how it was made."""
    recipe = RECIPES["int8"]

    def make(source: GraphSource, file: Path) -> Iterator[dict[str, JsonValue]]:
        graph = onnx.load(source.reference)
        head = next(item for item in graph.graph.initializer if item.name == "classifier.bias")
        head.CopyFrom(numpy_helper.from_array(np.array([9, 0, 0], dtype=np.float32), head.name))
        onnx.save(graph, file)
        yield {"attempt": "says neutral of everything"}
        yield from recipe.make(source, file)

    monkeypatch.setitem(RECIPES, "int8", replace(recipe, make=make))
    assert export(checkpoint, tmp_path / "b") == 0
    manifest = read_bundle(tmp_path / "b").manifest
    assert "int8" in manifest.variants
    measured = manifest.provenance["measurements"]
    assert isinstance(measured, dict)
    assert isinstance(measured["int8"], dict)
    assert measured["int8"]["products_in_fp32"] == []


def test_another_model_than_pytorch_ran_is_refused(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """fp32 probabilities off by more than the parity bound: exit code 3, no folder."""
    hold_to(monkeypatch, "fp32", probability_delta_max=0.0)
    assert export(checkpoint, tmp_path / "b") == 3
    assert "not the checkpoint's model" in told(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("truncation", ["head", "head+tail"])
@pytest.mark.parametrize("template", ["text", "title+text"])
def test_every_encoding_is_exported_and_served(
    own_checkpoint: Path, tmp_path: Path, template: str, truncation: str
) -> None:
    """The worker reproduces each golden pair, and an event's title counts where the template has it."""
    rewrite_encoding(own_checkpoint, template, truncation)
    assert export(own_checkpoint, tmp_path / "b", "--variants", "fp32") == 0
    bundle = read_bundle(tmp_path / "b")
    assert (bundle.manifest.encoding.template, bundle.manifest.encoding.truncation) == (template, truncation)
    text = "it is a cable " * 20 + "awful hate broke " * 12
    events: list[dict[str, Any]] = [{"text": text}, {"text": text, "title": "great"}, {"text": "it"}]
    events.append({"text": "it", "title": "great love"})
    long, titled, short, short_titled = worker_answers(tmp_path / "b", "fp32", events)
    assert (long["tokens"], long["truncated"], titled["tokens"]) == (TOKENS_MAX, True, TOKENS_MAX)
    assert short_titled["tokens"] - short["tokens"] == (2 if template == "title+text" else 0)
    if truncation == "head+tail":
        assert long["label"] == "negative", "what is telling stands at the end"
