"""From logits to calibrated probabilities."""

import numpy as np
from numpy.typing import NDArray

Temperature = float | tuple[float, ...]
"""One for all rows, or one for each label that a row may be answered with, in class-id order."""


def scaled(logits: NDArray[np.floating], temperature: Temperature) -> NDArray[np.float64]:
    """Logits (rows, classes) divided by the temperature, or by that of the label that they answer."""
    divisors = np.asarray(temperature, dtype=np.float64)
    if divisors.ndim:
        divisors = divisors[logits.argmax(axis=-1), None]
    return logits.astype(np.float64) / divisors


def probabilities(logits: NDArray[np.floating], temperature: Temperature = 1.0) -> NDArray[np.float64]:
    """Softmax of `logits / temperature` along the last axis, in double precision.

    Temperature scaling is Guo et al. 2017 (arXiv 1706.04599), and by answered label Frenkel & Goldberger 2021
    ("Network calibration by class-based temperature scaling"): it moves the probabilities, never the label.

    Args:
        logits: Shape (rows, classes).
        temperature: Larger than zero; 1 leaves the model's own probabilities.

    Returns:
        Shape (rows, classes), each row summing to 1.
    """
    values = scaled(logits, temperature)
    exponentials = np.exp(values - values.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return result
