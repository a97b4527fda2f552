"""Whether reviews are those that a model has learnt already: their texts tell, whatever file they stand in."""

import base64
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from contract.training_record import DataSheet, ReviewFile

SKETCH_TEXTS = 1024
_SHARED_MIN = 3  # "Great!" stands in any two sets of reviews
_SHARE_MIN = 0.1


def sketch_of(keys: NDArray[np.uint64]) -> str:
    """A sample of texts that another set can be compared with: the least keys, in base64.

    A key is a hash, so any set that shares texts with this one shares as large a part of the sample (bottom-k
    sampling, Cohen & Kaplan 2007). It names no text, but who has a text can see whether it is in the sample.

    Args:
        keys: As `Reviews.keys` has them.
    """
    return base64.b64encode(np.unique(keys)[:SKETCH_TEXTS].astype("<u8").tobytes()).decode()


def share_in(keys: NDArray[np.uint64], sketch: bytes) -> float:
    """About which share of some texts stands in the set that was sketched; 0 where too few can be compared.

    Args:
        keys: Of the texts, as `Reviews.keys` has them.
        sketch: As `DataSheet` has it; empty for a set that is not known.
    """
    known = np.frombuffer(sketch[: len(sketch) // 8 * 8], dtype="<u8")
    own = np.unique(keys)
    if len(known) >= SKETCH_TEXTS:
        own = own[own <= known.max()]  # of the others the sample can't tell
    shared = int(np.isin(own, known).sum())
    return shared / len(own) if shared >= _SHARED_MIN else 0.0


def seen_in(sheets: Iterable[DataSheet], files: Sequence[ReviewFile], keys: NDArray[np.uint64]) -> str:
    """What of some reviews stands in the data that these sheets describe, in words; nothing if none does.

    Args:
        sheets: Of a training run or a calibration.
        files: That the reviews were read from.
        keys: Of the reviews.
    """
    sheets = list(sheets)
    digests = {digest for sheet in sheets for digest in sheet.digests()}
    if names := sorted({file.name for file in files if file.sha256 in digests}):
        return ", ".join(names)
    share = max((share_in(keys, sheet.sketch) for sheet in sheets), default=0.0)
    return f"about {share:.0%} of the texts of {', '.join(file.name for file in files)}" * (share >= _SHARE_MIN)
