"""The check before a worker joins its group: the bundle reproduces its golden texts on this very device."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contract.fields import Fields
from contract.manifest import Golden
from contract.scoring import probabilities
from worker.adapters.bundle import Bundle
from worker.errors import BundleRefusedError
from worker.ports import Classifier, Encoder


@dataclass(frozen=True)
class WarmupReport:
    """What the warm-up saw: texts checked, the largest difference of a probability, how long it all took."""

    texts: int
    probability_delta_max: float
    size_bytes: int
    """Of the texts, in UTF-8."""
    elapsed_s: float


def warm_up(
    bundle: Bundle, variant: str, encoder: Encoder, classifier: Classifier, *, rows_max: int = 16
) -> WarmupReport:
    """Encode and score the golden texts, which also makes the runtime allocate what it needs.

    The probabilities are compared before temperature scaling: goldens are the uncalibrated model's. A variant that
    was measured at export is held to its own answers: what quantising costs was weighed there, and here a tight
    limit tells a broken graph or device from one that rounds otherwise.

    Raises:
        BundleRefusedError: If an encoding differs, or a probability by more than the variant allows.
    """
    goldens = sorted(bundle.goldens, key=lambda golden: len(golden.ids))
    encoded = encoder.encode([Fields(golden.text, golden.title) for golden in goldens])
    for golden, (ids, _) in zip(goldens, encoded, strict=True):
        if ids != golden.ids:
            raise BundleRefusedError(
                f"the worker encodes a golden text of {bundle.folder} otherwise: {golden.text[:60]!r}"
            )
    allowed, expected = _held_to(bundle, variant, goldens)
    deltas = []
    started_s = time.monotonic()
    for start in range(0, len(goldens), rows_max):
        rows = goldens[start : start + rows_max]
        actual = probabilities(classifier.logits([golden.ids for golden in rows]), temperature=1.0)
        deltas.append(float(np.abs(actual - expected[start : start + rows_max]).max()))
    elapsed_s = time.monotonic() - started_s
    worst = float(np.max(deltas))  # NaN if any is, unlike Python's max
    if not worst <= allowed:  # written so that NaN is refused too
        raise BundleRefusedError(
            f"variant {variant} of {bundle.folder} is off by {worst:.4f} on its golden texts with "
            f"{classifier.provider}, where {allowed:.4f} is allowed: serve another variant or export it again"
        )
    size_bytes = sum(len(golden.text.encode()) for golden in goldens)
    return WarmupReport(len(goldens), worst, size_bytes, elapsed_s)


def _held_to(bundle: Bundle, variant: str, goldens: Sequence[Golden]) -> tuple[float, NDArray[np.float64]]:
    """How far a probability may be off, and off what: shape (texts, classes)."""
    limits = bundle.variant(variant)
    if limits.own_golden_delta_max is not None and all(variant in golden.own for golden in goldens):
        return limits.own_golden_delta_max, np.array([golden.own[variant] for golden in goldens])
    return limits.golden_delta_max, np.array([golden.probabilities for golden in goldens])
