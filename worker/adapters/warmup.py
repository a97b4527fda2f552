"""The check before a worker joins its group: the bundle reproduces its golden texts on this very device."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contract.fields import Fields
from contract.manifest import Golden
from contract.scoring import probabilities
from worker.adapters.bundle import Bundle
from worker.errors import BundleRefusedError
from worker.ports import Classifier, Encoder

_FEW = 8
"""One golden text in so many may be further off than most may, as far as the variant may be from the reference."""


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
    limit tells a broken graph or device from one that rounds otherwise. In int8 a difference in the seventh digit
    can round a value to its neighbour, which moves some texts visibly: a few may be off by more.

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
    limits = _limits(bundle, variant, goldens)
    found: list[NDArray[np.float64]] = []
    started_s = time.monotonic()
    for start in range(0, len(goldens), rows_max):
        rows = goldens[start : start + rows_max]
        actual = probabilities(classifier.logits([golden.ids for golden in rows]), temperature=1.0)
        found.append(np.abs(actual - limits.expected[start : start + rows_max]).max(axis=1))
    elapsed_s = time.monotonic() - started_s
    deltas = np.sort(np.concatenate(found))  # NaN stands last
    few = len(deltas) // _FEW
    for off, allowed, texts in (
        (deltas[-1], limits.worst, f"one of its {len(deltas)} golden texts"),
        (deltas[-1 - few], limits.most, f"{few + 1} of its {len(deltas)} golden texts"),
    ):
        if not off <= allowed:  # written so that NaN is refused too
            raise BundleRefusedError(
                f"variant {variant} of {bundle.folder} is off by {off:.4f} on {texts} with {classifier.provider}, "
                f"where {allowed:.4f} is allowed: serve another variant or export it again"
            )
    size_bytes = sum(len(golden.text.encode()) for golden in goldens)
    return WarmupReport(len(goldens), float(deltas[-1]), size_bytes, elapsed_s)


class _Limits(NamedTuple):
    """How far the probabilities of most texts may be off, how far those of any, and off what: (texts, classes)."""

    most: float
    worst: float
    expected: NDArray[np.float64]


def _limits(bundle: Bundle, name: str, goldens: Sequence[Golden]) -> _Limits:
    variant = bundle.variant(name)
    allowed, own_allowed = variant.golden_delta_max, variant.own_golden_delta_max
    if own_allowed is not None and all(name in golden.own for golden in goldens):
        own = np.array([golden.own[name] for golden in goldens])
        return _Limits(own_allowed, max(allowed, own_allowed), own)
    return _Limits(allowed, allowed, np.array([golden.probabilities for golden in goldens]))
