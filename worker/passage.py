"""What a window is between two stages of the pipeline."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from contract.encoding import Encoded
from worker.core.decoding import Rejection
from worker.core.records import Window
from worker.ports import UNTRACED, WindowTrace

Answer = NDArray[np.float64] | Exception
"""Of the model to a row: probabilities in the order of its labels, or why it failed."""


@dataclass(frozen=True)
class Prepared:
    """A window with what each record came to, by its index: token ids, or the reason why it has none."""

    window: Window
    encoded: dict[int, Encoded]
    rejected: dict[int, Rejection]
    times_s: dict[str, float] = field(default_factory=dict)
    """How long each stage took so far."""
    trace: WindowTrace = UNTRACED


@dataclass(frozen=True)
class Submitted:
    """A prepared window whose batches the device works on, once it has done with those before."""

    prepared: Prepared
    batches: Sequence[Sequence[int]]  # indices of records
    found: Iterator[tuple[list[Answer], float, float]]
    """What each batch came to, and between which seconds of the monotonic clock."""


@dataclass(frozen=True)
class Scored:
    """A prepared window with the model's answer, by index: probabilities, or why the model failed."""

    prepared: Prepared
    answers: dict[int, Answer]
