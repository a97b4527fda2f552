"""From logits to a calibrated answer."""

import numpy as np
from numpy.typing import NDArray


def probabilities(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """Softmax of `logits / temperature` along the last axis, in double precision.

    Temperature scaling is Guo et al. 2017 (arXiv 1706.04599): it moves the probabilities, never the label.

    Args:
        logits: Shape (rows, classes).
        temperature: Larger than zero; 1 leaves the model's own probabilities.

    Returns:
        Shape (rows, classes), each row summing to 1.
    """
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return result
