"""The parts of a BERT so small that a test can train it: nothing is fetched for it."""

from collections.abc import Iterable
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig


def word_tokenizer(words: Iterable[str]) -> Tokenizer:
    """A WordPiece tokenizer of these words and all the letters."""
    letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *letters, *(f"##{sign}" for sign in letters)]
    ids = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def tiny_config(
    tokenizer: Tokenizer, *, positions: int, layers: int = 2, hidden: int = 32, heads: int = 4, **more: Any
) -> BertConfig:
    """Of a BERT with this tokenizer's vocabulary."""
    return BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=positions,
        **{"intermediate_size": 4 * hidden, "initializer_range": 0.1, **more},
    )
