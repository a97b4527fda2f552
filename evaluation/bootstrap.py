"""Confidence intervals by the bootstrap: what the figures would be on other rows drawn from these (Efron 1979).

Scores of a confusion matrix need no rows: drawing rows with replacement and counting them is drawing the counts of
the cells from a multinomial distribution, which takes the same time for a million rows as for a hundred.
"""

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
_SEED = 2018
_CONFIDENCE = 0.95


def resampled_counts(
    counts: NDArray[np.int64], resamples: int = RESAMPLES, seed: int = _SEED
) -> NDArray[np.int64]:
    """Counts of as many rows drawn with replacement, shape (resamples, *counts.shape).

    Args:
        counts: How many rows fell into each cell of a table of any shape; at least one row.
        resamples: How often to draw.
        seed: Of the draws: the same counts give the same intervals.
    """
    cells = counts.ravel()
    drawn = np.random.default_rng(seed).multinomial(cells.sum(), cells / cells.sum(), size=resamples)
    return drawn.reshape(resamples, *counts.shape)


def resampled_means(
    values: NDArray[np.float64], resamples: int = RESAMPLES, seed: int = _SEED
) -> NDArray[np.float64]:
    """Means of as many rows drawn with replacement, shape (resamples, columns), of values (rows, columns)."""
    draw, rows = np.random.default_rng(seed), len(values)
    counts = (np.bincount(draw.integers(rows, size=rows), minlength=rows) for _ in range(resamples))
    return np.stack([count @ values for count in counts]) / rows


def interval(resampled: NDArray[np.float64], confidence: float = _CONFIDENCE) -> tuple[float, float]:
    """The percentile interval of a score's resampled values, shape (resamples,)."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return float(low), float(high)
