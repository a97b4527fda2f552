"""Measuring models on reviews: `fit` and `evaluate` do it with the same lines, so their figures agree."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from contract.errors import InputError
from contract.labels import LABELS
from contract.training_record import TrainingRecord
from evaluation.baselines import baselines
from evaluation.comparison import compare
from evaluation.evaluate import evaluate_logits, ids_of, summarise
from evaluation.figures import Evaluation, MeasuredData
from reviews.corpus import Corpus, distinct, without_copies
from reviews.progress import Progress
from reviews.review import Review, Reviews
from reviews.seen import seen_in
from training.encoding import encode
from training.model import load_checkpoint
from training.standards import beside

_BATCH_TOKENS_MAX = 4096  # with padding; of short texts many go at once, of long ones few


def evaluate(
    checkpoint: Path,
    corpus: Corpus,
    *,
    calibration: Corpus | None = None,
    against: Path | None = None,
    train: Corpus | None = None,
    with_baselines: bool = True,
    tolerance: float = 0.0,
    macro_f1_min: float | None = None,
) -> Evaluation:
    """The figures of a checkpoint on a corpus, of which each text counts once.

    Args:
        checkpoint: What `fit` wrote.
        corpus: What to measure on.
        calibration: What to fit the temperature on; texts of `corpus` are left out of it. Without it, each half of
            the texts is scaled with the temperature of the other.
        against: A checkpoint to compare with, on the same rows.
        train: What the TF-IDF baseline learns from; texts of `corpus` are left out of it.
        with_baselines: Whether to measure baselines.
        tolerance: The loss of macro-F1 against the other checkpoint that is put up with.
        macro_f1_min: The macro-F1 that is good enough.

    Raises:
        InputError: If a folder is no checkpoint of ours, or a part of the data can't be used.
    """
    measured = replace(corpus, reviews=distinct(corpus.reviews))
    measured.require_classes()
    reviews = measured.reviews
    apart = _apart(calibration, reviews) if calibration else Reviews.of([])
    others, left_out = baselines(reviews, train.reviews if train else None) if with_baselines else ({}, [])

    with Progress() as progress:
        logits = _answer(checkpoint, reviews.joined(apart), progress)
        logits_against = _answer(against, reviews, progress) if against else None

    logits, logits_apart = logits[: len(reviews)], logits[len(reviews) :]
    evaluation = replace(
        evaluate_logits(reviews, logits, (apart, logits_apart) if calibration else None),
        checkpoint=checkpoint.resolve().name,
        macro_f1_min=macro_f1_min,
        data=MeasuredData(files=corpus.files, copies_left_out=len(corpus.reviews) - len(reviews)),
    )
    evaluation = beside(evaluation, reviews, others, left_out)
    if against is None or logits_against is None:
        return evaluation
    return _compared(evaluation, against, ids_of(reviews), logits, logits_against, tolerance)


def _apart(calibration: Corpus, reviews: Reviews) -> Reviews:
    """What to fit the temperature on: each text once, and none that is measured."""
    apart = distinct(without_copies(calibration.reviews, of=reviews))
    if not apart:
        raise InputError("--calibration holds no text but those of --data: give other reviews, or leave it out")
    return apart


def _compared(
    evaluation: Evaluation,
    against: Path,
    labels: NDArray[np.int64],
    logits: NDArray[np.float32],
    logits_against: NDArray[np.float32],
    tolerance: float,
) -> Evaluation:
    """With the other checkpoint's figures, and the difference of what both answered."""
    new, old = logits.argmax(axis=1), logits_against.argmax(axis=1)
    return replace(
        evaluation,
        against=replace(summarise(labels, old), checkpoint=against.resolve().name),
        comparison=compare(labels, new, old, len(LABELS), tolerance).figures(),
    )


def seen_before(checkpoint: Path, corpus: Corpus) -> str | None:
    """Why figures on a corpus may be better than on new reviews: its texts trained the checkpoint, as it says."""
    record = TrainingRecord.read(checkpoint)
    seen = seen_in([record.data], corpus.files, corpus.reviews.keys)
    if not seen or (record.split == "hash" and corpus.name not in (None, "train")):
        return None
    return (
        f"{seen} trained {checkpoint.name}, so these figures are better than those of new reviews: "
        "name others, or train with --split hash and measure --part test"
    )


def measure(
    model: Any, tokenizer: Any, reviews: Sequence[Review], rows: Sequence[Sequence[int]], progress: Progress
) -> Evaluation:
    """What `evaluate_logits` tells of a model and encoded reviews, but for their texts.

    In fp32, without dropout, and no random number is drawn.

    Raises:
        InputError: If the logits are NaN or infinite.
    """
    return replace(evaluate_logits(reviews, answer(model, tokenizer, rows, progress)), hardest=[])


def _answer(checkpoint: Path, reviews: Sequence[Review], progress: Progress) -> NDArray[np.float32]:
    tokenizer, model, encoding = load_checkpoint(checkpoint)
    return answer(model, tokenizer, encode(tokenizer, reviews, encoding), progress)


def answer(
    model: Any,
    tokenizer: Any,
    rows: Sequence[Sequence[int]],
    progress: Progress,
    *,
    what: str = "measuring",
    bf16: bool = False,
) -> NDArray[np.float32]:
    """A model's logits, shape (rows, classes).

    Raises:
        InputError: If the logits are NaN or infinite.
    """
    logits = np.zeros((len(rows), model.config.num_labels), dtype=np.float32)
    model.eval()
    forward = type(model).forward  # of the class: while a model is trained in bf16, its own forward is wrapped
    for batch in progress.follow(what, _batches(rows), len(rows)):
        padded = tokenizer.pad({"input_ids": [rows[index] for index in batch]}, return_tensors="pt")
        with torch.inference_mode(), torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
            logits[batch] = forward(model, **padded.to(model.device))["logits"].float().cpu().numpy()
    if not np.isfinite(logits).all():
        raise InputError("the logits are NaN or infinite: the run has diverged. Lower --learning-rate.")
    return logits


def _batches(rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Indices of rows of like length, so that little is padding."""
    batches: list[list[int]] = []
    for index in sorted(range(len(rows)), key=lambda index: len(rows[index]), reverse=True):
        if not batches or (len(batches[-1]) + 1) * len(rows[batches[-1][0]]) > _BATCH_TOKENS_MAX:
            batches.append([])
        batches[-1].append(index)
    return batches
