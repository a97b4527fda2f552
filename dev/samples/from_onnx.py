"""A Hugging Face folder from the ONNX graph of a BERT: some encoders are in a package registry in no other form.

The exporter keeps the names of most parameters. It folds the transposition of a dense layer's weight into the
weight and names it again; the layer's bias, which kept its name, tells whose it is.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel
from transformers.utils.logging import disable_progress_bar

from dev.samples.packages import ConversionError
from training.encoding import HOSTILE

Weights = dict[str, NDArray[np.float32]]

_TOLERANCE = 2e-5  # of hidden states of about 1: what two orders of the same additions differ by
_ANCHOR = "embeddings.word_embeddings.weight"
_SPECIAL = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]"} | {
    "mask_token": "[MASK]"
}
_TEXTS = (
    "Works.",
    "It broke after two days, and nobody answered my mails.",
    "Neither good nor bad: it does what it says for the price. " * 12,
    "A caf\u00e9 in \u4e2d\u56fd sold me 3.5 mm cables (!!) for $9.99 \u2014 don't ask. " * 40,
)


def bert_folder(graph_file: Path, tokenizer_file: Path, heads: int, folder: Path) -> None:
    """Write the graph's BERT and its tokenizer, and check that both answer as the originals do.

    Args:
        graph_file: Gives `last_hidden_state` for `input_ids` and `attention_mask`.
        tokenizer_file: A `tokenizer.json` with a WordPiece model.
        heads: Attention heads, which no weight tells.
        folder: Is there and empty. The pooler is left out: it is not in such graphs.

    Raises:
        ConversionError: If a weight is missing, or the folder answers otherwise than the originals.
    """
    disable_progress_bar()
    weights = bert_weights(onnx.load(graph_file))
    _model(weights, heads).save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)  # safetensors leaves it to its owner alone
    tokenizer = _plain(tokenizer_file)
    write_tokenizer(tokenizer, folder)
    check_ids(tokenizer, folder)
    _check_hidden_states(graph_file, folder)


def bert_weights(graph: Any) -> Weights:
    """The parameters of an encoder by their names in `BertModel`, without a pooler's.

    Raises:
        ConversionError: If there is no word embedding, by whose name the others are found.
    """
    constants = {tensor.name: tensor for tensor in graph.graph.initializer}
    anchor = next((name for name in constants if name.endswith(_ANCHOR)), None)
    if anchor is None:
        raise ConversionError(f"the graph has no weight called {_ANCHOR}: it is no BERT, or its names are lost")
    prefix = anchor.removesuffix(_ANCHOR)
    parts = (f"{prefix}embeddings.", f"{prefix}encoder.")
    named = {name for name in constants if name.startswith(parts) and name.endswith((".weight", ".bias"))}
    weights = {name: onnx.numpy_helper.to_array(constants[name]) for name in named}
    for name, constant in _renamed(graph.graph, named, set(constants)):
        weights[name] = onnx.numpy_helper.to_array(constants[constant]).T
    return {name.removeprefix(prefix): np.ascontiguousarray(weight) for name, weight in weights.items()}


def _renamed(graph: Any, named: set[str], constants: set[str]) -> Iterator[tuple[str, str]]:
    """Each dense layer's weight: its name, and that of the constant that the layer's bias is added to."""
    products = {node.output[0]: node for node in graph.node if node.op_type == "MatMul"}
    for node in graph.node:
        if node.op_type != "Add":
            continue
        for bias, product in (node.input, reversed(node.input)):
            if bias in named and product in products and products[product].input[1] in constants:
                yield f"{bias.removesuffix('bias')}weight", products[product].input[1]


def _model(weights: Weights, heads: int) -> Any:
    """A BERT of these weights, with dropout as BERT has it: a graph for inference has none."""
    layers = {int(name.split(".")[2]) for name in weights if name.startswith("encoder.layer.")}
    try:
        config = BertConfig(
            vocab_size=weights[_ANCHOR].shape[0],
            hidden_size=weights[_ANCHOR].shape[1],
            num_hidden_layers=len(layers),
            num_attention_heads=heads,
            intermediate_size=weights["encoder.layer.0.intermediate.dense.bias"].shape[0],
            max_position_embeddings=weights["embeddings.position_embeddings.weight"].shape[0],
            type_vocab_size=weights["embeddings.token_type_embeddings.weight"].shape[0],
        )
    except KeyError as error:
        raise ConversionError(f"the graph lacks the weight {error.args[0]}") from None
    model = BertModel(config, add_pooling_layer=False)
    state = {name: torch.from_numpy(weight.copy()) for name, weight in weights.items()}
    wanted = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    if lacking := sorted(wanted.keys() - state.keys()):
        raise ConversionError(f"the graph lacks {len(lacking)} weights of a BERT: {', '.join(lacking[:3])}")
    if strange := sorted(name for name in state if tuple(state[name].shape) != wanted.get(name)):
        raise ConversionError(f"the graph has weights that no such BERT has: {', '.join(strange[:3])}")
    model.load_state_dict(state)
    return model


def write_tokenizer(tokenizer: Any, folder: Path) -> None:
    """A WordPiece tokenizer as such, and the files that older readers go by."""
    tokenizer.save(str(folder / "tokenizer.json"))
    tokenizer.model.save(str(folder))  # vocab.txt
    normalizer = json.loads(tokenizer.to_str())["normalizer"] or {}
    positions = BertConfig.from_pretrained(folder).max_position_embeddings
    config = {
        **_SPECIAL,
        "do_lower_case": normalizer.get("lowercase", False),
        "strip_accents": normalizer.get("strip_accents"),
        "tokenize_chinese_chars": normalizer.get("handle_chinese_chars", True),
        "model_max_length": positions,
        "tokenizer_class": "BertTokenizer",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "special_tokens_map.json").write_text(json.dumps(_SPECIAL, indent=2) + "\n")


def _plain(tokenizer_file: Path) -> Any:
    """Without the length and the padding of its exporter."""
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def check_ids(original: Any, folder: Path) -> None:
    """Texts alone and in pairs have the ids and the segments that the tokenizer gives them.

    Raises:
        ConversionError: If not.
    """
    ours = AutoTokenizer.from_pretrained(folder)
    texts = [*_TEXTS, *HOSTILE]
    pairs = list(zip(texts, reversed(texts), strict=True))
    for inputs, wanted in (((texts,), texts), (tuple(map(list, zip(*pairs, strict=True))), pairs)):
        found = ours(*inputs, verbose=False)
        for row, encoded in enumerate(original.encode_batch(wanted)):
            if (found["input_ids"][row], found["token_type_ids"][row]) != (encoded.ids, encoded.type_ids):
                raise ConversionError(f"the tokenizer is read back otherwise: other ids for {wanted[row]!r:.80}")


def _check_hidden_states(graph_file: Path, folder: Path, texts: Sequence[str] = _TEXTS) -> None:
    """Texts of different lengths, padded to one batch, have the hidden states that the graph gives them."""
    model = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    batch = AutoTokenizer.from_pretrained(folder)(list(texts), padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        ours = model(**batch).last_hidden_state.numpy()
    session = onnxruntime.InferenceSession(graph_file, providers=["CPUExecutionProvider"])
    inputs = {value.name: batch[value.name].numpy() for value in session.get_inputs()}
    theirs = session.run(["last_hidden_state"], inputs)[0]
    real = batch["attention_mask"].numpy().astype(bool)
    difference = float(np.abs(ours - theirs)[real].max())
    if not difference <= _TOLERANCE:
        raise ConversionError(
            f"the rebuilt model's hidden states differ from the graph's by {difference:.2g}, more than "
            f"{_TOLERANCE:g}: its settings, such as the number of heads, are not the graph's"
        )
