"""A peer's side: it is asked for one way of scoring at a time, and answers with the labels and its time.

It runs in the peer's own environment, so it imports NumPy and what of ours needs no more than that.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.callers import Callers
from worker.core.batching import PASS_TOKENS, plan_batches

TOKENS, ROWS = (512, 4_096), (1, 8, 32)
"""Of a batch, to try: for peers that take token ids, and for pipelines that take texts."""

Rows = Sequence[Sequence[int]]
Score = Callable[[int], Sequence[int]]
"""Scores a round's texts, and gives the class of each, in their order."""
Ways = Mapping[str, Mapping[str, Callable[[], Score]]]
"""By precision, then by layout: what loads a way of scoring. It is called once, and not timed."""


@dataclass(frozen=True)
class Job:
    """What all are asked to score.

    Attributes:
        bundle: A folder.
        checkpoint: That the bundle was made of, a folder.
        labels: Of the classes, in the order of their ids.
        texts: In the bundle's template.
        rows: Token ids of the texts, cut as the bundle says; not all of one length.
        calibration: Token ids of other texts, for those who choose the scales of int8 by them.
        cores: To use.
        graphs: Files of the bundle's other graphs than the reference, by variant.
        rounds: Each has other texts, as a stream has, an equal share of them: a runtime that prepares itself for
            each shape of a batch would be flattered by texts that come again.
    """

    bundle: str
    checkpoint: str
    labels: list[str]
    texts: list[str]
    rows: list[list[int]]
    calibration: list[list[int]]
    cores: int
    graphs: dict[str, str] = field(default_factory=dict)
    rounds: int = 1

    def share(self, number: int) -> slice:
        """Where the texts of a round are among all."""
        size = len(self.rows) // self.rounds
        return slice(number * size, (number + 1) * size)

    def in_batches(
        self, logits: Callable[[Rows], NDArray[Any]], *, tokens_max: int, callers: int = 1, rows_max: int = 0
    ) -> Score:
        """Score the rows in batches of like length, longest first.

        Args:
            logits: Of shape (rows, classes), safe to call from so many threads.
            tokens_max: Of a batch, padding included; a row that is longer makes it more.
            callers: Batches at a time.
            rows_max: Of a batch; 0 for no other limit than tokens.
        """
        pool, longest = Callers(callers), max(map(len, self.rows))

        def score(number: int) -> list[int]:
            rows = self.rows[self.share(number)]
            plan = plan_batches(
                [len(row) for row in rows],
                rows_max=rows_max or len(rows),
                tokens_max=max(tokens_max, longest),
                pass_tokens=PASS_TOKENS["cpu"],
            )
            found = np.zeros(len(rows), dtype=np.int64)
            batches = [[rows[index] for index in batch] for batch in plan]
            for batch, part in zip(plan, pool.map(logits, batches), strict=True):
                found[batch] = part.argmax(axis=1)
            labels: list[int] = found.tolist()
            return labels

        return score

    def through(self, pipeline: Any, rows: int) -> Score:
        """Score the texts by a pipeline of transformers, so many at a time, in the order in which they came."""

        def score(number: int) -> list[int]:
            answers = pipeline(self.texts[self.share(number)], truncation=True, batch_size=rows)
            return [self.labels.index(answer["label"]) for answer in answers]

        return score


def answer(ways_of: Callable[[Job], Ways], *packages: str) -> None:
    """Read a job from stdin, then a way and a round a line, and answer each with a line of JSON, until stdin ends.

    Args:
        ways_of: What can be asked for.
        packages: Whose versions are told.
    """
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    job = Job(**json.loads(sys.stdin.readline()))
    ways = ways_of(job)
    names = [(precision, layout) for precision, layouts in ways.items() for layout in layouts]
    print(json.dumps({"ways": names, "versions": {it: version(it) for it in packages}}), file=replies)
    loaded: dict[tuple[str, str], Score] = {}
    for line in sys.stdin:
        precision, layout, number = json.loads(line)
        before = _peak_mib()
        try:
            if (precision, layout) not in loaded:
                loaded[precision, layout] = ways[precision][layout]()
            started_s = time.perf_counter()
            labels = loaded[precision, layout](number)
            elapsed_s = time.perf_counter() - started_s
            reply = {"elapsed_s": elapsed_s, "labels": labels, "mib": _peak_mib() - before}
        except Exception as error:  # noqa: BLE001 - the other ways may work, and this one is named
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=replies)


def _peak_mib() -> float:
    """The most that this process has had in memory, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # in KiB, on Linux
