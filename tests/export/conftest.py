"""A small BERT checkpoint as training writes it, and the bundle that comes of it."""

import json
import random
import shutil
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification

from export.pipeline import BundleOptions, export_bundle
from export.progress import Progress
from export.variants import RECIPES

WORDS = ["this", "is", "a", "product", "phone", "cable", "it", "works", "after", "days", "i", "got", "the", "and"]
TELLING = (("okay", "average", "medium"), ("great", "love", "perfect"), ("awful", "hate", "broke"))
"""Words that tell the label."""
TOKENS_MAX = 48


def write_tokenizer(file: Path) -> Tokenizer:
    """A WordPiece tokenizer of a few words and all the letters."""
    letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *chain(*TELLING), *letters]
    tokens = list(dict.fromkeys([*tokens, *(f"##{letter}" for letter in letters)]))
    ids = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(file))
    return tokenizer


def write_checkpoint(
    folder: Path, *, layers: int = 2, hidden: int = 32, heads: int = 4, taught: bool = True
) -> Path:
    """A checkpoint with weights of a few seconds' training, or random ones."""
    folder.mkdir(parents=True)
    tokenizer = write_tokenizer(folder / "tokenizer.json")
    tokenizer.enable_truncation(TOKENS_MAX)
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
        max_position_embeddings=TOKENS_MAX,
        initializer_range=0.1 if taught else 0.02,
        id2label={0: "neutral", 1: "positive", 2: "negative"},
        label2id={"neutral": 0, "positive": 1, "negative": 2},
    )
    model = BertForSequenceClassification(config)
    if taught:
        _teach(model, tokenizer)
    model.save_pretrained(folder)
    _write_companions(folder, tokenizer)
    return folder


def review_text(label: int, randomly: random.Random) -> str:
    """Words of which every third or so tells the label: 0 neutral, 1 positive, 2 negative."""
    words = randomly.choices(WORDS, k=randomly.randint(1, 60))
    for _ in range(max(1, len(words) // 3)):
        words[randomly.randrange(len(words))] = randomly.choice(TELLING[label])
    return " ".join(words)


def _teach(model: Any, tokenizer: Tokenizer, steps: int = 80) -> None:
    """A random model has no opinion that quantising could keep; this gives it one."""
    randomly, optimiser = random.Random(5), torch.optim.AdamW(model.parameters(), lr=3e-3)
    tokenizer.enable_padding(pad_id=0)
    model.train()
    for _ in range(steps):
        labels = [randomly.randrange(3) for _ in range(32)]
        batch = tokenizer.encode_batch([review_text(label, randomly) for label in labels])
        ids, mask = (torch.tensor([getattr(item, name) for item in batch]) for name in ("ids", "attention_mask"))
        optimiser.zero_grad()
        model(ids, mask, labels=torch.tensor(labels)).loss.backward()
        optimiser.step()
    tokenizer.no_padding()


def _write_companions(folder: Path, tokenizer: Tokenizer) -> None:
    """What training writes beside the model."""
    encoding = {"format": 1, "template": "text", "truncation": "head", "tokens_max": TOKENS_MAX}
    (folder / "encoding.json").write_text(json.dumps(encoding))
    randomly = random.Random(3)
    texts = [*(review_text(index % 3, randomly) for index in range(60)), "", "\u0301", "e" * 300]
    pairs = [{"fields": {"text": text}, "ids": tokenizer.encode(text).ids} for text in texts]
    (folder / "golden_pairs.json").write_text(json.dumps(pairs))
    (folder / "training.json").write_text(json.dumps({"base_model": "none", "settings": {"epochs": 0}}))
    (folder / "metrics.json").write_text(json.dumps({"macro_f1": 0.5, "per_class": {"neutral": {"f1": 0.25}}}))


def hold_to(monkeypatch: pytest.MonkeyPatch, name: str, **limits: Any) -> None:
    """Hold a variant to other limits for the time of a test."""
    recipe = RECIPES[name]
    monkeypatch.setitem(RECIPES, name, replace(recipe, gates=replace(recipe.gates, **limits)))


def quiet() -> Progress:
    """A progress that nobody sees."""
    return Progress(Console(quiet=True))


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkpoint; not to be changed."""
    return write_checkpoint(tmp_path_factory.mktemp("checkpoints") / "Tiny Model")


@pytest.fixture
def own_checkpoint(checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the small checkpoint, to be changed at will."""
    return Path(shutil.copytree(checkpoint, tmp_path / "checkpoint"))


@pytest.fixture(scope="session")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of the small checkpoint; not to be changed."""
    output = tmp_path_factory.mktemp("bundles") / "bundle"
    export_bundle(BundleOptions(checkpoint, output, threads=1), quiet())
    return output


@pytest.fixture
def bundle(exported: Path, tmp_path: Path) -> Path:
    """A copy of the bundle, to be changed at will."""
    return Path(shutil.copytree(exported, tmp_path / "bundle"))
