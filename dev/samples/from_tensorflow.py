"""A Hugging Face folder from a BERT that TensorFlow saved: Google's own weights are in a package registry as that.

TensorFlow calls a dense layer's weight `kernel` and keeps it transposed; LayerNorm's parameters are `gamma` and
`beta`. The head that guesses masked words is saved beside the encoder: with it the rebuilt model shows that it is
the one that was trained.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import BertWordPieceTokenizer, Tokenizer
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM, BertModel
from transformers.utils.logging import disable_progress_bar

from dev.samples.from_onnx import check_ids, write_tokenizer
from dev.samples.packages import ConversionError
from dev.samples.tensor_bundle import Weights, variables

_ROOT = "module/"
_RENAMED = (
    (r"/layer_(\d+)/", r"/layer/\1/"),
    (r"/(kernel|gamma)$", "/weight"),
    (r"/beta$", "/bias"),
    (r"(_embeddings)$", r"\1/weight"),
    (r"/output_bias$", "/bias"),
)
_BLANKS = {
    "paris is the capital of [MASK].": "france",
    "she put the key into the [MASK] and turned it.": "lock",
    "he was thirsty, so he drank a glass of [MASK].": "water",
    "one, two, three, [MASK], five.": "four",
}


def bert_folder(saved: Path, vocabulary: Path, heads: int, folder: Path) -> None:
    """Write the saved BERT, with its pooler, and its tokenizer, which lower-cases.

    Args:
        saved: The folder `variables` of an encoder in `module/bert` and its head for masked words in `module/cls`.
        vocabulary: A word piece a line.
        heads: Attention heads, which no weight tells.
        folder: Is there and empty.

    Raises:
        ConversionError: If a variable is missing, or the rebuilt model can't fill blanks as BERT does.
    """
    disable_progress_bar()
    weights = renamed(variables(saved / "variables.index", saved / "variables.data-00000-of-00001"))
    config = _config(weights, heads)
    encoder = BertModel(config)
    fill(encoder, {name.removeprefix("bert."): weight for name, weight in weights.items()})
    encoder.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)  # safetensors leaves it to its owner alone
    tokenizer = Tokenizer.from_str(BertWordPieceTokenizer(str(vocabulary), lowercase=True).to_str())
    write_tokenizer(tokenizer, folder)
    check_ids(tokenizer, folder)
    _check_blanks(encoder, weights, AutoTokenizer.from_pretrained(folder))


def renamed(found: Weights) -> Weights:
    """The variables by the names of `BertForMaskedLM`, and transposed as it has them."""
    weights = {}
    for name, weight in found.items():
        new = name.removeprefix(_ROOT)
        for pattern, instead in _RENAMED:
            new = re.sub(pattern, instead, new)
        weights[new.replace("/", ".")] = weight.T if name.endswith("/kernel") else weight
    return weights


def _config(weights: Weights, heads: int) -> BertConfig:
    try:
        pieces, width = weights["bert.embeddings.word_embeddings.weight"].shape
        return BertConfig(
            vocab_size=pieces,
            hidden_size=width,
            num_hidden_layers=sum(name.endswith(".intermediate.dense.bias") for name in weights),
            num_attention_heads=heads,
            intermediate_size=len(weights["bert.encoder.layer.0.intermediate.dense.bias"]),
            max_position_embeddings=len(weights["bert.embeddings.position_embeddings.weight"]),
            type_vocab_size=len(weights["bert.embeddings.token_type_embeddings.weight"]),
        )
    except KeyError as error:
        raise ConversionError(f"there is no variable for {error.args[0]}: this is no BERT") from None


def fill(model: torch.nn.Module, weights: Weights) -> None:
    """Load the model's own weights out of all."""
    own = dict(model.named_parameters())  # what is shared, such as the word embeddings, once
    if lacking := sorted(own.keys() - weights.keys()):
        raise ConversionError(f"{len(lacking)} variables are missing, such as that for {lacking[0]}")
    for name, parameter in own.items():
        if tuple(parameter.shape) != weights[name].shape:
            raise ConversionError(f"{name} has the shape {weights[name].shape}, not {tuple(parameter.shape)}")
        parameter.data = torch.from_numpy(np.array(weights[name]))


def _check_blanks(encoder: BertModel, weights: Weights, tokenizer: Any) -> None:
    """Each blank is filled with the word that any reader thinks of: nothing is transposed, swapped or cut off."""
    model = BertForMaskedLM(encoder.config).eval()
    fill(model, weights)
    batch = tokenizer(list(_BLANKS), padding=True, return_tensors="pt")
    with torch.inference_mode():
        logits = model(**batch).logits[batch["input_ids"] == tokenizer.mask_token_id]
    words = tokenizer.convert_ids_to_tokens(logits.argmax(dim=1).tolist())
    for (text, wanted), word in zip(_BLANKS.items(), words, strict=True):
        if word != wanted:
            raise ConversionError(f"the rebuilt model fills {text!r} with {word!r}, not with {wanted!r}")
