"""How far a graph is from PyTorch, and how far an event's result depends on its neighbours.

Everything here goes through the worker's own classifier, so what is measured is what serves.
"""

import random
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.manifest import Golden
from contract.scoring import probabilities
from contract.variants import Device
from export.gates.limits import Deviation
from export.scoring import logits_of
from worker.adapters.classifier import OnnxClassifier
from worker.callers import ALONE, Callers
from worker.ports import Classifier

Probabilities = NDArray[np.float64]

_ROWS_SORTED = 16
"""Rows of a batch in the reference batching: sorted by length, as the worker does and as its warm-up does."""
_ROWS_RANDOM = (1, 8)
_TOKENS_MAX = 4096
"""Of a padded batch in PyTorch, which keeps 512-token texts of a BERT-base inside a small machine's memory."""
_BATCHING_TEXTS = 128
"""Of all lengths, that go through random batchings: more of them say nothing new of a graph."""
_SPEED_ROUNDS = 3
_SPEED_TEXTS = 64


def reference_probabilities(model: Any, rows: Sequence[Sequence[int]], *, threads: int = 0) -> Probabilities:
    """PyTorch's probabilities of shape (rows, classes), uncalibrated.

    Args:
        model: A `BertForSequenceClassification`, ready for inference.
        rows: Token ids of any lengths.
        threads: For one operator; 0 leaves PyTorch's own choice.
    """
    import torch  # noqa: PLC0415 - seconds of import, which wrong usage need not wait for

    if threads:
        torch.set_num_threads(threads)
    logits = np.zeros((len(rows), model.config.num_labels), dtype=np.float32)
    for batch in _sorted_batches(rows, max(1, _TOKENS_MAX // max(map(len, rows)))):
        longest = max(len(rows[index]) for index in batch)
        ids = torch.zeros(len(batch), longest, dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for place, index in enumerate(batch):
            ids[place, : len(rows[index])] = torch.tensor(rows[index])
            mask[place, : len(rows[index])] = 1
        with torch.inference_mode():
            logits[batch] = model(ids, mask, torch.zeros_like(ids), return_dict=True).logits.numpy()
    return probabilities(logits, temperature=1.0)


def measure(
    classifier: Classifier,
    rows: Sequence[Sequence[int]],
    reference: Probabilities,
    *,
    batchings: int,
    callers: Callers = ALONE,
) -> Deviation:
    """Score `rows` in sorted batches and in random ones.

    Args:
        classifier: The graph under test, in the worker's hands.
        rows: Token ids of each text.
        reference: PyTorch's probabilities of shape (rows, classes).
        batchings: How many random batchings to try.
        callers: Make the forward passes.
    """
    by_length = _score(classifier, rows, _sorted_batches(rows, _ROWS_SORTED), callers)
    randomly = random.Random(1)  # noqa: S311 - reproducible shuffles, no secret
    some = _of_all_lengths(rows, _BATCHING_TEXTS)
    mixed_rows, alike = [rows[index] for index in some], by_length[some]
    flips, neighbour_delta = [], 0.0
    for _ in range(batchings):
        mixed = _score(classifier, mixed_rows, _random_batches(len(some), randomly), callers)
        flips.append(float((mixed.argmax(axis=1) != alike.argmax(axis=1)).mean()))
        neighbour_delta = max(neighbour_delta, float(np.abs(mixed - alike).max()))
    deltas = np.abs(by_length - reference).max(axis=1)
    return Deviation(
        texts=len(rows),
        probability_delta_max=float(deltas.max()),
        probability_delta_p99=float(np.quantile(deltas, 0.99)),
        label_agreement=float((by_length.argmax(axis=1) == reference.argmax(axis=1)).mean()),
        batchings=batchings,
        batched_texts=len(some),
        flip_rate=float(np.mean(flips)),
        neighbour_delta_max=neighbour_delta,
    )


def golden_answers(classifier: Classifier, goldens: Sequence[Golden]) -> Probabilities:
    """A graph's own answers to the golden texts, shape (texts, classes), batched as the worker's warm-up does."""
    rows = [golden.ids for golden in goldens]
    return _score(classifier, rows, _sorted_batches(rows, _ROWS_SORTED))


def speed_ratio(file: Path, baseline: Path, rows: Sequence[Sequence[int]], device: Device) -> float:
    """How many times as fast as `baseline` a graph scores the same sorted batches, on a CPU with one thread.

    The two take turns, so that a busy neighbour on the machine slows both alike, and medians count.
    """
    some = [rows[index] for index in _of_all_lengths(rows, _SPEED_TEXTS)]
    batches = _sorted_batches(some, _ROWS_SORTED)
    classifiers = [OnnxClassifier(path, device=device, threads=1) for path in (file, baseline)]
    elapsed_s: list[list[float]] = [[], []]
    for _ in range(_SPEED_ROUNDS):
        for classifier, times in zip(classifiers, elapsed_s, strict=True):
            start = time.perf_counter()
            _score(classifier, some, batches)
            times.append(time.perf_counter() - start)
    return median(elapsed_s[1]) / median(elapsed_s[0])


def _score(
    classifier: Classifier,
    rows: Sequence[Sequence[int]],
    batches: list[list[int]],
    callers: Callers = ALONE,
) -> Probabilities:
    return probabilities(logits_of(classifier, rows, batches, callers), temperature=1.0)


def _sorted_batches(rows: Sequence[Sequence[int]], size: int) -> list[list[int]]:
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    return [order[start : start + size] for start in range(0, len(order), size)]


def _of_all_lengths(rows: Sequence[Sequence[int]], count: int) -> list[int]:
    """The places of about so many rows, at most twice, spread evenly over the lengths."""
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    return order[:: max(1, len(order) // count)]


def _random_batches(count: int, randomly: random.Random) -> list[list[int]]:
    """Batches of random sizes over a random order: short texts land beside long ones and are padded."""
    order = list(range(count))
    randomly.shuffle(order)
    batches: list[list[int]] = []
    while order:
        size = randomly.randint(*_ROWS_RANDOM)
        batches.append(order[:size])
        order = order[size:]
    return batches
