"""A BERT of a few thousand random weights, reviews that it can learn, and a checkpoint made of both."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertModel, BertTokenizerFast
from transformers.utils.logging import disable_progress_bar

from tests.review_files import FILLER, WORDS, cache, fit_arguments, review, write_lines
from tests.tiny_bert import tiny_config, word_tokenizer
from training.__main__ import main

__all__ = ["cache"]

Write = Callable[[Path, Sequence[Any]], Path]


@pytest.fixture(scope="session")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a BERT with two layers of width 32 and a vocabulary of words and letters."""
    folder = tmp_path_factory.mktemp("base")
    tokenizer = word_tokenizer([*FILLER, *(word for words in WORDS.values() for word in words)])
    disable_progress_bar()
    BertTokenizerFast(tokenizer_object=tokenizer, vocab=tokenizer.get_vocab()).save_pretrained(folder)
    torch.manual_seed(1)
    BertModel(tiny_config(tokenizer, positions=64, heads=2, intermediate_size=64)).save_pretrained(folder)
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
