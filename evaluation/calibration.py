"""Whether probabilities mean what they say, and the temperature that makes them do so better.

Temperature scaling divides the logits by one number, fitted by minimising the negative log-likelihood (Guo et al.
2017, "On calibration of modern neural networks"). Here each label that may be the answer has a number of its own
(Frenkel & Goldberger 2021, "Network calibration by class-based temperature scaling"): a model that learnt with
class weights is too sure of the rare labels and not sure enough of the others, which no one
number can fix. Answers stay as they are.

The expected calibration error (ECE) is the mean gap between confidence and accuracy over bins of the confidence,
weighted by their rows. The bins hold equally many rows: a fine-tuned classifier is nearly always confident, so
that bins of equal width would leave most of the range empty and the crowded end in one or two, and the estimate
more biased (Nixon et al. 2019, "Measuring calibration in deep learning"; Roelofs et al. 2022, "Mitigating bias in
calibration error estimation"). Noise can only add to a mean of absolute gaps: of few rows the error comes out too
large, and its bootstrap interval, which adds noise once more, larger still.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from contract.scoring import scaled

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

BINS = 15
_TEMPERATURES = (0.05, 20.0)
_SPREAD = 0.5
"""How far the logarithm of a label's temperature is thought to be from the common one's before its rows are seen:
the standard deviation of a normal prior. It keeps a dozen rows from deciding; of a thousand it is not felt."""


@dataclass(frozen=True)
class Reliability:
    """Rows, mean confidence and accuracy of each bin that is not empty, by rising confidence; shape (bins,)."""

    rows: Ids
    confidence: Floats
    accuracy: Floats

    def error(self) -> float:
        """The expected calibration error, between 0 and 1."""
        return float((self.rows * np.abs(self.confidence - self.accuracy)).sum() / self.rows.sum())


def cross_entropy(labels: Ids, logits: NDArray[np.floating]) -> float:
    """The mean negative log-likelihood in nats, of labels (rows,) and logits (rows, classes)."""
    return float(losses(labels, logits).mean())


def losses(labels: Ids, logits: NDArray[np.floating]) -> Floats:
    """The negative log-likelihood of each row in nats, shape (rows,)."""
    logarithms = log_softmax(logits.astype(np.float64), axis=1)
    chosen: Floats = np.negative(logarithms[np.arange(len(labels)), labels])
    return chosen


def fit_temperature(labels: Ids, logits: NDArray[np.floating]) -> float:
    """The temperature between 0.05 and 20 of the least cross-entropy; 1 where nothing is better, as of no rows.

    The cross-entropy is convex in the inverse temperature, so there is one minimum and the search finds it.
    """
    return _minimum(lambda temperature: losses(labels, scaled(logits, temperature)).sum(), otherwise=1.0)


def fit_temperatures(labels: Ids, logits: NDArray[np.floating]) -> tuple[float, ...]:
    """A temperature for each label that may be the answer, in class-id order.

    Each is the most probable one, given the rows that are answered so and a prior around the common temperature,
    which is that of a label without rows. Together they never have a higher cross-entropy than the common one.
    """
    common = fit_temperature(labels, logits)
    answers = logits.argmax(axis=1)

    def fitted(label: int) -> float:
        its_labels, its_logits = labels[answers == label], logits[answers == label]

        def unlikeliness(temperature: float) -> float:
            deviations = math.log(temperature / common) / _SPREAD
            return float(losses(its_labels, scaled(its_logits, temperature)).sum()) + deviations**2 / 2

        return _minimum(unlikeliness, otherwise=common)

    return tuple(fitted(label) for label in range(logits.shape[1]))


def _minimum(function: Callable[[float], float], *, otherwise: float) -> float:
    """The temperature of the function's least value, or `otherwise` where that is no higher."""
    found = minimize_scalar(
        lambda logarithm: function(math.exp(logarithm)),
        bounds=tuple(math.log(temperature) for temperature in _TEMPERATURES),
        method="bounded",
    )
    return math.exp(found.x) if found.fun < function(otherwise) else otherwise


def cross_fitted(
    labels: Ids, logits: NDArray[np.floating], second: NDArray[np.bool_]
) -> tuple[Floats, tuple[tuple[float, ...], tuple[float, ...]]]:
    """Logits scaled half by half, each with the temperatures that the other half gives: none is judged by its own.

    Args:
        labels: Class ids, shape (rows,).
        logits: Shape (rows, classes).
        second: Which rows are of the second half, shape (rows,).

    Returns:
        The scaled logits, and the temperatures that the first and the second half were scaled with.
    """
    for_first = fit_temperatures(labels[second], logits[second])
    for_second = fit_temperatures(labels[~second], logits[~second])
    both = np.where(second[:, None], scaled(logits, for_second), scaled(logits, for_first))
    return both, (for_first, for_second)


def confidence_bins(confidence: Floats, bins: int = BINS) -> Ids:
    """The bin of each row, shape (rows,); each holds equally many rows, but like confidences share one."""
    edges = np.quantile(confidence, np.arange(1, bins) / bins)
    return np.searchsorted(edges, confidence, side="right")


def reliability(labels: Ids, predicted: Floats, bins: int = BINS) -> Reliability:
    """Confidence beside accuracy, of labels (rows,) and predicted probabilities (rows, classes)."""
    confidence = predicted.max(axis=1)
    place = confidence_bins(confidence, bins)
    rows = np.bincount(place, minlength=bins)
    used = rows > 0
    right = (predicted.argmax(axis=1) == labels).astype(np.float64)
    means = [np.bincount(place, values, bins)[used] / rows[used] for values in (confidence, right)]
    return Reliability(rows[used], *means)


def brier(labels: Ids, predicted: Floats) -> Floats:
    """The Brier score of each row, shape (rows,): the squared distance to the truth, from 0 to 2 (Brier 1950)."""
    truth = np.eye(predicted.shape[1])[labels]
    return np.asarray(((predicted - truth) ** 2).sum(axis=1))


def gaps(labels: Ids, predicted: Floats, bins: int = BINS) -> Floats:
    """Confidence less correctness of each row, in the column of its bin; shape (rows, bins).

    The sum of the columns' absolute means is the expected calibration error: in this form it can be resampled.
    """
    confidence = predicted.max(axis=1)
    spread = np.zeros((len(labels), bins))
    right = predicted.argmax(axis=1) == labels
    spread[np.arange(len(labels)), confidence_bins(confidence, bins)] = confidence - right
    return spread
