"""A BERT of a few thousand random weights, to be trained by the tests of several packages."""

from pathlib import Path

import pytest
import torch
from transformers import BertModel, BertTokenizerFast
from transformers.utils.logging import disable_progress_bar

from tests.review_files import FILLER, WORDS
from tests.tiny_bert import tiny_config, word_tokenizer


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
