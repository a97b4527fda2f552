"""Scoring texts with a graph as the worker does: its encoder, its batches, its classifier."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from contract.fields import Fields
from worker.callers import ALONE, Callers
from worker.core.batching import PASS_TOKENS, plan_batches
from worker.errors import ModelFailedError
from worker.ports import Classifier, Encoder

Logits = NDArray[np.float32]

_ROWS_MAX, _TOKENS_MAX = 64, 512
_WINDOW = 512
"""Texts encoded and batched at a time, as by the worker: no more of a large file's token ids are held."""


def score(
    encoder: Encoder,
    classifier: Classifier,
    texts: Sequence[Fields],
    *,
    tokens_max: int,
    callers: Callers = ALONE,
    done: Callable[[int], None] = lambda _: None,
) -> Logits:
    """The logits of texts, shape (texts, classes), in the order given.

    Args:
        encoder: The bundle's, in the worker's hands.
        classifier: The graph, in the worker's hands.
        texts: At least one.
        tokens_max: Of the bundle's encoding.
        callers: Make the forward passes.
        done: Is told how many texts have been scored.

    Raises:
        ModelFailedError: If the graph answers NaN or infinity.
    """
    parts = []
    for start in range(0, len(texts), _WINDOW):
        rows = [encoded.ids for encoded in encoder.encode(texts[start : start + _WINDOW])]
        plan = plan_batches(
            [len(row) for row in rows],
            rows_max=_ROWS_MAX,
            tokens_max=max(_TOKENS_MAX, tokens_max),
            pass_tokens=PASS_TOKENS["cpu"],
        )
        parts.append(logits_of(classifier, rows, plan, callers))
        done(start + len(rows))
    logits: Logits = np.concatenate(parts)
    if not np.isfinite(logits).all():
        raise ModelFailedError("the graph answers NaN or infinity to some texts: train again, and export that")
    return logits


def logits_of(
    classifier: Classifier,
    rows: Sequence[Sequence[int]],
    batches: Sequence[Sequence[int]],
    callers: Callers = ALONE,
) -> Logits:
    """The logits of token ids, shape (rows, classes), from batches of indices that hold every row once."""
    parts = list(callers.map(classifier.logits, [[rows[index] for index in batch] for batch in batches]))
    logits = np.zeros((len(rows), parts[0].shape[1]), dtype=np.float32)
    for batch, part in zip(batches, parts, strict=True):
        logits[list(batch)] = part
    return logits
