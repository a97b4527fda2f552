"""A BERT that TensorFlow saved: every weight as it was, or a clear refusal. The real one is in test_encoders."""

import re
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM, BertModel

from dev.samples import from_tensorflow, tiny_base_model
from dev.samples.from_tensorflow import bert_folder
from dev.samples.packages import ConversionError
from dev.samples.tensor_bundle import Weights, entry_class, variables

HEADS = 2


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _block(entries: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Keys that share prefixes, one restart, then the trailer: not compressed, and no checksum."""
    block, last = b"", b""
    for key, value in entries:
        shared = next(
            (n for n, (a, b) in enumerate(zip(key, last, strict=False)) if a != b), min(len(key), len(last))
        )
        block += _varint(shared) + _varint(len(key) - shared) + _varint(len(value)) + key[shared:] + value
        last = key
    return block + struct.pack("<II", 0, 1) + bytes(5)


def _save(weights: Weights, folder: Path) -> Path:
    """The weights as TensorFlow saves variables, in blocks of ten."""
    folder.mkdir()
    data, entries = b"", [(b"", b"")]
    for name, weight in sorted(weights.items()):
        entry = entry_class()(dtype=1, offset=len(data), size=weight.nbytes)
        for size in weight.shape:
            entry.shape.dim.add(size=size)
        entries.append((name.encode(), entry.SerializeToString()))
        data += np.ascontiguousarray(weight, "<f4").tobytes()
    entries.append((b"steps", entry_class()(dtype=9, offset=len(data), size=8).SerializeToString()))
    table, places = b"", []
    for first in range(0, len(entries), 10):
        block = _block(entries[first : first + 10])
        places.append((entries[first][0], _varint(len(table)) + _varint(len(block) - 5)))
        table += block
    index = _block(places)
    footer = _varint(0) + _varint(0) + _varint(len(table)) + _varint(len(index) - 5)
    (folder / "variables.index").write_bytes(
        table + index + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    )
    (folder / "variables.data-00000-of-00001").write_bytes(data + bytes(8))
    return folder


def _in_tensorflow(model: BertForMaskedLM, pooler: BertModel) -> Weights:
    """The weights under the names that Google's own code gives them."""
    named = dict(model.named_parameters()) | {
        f"bert.{name}": weight for name, weight in pooler.named_parameters() if name.startswith("pooler.")
    }
    found = {}
    for name, parameter in named.items():
        weight = parameter.detach().numpy()
        new = name.replace("layer.", "layer_").replace("LayerNorm.weight", "LayerNorm.gamma")
        new = new.replace("LayerNorm.bias", "LayerNorm.beta").replace("embeddings.weight", "embeddings")
        new = new.replace("predictions.bias", "predictions.output_bias")
        if new.endswith("dense.weight") or re.search(r"(query|key|value)\.weight$", new):
            new, weight = new.replace(".weight", ".kernel"), weight.T
        found["module/" + new.replace(".", "/")] = weight
    return found


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Weights, BertModel]:
    """A tiny BERT: its folder, its weights as TensorFlow has them, and itself."""
    folder = tiny_base_model(tmp_path_factory.mktemp("tiny"), heads=HEADS)
    torch.manual_seed(1)
    config = BertConfig.from_pretrained(folder)
    model, pooler = BertForMaskedLM(config), BertModel(config)
    for parameter in model.parameters():  # no two alike
        parameter.data += 0.05 * torch.randn(parameter.shape)
    pooler.load_state_dict(model.bert.state_dict(), strict=False)
    return folder, _in_tensorflow(model, pooler), pooler.eval()


@pytest.fixture
def _its_own_blanks(tiny: tuple[Path, Weights, BertModel], monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny BERT knows no capital: what it would fill in is asked for instead."""
    folder, weights, _ = tiny
    model = BertForMaskedLM(BertConfig.from_pretrained(folder)).eval()
    from_tensorflow.fill(model, from_tensorflow.renamed(weights))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    batch = tokenizer("a [MASK] phone", return_tensors="pt")
    word = tokenizer.convert_ids_to_tokens(int(model(**batch).logits[0, 2].argmax()))
    monkeypatch.setattr(from_tensorflow, "_BLANKS", {"a [MASK] phone": word})


@pytest.mark.usefixtures("_its_own_blanks")
def test_every_weight_comes_back(tiny: tuple[Path, Weights, BertModel], tmp_path: Path) -> None:
    """The rebuilt model has the weights of the saved one, bit for bit, its pooler and its settings."""
    folder, weights, original = tiny
    target = tmp_path / "target"
    target.mkdir()
    bert_folder(_save(weights, tmp_path / "variables"), folder / "vocab.txt", HEADS, target)
    rebuilt, found = BertModel.from_pretrained(target, output_loading_info=True)
    assert not found["missing_keys"]
    for name, weight in original.state_dict().items():
        assert torch.equal(rebuilt.state_dict()[name], weight), name
    assert rebuilt.config.to_diff_dict() == BertModel.from_pretrained(folder).config.to_diff_dict()


def test_a_model_that_is_not_the_trained_one_is_refused(
    tiny: tuple[Path, Weights, BertModel], tmp_path: Path
) -> None:
    """Weights that fill a blank otherwise than any reader would are not those of a trained BERT."""
    folder, weights, _ = tiny
    with pytest.raises(
        ConversionError, match=r"fills 'paris is the capital of \[MASK\]\.' with .*not with 'france'"
    ):
        bert_folder(_save(weights, tmp_path / "variables"), folder / "vocab.txt", HEADS, tmp_path)


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("module/bert/encoder/layer_1/output/dense/kernel", r"missing, such as .*layer\.1\.output\.dense\.weight"),
        ("module/bert/embeddings/word_embeddings", "no variable for bert.embeddings.word_embeddings.weight"),
    ],
)
def test_a_missing_variable_is_named(
    tiny: tuple[Path, Weights, BertModel], tmp_path: Path, lost: str, message: str
) -> None:
    """No weight is ever left to chance."""
    folder, weights, _ = tiny
    rest = {name: weight for name, weight in weights.items() if name != lost}
    with pytest.raises(ConversionError, match=message):
        bert_folder(_save(rest, tmp_path / "variables"), folder / "vocab.txt", HEADS, tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda index, data: (index[:-1], data), "no table of variables"),
        (lambda index, data: (b"", data), "no table of variables"),
        (lambda index, data: (index, data[:100]), "damaged"),
        (lambda index, _: (index, b""), "damaged"),
        (lambda index, data: (index[200:], data), "damaged"),
    ],
)
def test_damaged_files_are_refused(
    tmp_path: Path, damage: Callable[[bytes, bytes], tuple[bytes, bytes]], message: str
) -> None:
    """An index that is none, or that does not fit its data, is an error that says so."""
    folder = _save({f"w{n:02}": np.full((3, n + 1), n, np.float32) for n in range(25)}, tmp_path / "variables")
    index, data = folder / "variables.index", folder / "variables.data-00000-of-00001"
    assert len(variables(index, data)) == 25
    damaged = damage(index.read_bytes(), data.read_bytes())
    index.write_bytes(damaged[0])
    data.write_bytes(damaged[1])
    with pytest.raises(ConversionError, match=message):
        variables(index, data)
