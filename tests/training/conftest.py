"""A BERT of a few thousand random weights, reviews that it can learn, and a checkpoint made of both."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, BertTokenizerFast
from transformers.utils.logging import disable_progress_bar

from tests.review_files import FILLER, WORDS, cache, fit_arguments, review, write_lines
from training.__main__ import main

__all__ = ["cache"]

Write = Callable[[Path, Sequence[Any]], Path]


@pytest.fixture(scope="session")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a BERT with two layers of width 32 and a vocabulary of words and letters."""
    folder = tmp_path_factory.mktemp("base")
    letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    words = [*FILLER, *(word for words in WORDS.values() for word in words)]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *letters, *(f"##{sign}" for sign in letters)]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    disable_progress_bar()
    BertTokenizerFast(tokenizer_object=tokenizer, vocab=vocabulary).save_pretrained(folder)
    torch.manual_seed(1)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(
        BertConfig(vocab_size=len(vocabulary), max_position_embeddings=64, initializer_range=0.1, **sizes)
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Files of 150 reviews to train on and 45 to measure on, with two bad lines in the first."""
    folder, randomly = tmp_path_factory.mktemp("reviews"), random.Random(5)
    train = [review((5, 3, 1)[number % 3], randomly) for number in range(150)]
    held_out = [review((5, 3, 1)[number % 3], randomly) for number in range(45)]
    bad = ['{"reviewText": "no stars"}', "{"]
    return write_lines(folder / "train.jsonl", [*train, *bad]), write_lines(folder / "held-out.jsonl", held_out)


@pytest.fixture(scope="session")
def checkpoint(reviews: tuple[Path, Path], base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an uninterrupted run wrote; not to be changed."""
    output = tmp_path_factory.mktemp("fitted") / "checkpoint"
    assert main(fit_arguments(reviews, base_model, output)) == 0
    return output
