"""Measuring a checkpoint on review files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from training.data import Corpus
from training.encoding import ENCODING_FILE, encode
from training.errors import TrainingError
from training.metrics import figures

_ROWS = 32


def evaluate(checkpoint: Path, corpus: Corpus) -> dict[str, Any]:
    """The figures of a checkpoint on a corpus.

    Raises:
        TrainingError: If the folder is no checkpoint of ours.
    """
    try:
        encoding = json.loads((checkpoint / ENCODING_FILE).read_text())
        tokenizer = AutoTokenizer.from_pretrained(checkpoint)
        model = AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()
    except (OSError, ValueError) as error:
        raise TrainingError(f"{checkpoint} is not a checkpoint that `training fit` wrote: {error}") from error
    rows = [encode(tokenizer, review.text, encoding["tokens_max"]) for review in corpus.reviews]
    logits = np.zeros((len(rows), model.config.num_labels), dtype=np.float32)
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    for start in range(0, len(order), _ROWS):
        batch = order[start : start + _ROWS]
        padded = tokenizer.pad({"input_ids": [rows[index] for index in batch]}, return_tensors="pt")
        with torch.inference_mode():
            logits[batch] = model(**padded).logits.numpy()
    return figures(np.array([review.label for review in corpus.reviews]), logits)
