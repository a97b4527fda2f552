"""Which scales quantise one matrix product with the least error."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

Floats = NDArray[np.float32]

WEIGHT_MAX = 63
"""Weights use 7 of their 8 bits. Processors without VNNI (AVX2, and the first AVX-512) add two products
in 16 bits, which full-range weights overflow: the answer would be another there, and wrong."""
_MIGRATIONS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)
"""How much of a channel's range moves from activation to weight (SmoothQuant, arXiv 2211.10438); 0: none."""
_CLIPS = (1.0, 0.85, 0.7, 0.55, 0.4)
"""How much of the observed range is kept: clipping a rare outlier leaves finer steps for everything else."""
_TINY = 1e-6
_FLAT = 0.01
"""Of the mean variance: an output that varies by less says little, and its error is not taken for a large one."""
_DAMPING = 0.01
"""Added to the inputs' second moments, as a share of their mean: of rare directions so few rows say only noise."""
_SEARCH_ROWS = 1024
"""That tell the candidates apart, a third of all; the weights are rounded for all of them."""
_BLOCK = 64
"""Channels that are rounded before the rest hears of it: one matrix product instead of many."""


@dataclass(frozen=True)
class Observed:
    """What one matrix product was fed with.

    Attributes:
        rows: A sample of activations, shape (tokens, channels).
        low: The smallest value of each channel over all tokens, shape (channels,).
        high: The largest.
    """

    rows: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Scales:
    """The quantised weight, and how its input is quantised.

    Attributes:
        channel: What each channel of the input is divided by first, shape (channels,); None for no such step.
        step: Of the quantised input.
        zero_point: Of the quantised input, 0 to 255.
        weight: Shape (channels, outputs).
        weight_step: Of each output's weights, shape (outputs,).
        error: The product's squared error, as a share of its variance, in the mean over the outputs.
    """

    channel: Floats | None
    step: np.float32
    zero_point: np.uint8
    weight: NDArray[np.int8]
    weight_step: Floats
    error: float


def choose_scales(observed: Observed, weight: Floats) -> Scales:
    """The candidate whose product comes closest to the exact one on the rows, rounded with compensation."""
    some = observed.rows[:: -(-len(observed.rows) // _SEARCH_ROWS)]
    best = min(_candidates(observed, some, weight), key=lambda scales: scales.error)
    return _compensated(best, observed.rows, weight)


def _compensated(scales: Scales, rows: Floats, weight: Floats) -> Scales:
    """The same scales with weights whose rounding errors cancel out, as far as the inputs go together.

    One channel of the input is rounded after the other, and the weights of those to come take over what its error
    does to the product (GPTQ, Frantar et al. 2022, arXiv 2210.17323).
    """
    channel = 1.0 if scales.channel is None else scales.channel
    levels = _levels(rows / channel, scales.step, scales.zero_point)
    moments = (levels.T @ levels).astype(np.float64) * float(scales.step) ** 2
    moments[np.diag_indices_from(moments)] += _DAMPING * moments.diagonal().mean() + _TINY
    inverse = _inverse_factor(moments)
    scaled = weight * np.reshape(channel, (-1, 1))
    rounded = _rounded_in_turn(scaled.astype(np.float64), scales.weight_step, inverse)
    exact, quantised = rows @ weight, levels * scales.step
    plain = replace(scales, error=_error(quantised @ (scales.weight * scales.weight_step), exact))
    error = _error(quantised @ (rounded * scales.weight_step), exact)
    return replace(plain, weight=rounded, error=error) if error < plain.error else plain


def _inverse_factor(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """The upper Cholesky factor of the inverse, as the inverse of a factor from the last row to the first.

    With R upper and moments = R R', inverse = (R^-1)' R^-1: a quarter of the work of inverting and then factoring.
    """
    reversed_factor = linalg.cholesky(moments[::-1, ::-1], lower=True)
    factor, _ = linalg.lapack.dtrtri(reversed_factor[::-1, ::-1])
    upper: NDArray[np.float64] = factor
    return upper


def _rounded_in_turn(weight: NDArray[np.float64], step: Floats, inverse: NDArray[np.float64]) -> NDArray[np.int8]:
    """Round weights (channels, outputs), given the upper Cholesky factor of the inverse of the second moments."""
    rounded = np.empty(weight.shape, dtype=np.int8)
    for start in range(0, len(weight), _BLOCK):
        block = slice(start, min(start + _BLOCK, len(weight)))
        errors = np.empty((block.stop - start, weight.shape[1]))
        for row in range(start, block.stop):
            rounded[row] = np.clip(np.rint(weight[row] / step), -WEIGHT_MAX, WEIGHT_MAX)
            errors[row - start] = (weight[row] - rounded[row] * step) / inverse[row, row]
            weight[row + 1 : block.stop] -= np.outer(inverse[row, row + 1 : block.stop], errors[row - start])
        weight[block.stop :] -= inverse[block, block.stop :].T @ errors
    return rounded


def _candidates(observed: Observed, some: Floats, weight: Floats) -> Iterator[Scales]:
    """Every migration with every clip, each with its error on some of the rows."""
    exact = some @ weight
    for migration in _MIGRATIONS:
        channel = _channel_scales(observed, weight, migration)
        quantised, weight_step = _quantise_weight(weight * channel[:, None])
        rows, restored = some / channel, quantised * weight_step
        low, high = float((observed.low / channel).min()), float((observed.high / channel).max())
        for clip in _CLIPS:
            step, zero_point = _affine(low * clip, high * clip)
            error = _error((_levels(rows, step, zero_point) * step) @ restored, exact)
            yield Scales(channel if migration else None, step, zero_point, quantised, weight_step, error)


def _levels(rows: Floats, step: np.float32, zero_point: np.uint8) -> Floats:
    """What quantising makes of rows, in steps."""
    levels: Floats = np.clip(np.rint(rows / step) + zero_point, 0, 255) - np.float32(zero_point)
    return levels


def _error(product: Floats, exact: Floats) -> float:
    """The mean over the outputs of each one's squared error, as a share of its variance.

    Of all outputs together, the few that BERT lets grow large would be all that counts, and the normalisation
    that reads them next scales those down to the others.
    """
    variance = exact.var(axis=0)
    least = _FLAT * float(variance.mean()) or 1.0
    return float((((product - exact) ** 2).mean(axis=0) / np.maximum(variance, least)).mean())


def _channel_scales(observed: Observed, weight: Floats, migration: float) -> Floats:
    if not migration:
        return np.ones(len(weight), dtype=np.float32)
    activation = np.maximum(np.maximum(np.abs(observed.low), np.abs(observed.high)), _TINY)
    weights = np.maximum(np.abs(weight).max(axis=1), _TINY)
    scales: Floats = np.maximum(activation**migration / weights ** (1 - migration), _TINY).astype(np.float32)
    return scales


def _quantise_weight(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    step = (np.maximum(np.abs(weight).max(axis=0), _TINY) / WEIGHT_MAX).astype(np.float32)
    return np.rint(weight / step).astype(np.int8), step


def _affine(low: float, high: float) -> tuple[np.float32, np.uint8]:
    """Step and zero point that map [low, high], widened to hold zero, onto 0 to 255."""
    low, high = min(low, 0.0), max(high, 0.0)
    step = np.float32(max((high - low) / 255, _TINY))
    return step, np.uint8(np.clip(round(-low / float(step)), 0, 255))
