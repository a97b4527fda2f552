"""Measuring how this machine serves a bundle fastest."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from contract.variants import Device
from worker.adapters.bundle import Bundle
from worker.adapters.classifier import OnnxClassifier
from worker.callers import Callers
from worker.core.batching import PASS_TOKENS, Layout, plan_batches
from worker.errors import ModelFailedError
from worker.ports import Classifier, OutOfDeviceMemoryError

_TOKENS = {"cpu": (512, 1_024, 2_048, 4_096), "cuda": (8_192, 16_384, 32_768)}
_ROUNDS_MIN = 3
"""One alone would be taken for the truth by who measures on a busy machine."""
_KEPT_SHARE = 0.8
"""Of the best median: what is slower is not measured again."""


@dataclass(frozen=True)
class Candidate:
    """A graph and a layout to try."""

    variant: str
    layout: Layout


def candidates(
    variants: Iterable[str], device: Device, usable_cores: int, *, rows_max: int, tokens_min: int
) -> list[Candidate]:
    """What may be fastest: on a CPU from one pass on all cores to one on each; on CUDA one or two at a time.

    Args:
        variants: That run on the device.
        device: What to serve on.
        usable_cores: See `worker.cores`.
        rows_max: Of a pass.
        tokens_min: The longest row, below which no limit of a batch may be.
    """
    counts = {1, 2} if device == "cuda" else {2**n for n in range(usable_cores.bit_length())} | {usable_cores}
    return [
        Candidate(variant, Layout(callers, max(1, usable_cores // callers), rows_max, tokens, PASS_TOKENS[device]))
        for variant in variants
        for callers in sorted(counts)
        for tokens in dict.fromkeys(max(tokens, tokens_min) for tokens in _TOKENS[device])
    ]


@dataclass(frozen=True)
class Speed:
    """Rows a second, of rounds in turns with others."""

    median: float
    least: float
    most: float
    rounds: int


def measure(
    tried: Sequence[Candidate],
    load: Callable[[Candidate], Classifier],
    rows: Sequence[Sequence[int]],
    budget_s: float,
    told: Callable[[str], None] = lambda _: None,
) -> dict[Candidate, Speed]:
    """How fast each candidate is, the fastest first.

    The candidates take turns, so that a busy neighbour on the machine slows all alike; those that are far behind
    drop out after each round.

    Args:
        tried: What to measure.
        load: A classifier for a candidate, the same at each call.
        rows: Token ids of the texts to score.
        budget_s: No round begins after so many seconds; the first three do in any case.
        told: Is told how it goes.

    Raises:
        ModelFailedError: If the device has no memory for any of them, or is lost.
    """
    speeds: dict[Candidate, list[float]] = {candidate: [] for candidate in tried}
    left, ends_s, rounds = list(tried), time.monotonic() + budget_s, 0
    while rounds < _ROUNDS_MIN or (len(left) > 1 and time.monotonic() < ends_s):
        rounds += 1
        for candidate in left:
            try:
                speeds[candidate].append(len(rows) / elapsed_s(load(candidate), candidate.layout, rows))
            except (OutOfDeviceMemoryError, ModelFailedError) as error:
                told(f"{candidate.variant}, batches of {candidate.layout.tokens} tokens, is left out: {error}")
                del speeds[candidate]
        if not speeds:
            raise ModelFailedError("this device runs none of the layouts")
        left = [candidate for candidate in left if candidate in speeds]
        best = max(median(each) for each in speeds.values())
        told(f"round {rounds}: {len(left)} layouts, the fastest {best:.0f} reviews/s")
        # By its best round: of two, one that a neighbour on the machine has spoilt is half of the median.
        left = [candidate for candidate in left if max(speeds[candidate]) >= _KEPT_SHARE * best]
    found = {it: Speed(median(each), min(each), max(each), len(each)) for it, each in speeds.items()}
    return dict(sorted(found.items(), key=lambda item: -item[1].median))


def elapsed_s(classifier: Classifier, layout: Layout, rows: Sequence[Sequence[int]]) -> float:
    """Seconds that a window of these token ids takes in this layout, without anything else."""
    plan = plan_batches(
        [len(row) for row in rows],
        rows_max=layout.rows,
        tokens_max=layout.tokens,
        pass_tokens=layout.pass_tokens,
        callers=layout.callers,
    )
    batches = [[rows[index] for index in batch] for batch in plan]
    callers = Callers(layout.callers)
    started_s = time.monotonic()
    for _ in callers.map(classifier.logits, batches):
        pass
    return time.monotonic() - started_s


def loader(bundle: Bundle, device: Device, memory_bytes_max: int = 0) -> Callable[[Candidate], Classifier]:
    """Sessions on a bundle's graphs; candidates that differ in nothing that a session knows share one."""
    sessions: dict[tuple[str, int], Classifier] = {}

    def load(candidate: Candidate) -> Classifier:
        key = candidate.variant, candidate.layout.threads
        if key not in sessions:
            file = bundle.folder / bundle.variant(candidate.variant).file
            sessions[key] = OnnxClassifier(
                file, device=device, threads=candidate.layout.threads, memory_bytes_max=memory_bytes_max
            )
        return sessions[key]

    return load
