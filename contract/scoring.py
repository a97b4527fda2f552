"""From logits to a calibrated answer."""

import numpy as np
from numpy.typing import NDArray

Temperature = float | tuple[float, ...]
"""One for all rows, or one for each label that a row may be answered with, in class-id order."""


def probabilities(logits: NDArray[np.float32], temperature: Temperature) -> NDArray[np.float64]:
    """Softmax of `logits / temperature` along the last axis, in double precision.

    Temperature scaling is Guo et al. 2017 (arXiv 1706.04599), and by answered label Frenkel & Goldberger 2021
    ("Network calibration by class-based temperature scaling"): it moves the probabilities, never the label.

    Args:
        logits: Shape (rows, classes).
        temperature: Larger than zero; 1 leaves the model's own probabilities.

    Returns:
        Shape (rows, classes), each row summing to 1.
    """
    divisors = np.asarray(temperature, dtype=np.float64)
    if divisors.ndim:
        divisors = divisors[logits.argmax(axis=-1), None]
    scaled = logits.astype(np.float64) / divisors
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return result
