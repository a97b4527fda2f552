"""Forward passes alone: reviews a second by length and batch, and on lengths as reviews have them."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.flops import flops
from benchmarks.gpu.contenders import Contender, Rows
from worker.core.batching import plan_batches

LENGTHS = (16, 32, 64, 128, 256)
BATCH_TOKENS = (4_096, 16_384, 65_536)
_SECONDS = 0.4  # of each measurement
_ROUNDS_MIN = 3
_WORDS_MEDIAN, _WORDS_SIGMA = 62, 0.75  # tokens of a review: a mean of 82, as in Amazon's


def review_rows(count: int, tokens_max: int, vocabulary: int, seed: int = 2018) -> list[list[int]]:
    """Token ids of lengths as reviews have them (log-normal), of random words between [CLS] and [SEP]."""
    randomly = np.random.default_rng(seed)
    lengths = np.clip(randomly.lognormal(np.log(_WORDS_MEDIAN), _WORDS_SIGMA, count), 3, tokens_max).astype(int)
    return [[101, *randomly.integers(1000, vocabulary, length - 2).tolist(), 102] for length in lengths]


def by_length(contender: Contender, config: dict[str, Any]) -> list[dict[str, float]]:
    """Batches of equal rows: reviews a second, and operations a second."""
    found = []
    for length in LENGTHS:
        for tokens in BATCH_TOKENS:
            rows = [[101, *([2000] * (length - 2)), 102]] * (tokens // length)
            elapsed_s = seconds(contender, [rows])
            found.append(
                {
                    "length": length,
                    "batch_tokens": tokens,
                    "reviews_per_s": len(rows) / elapsed_s,
                    "flops_per_s": flops([length] * len(rows), config) / elapsed_s,
                }
            )
    return found


def on_reviews(
    contender: Contender, rows: Rows, tokens_max: int, config: dict[str, Any], *, rows_max: int = 10_000
) -> dict[str, float]:
    """Rows of all lengths in the worker's batches: longest first, and of like length."""
    lengths = [len(row) for row in rows]
    plan = plan_batches(lengths, rows_max=rows_max, tokens_max=tokens_max)
    elapsed_s = seconds(contender, [[rows[index] for index in batch] for batch in plan])
    padded = sum(lengths[batch[0]] * len(batch) for batch in plan)
    return {
        "batch_tokens": tokens_max,
        "reviews_per_s": len(rows) / elapsed_s,
        "flops_per_s": flops(lengths, config) / elapsed_s,
        "padding": 1 - sum(lengths) / padded,
    }


def in_order(contender: Contender, rows: Rows, rows_max: int, config: dict[str, Any]) -> dict[str, float]:
    """Rows of all lengths in batches as they come, unsorted: what padding costs where nobody plans."""
    batches = [rows[start : start + rows_max] for start in range(0, len(rows), rows_max)]
    elapsed_s = seconds(contender, batches)
    lengths = [len(row) for row in rows]
    padded = sum(max(map(len, batch)) * len(batch) for batch in batches)
    return {
        "batch_rows": rows_max,
        "reviews_per_s": len(rows) / elapsed_s,
        "flops_per_s": flops(lengths, config) / elapsed_s,
        "padding": 1 - sum(lengths) / padded,
    }


def seconds(contender: Contender, batches: Sequence[Rows]) -> float:
    """The median time of all the batches, after a round to warm up."""
    for batch in batches:
        contender.logits(batch)
    times: list[float] = []
    while len(times) < _ROUNDS_MIN or sum(times) < _SECONDS:
        start = time.perf_counter()
        for batch in batches:
            contender.logits(batch)
        times.append(time.perf_counter() - start)
    return float(np.median(times))
