"""A peer for which the class of a text is its first token id; where it is `broken`, it raises."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.answering import Job, Rows, Score, Ways, answer

Logits = Callable[[Rows], NDArray[np.float32]]


def first_tokens(rows: Rows) -> NDArray[np.float32]:
    """Logits of shape (rows, 3)."""
    print("what a library prints")  # noqa: T201 - it must not be taken for an answer
    return np.eye(3, dtype=np.float32)[[row[0] for row in rows]]


def _broken(_: Rows) -> NDArray[np.float32]:
    raise ArithmeticError("no such kernel")


def ways_of(job: Job, **precisions: Logits) -> Ways:
    """In one layout."""

    def load(logits: Logits) -> Callable[[], Score]:
        return lambda: job.in_batches(logits, tokens_max=4, callers=2)

    return {name: {"2 x 1": load(logits)} for name, logits in precisions.items()}


if __name__ == "__main__":
    answer(lambda job: ways_of(job, broken=_broken, fp32=first_tokens), "numpy")
