"""A small BERT checkpoint as training writes it, and texts that it can learn."""

import json
import random
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import BertForSequenceClassification

from tests.tiny_bert import tiny_config, word_tokenizer

WORDS = ["this", "is", "a", "product", "phone", "cable", "it", "works", "after", "days", "i", "got", "the", "and"]
TELLING = (("okay", "average", "medium"), ("great", "love", "perfect"), ("awful", "hate", "broke"))
"""Words that tell the label."""
TOKENS_MAX = 48
TITLES = ("great phone", "broke", None, "  ", "okay")


def write_checkpoint(
    folder: Path, *, layers: int = 2, hidden: int = 32, heads: int = 4, taught: bool = True
) -> Path:
    """A checkpoint with weights of a few seconds' training, or random ones."""
    folder.mkdir(parents=True)
    tokenizer = word_tokenizer([*WORDS, *chain(*TELLING)])
    tokenizer.save(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(TOKENS_MAX)
    torch.manual_seed(7)
    config = tiny_config(
        tokenizer,
        positions=TOKENS_MAX,
        layers=layers,
        hidden=hidden,
        heads=heads,
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


def rewrite_encoding(checkpoint: Path, template: str, truncation: str) -> None:
    """Give a checkpoint another encoding, with golden pairs made by the tokenizer alone."""
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    tokenizer.no_truncation()
    randomly, pairs = random.Random(9), []
    for number in range(60):
        text, title = review_text(number % 3, randomly), TITLES[number % len(TITLES)]
        whole = f"{title}\n{text}" if template == "title+text" and title and title.strip() else text
        before, *ids, after = tokenizer.encode(whole).ids
        if len(ids) > (room := TOKENS_MAX - 2):
            ids = ids[:room] if truncation == "head" else ids[: room // 4] + ids[room // 4 - room :]
        fields = {"text": text} if title is None else {"text": text, "title": title}
        pairs.append({"fields": fields, "ids": [before, *ids, after]})
    encoding = {"format": 1, "template": template, "truncation": truncation, "tokens_max": TOKENS_MAX}
    (checkpoint / "encoding.json").write_text(json.dumps(encoding))
    (checkpoint / "golden_pairs.json").write_text(json.dumps(pairs))


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
