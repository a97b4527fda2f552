"""Measuring a model on reviews: `fit` and `evaluate` do it with the same lines, so their figures agree."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.data import Corpus, Review
from training.encoding import encode
from training.errors import TrainingError
from training.metrics import figures
from training.model import load_checkpoint
from training.progress import Progress

_BATCH_TOKENS_MAX = 4096  # with padding; of short texts many go at once, of long ones few


def evaluate(checkpoint: Path, corpus: Corpus) -> dict[str, Any]:
    """The figures of a checkpoint on a corpus.

    Raises:
        TrainingError: If the folder is no checkpoint of ours, or the corpus lacks a class.
    """
    corpus.require_classes()
    tokenizer, model, tokens_max = load_checkpoint(checkpoint)
    rows = encode(tokenizer, [review.text for review in corpus.reviews], tokens_max)
    with Progress() as progress:
        return measure(model, tokenizer, corpus.reviews, rows, progress)


def measure(
    model: Any, tokenizer: Any, reviews: Sequence[Review], rows: Sequence[Sequence[int]], progress: Progress
) -> dict[str, Any]:
    """The figures of a model on encoded reviews; in fp32, without dropout, and no random number is drawn.

    Raises:
        TrainingError: If the model is worn out: it answers no numbers.
    """
    logits = np.zeros((len(rows), model.config.num_labels), dtype=np.float32)
    model.eval()
    for batch in progress.follow("measuring", _batches(rows), len(rows)):
        padded = tokenizer.pad({"input_ids": [rows[index] for index in batch]}, return_tensors="pt")
        with torch.inference_mode():
            logits[batch] = model(**padded.to(model.device)).logits.float().cpu().numpy()
    if not np.isfinite(logits).all():
        raise TrainingError("the model answers no numbers: the run has diverged. Lower --learning-rate.")
    return figures(_labels(reviews), logits)


def _batches(rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Indices of rows of like length, so that little is padding."""
    batches: list[list[int]] = []
    for index in sorted(range(len(rows)), key=lambda index: len(rows[index]), reverse=True):
        if not batches or (len(batches[-1]) + 1) * len(rows[batches[-1][0]]) > _BATCH_TOKENS_MAX:
            batches.append([])
        batches[-1].append(index)
    return batches


def _labels(reviews: Sequence[Review]) -> NDArray[np.int64]:
    return np.array([review.label for review in reviews])
