"""The scales of one matrix product."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.int8.scales import WEIGHT_MAX, Floats, Observed, _inverse_factor, choose_scales


def product(scales_of: Observed, weight: Floats) -> tuple[Floats, Floats]:
    """The exact product, and the one that the int8 graph computes."""
    scales = choose_scales(scales_of, weight)
    rows = scales_of.rows if scales.channel is None else scales_of.rows / scales.channel
    levels = np.clip(np.rint(rows / scales.step) + scales.zero_point, 0, 255) - scales.zero_point
    return scales_of.rows @ weight, (levels @ scales.weight) * scales.step * scales.weight_step


def observed(rows: Floats) -> Observed:
    """What calibration would say of all these rows."""
    return Observed(rows, rows.min(axis=0), rows.max(axis=0))


@given(seed=st.integers(0, 2**32 - 1), outlier=st.sampled_from([1, 10, 100]), shift=st.floats(-3, 3))
def test_the_product_is_kept_whatever_the_channels_ranges(seed: int, outlier: float, shift: float) -> None:
    """With a channel a hundred times the others', the relative error stays below 2 %."""
    randomly = np.random.default_rng(seed)
    rows = (randomly.normal(size=(64, 16)) + shift).astype(np.float32)
    rows[:, 3] *= outlier
    weight = randomly.normal(size=(16, 8)).astype(np.float32)
    exact, quantised = product(observed(rows), weight)
    assert ((exact - quantised) ** 2).mean() <= 4e-4 * (exact**2).mean() + 1e-12


@pytest.mark.parametrize("rows", [np.zeros((4, 3)), np.full((4, 3), 5.0), np.full((4, 3), -5.0)])
def test_degenerate_inputs_give_finite_scales(rows: Floats) -> None:
    """All zero, or all alike: no division by zero, and the product still holds."""
    weight = np.array([[1.0, 0.0], [-2.0, 0.0], [0.5, 0.0]], dtype=np.float32)
    exact, quantised = product(observed(rows.astype(np.float32)), weight)
    assert np.allclose(exact, quantised, atol=0.2)


def test_weights_never_overflow_sixteen_bits() -> None:
    """Two products of a full-range activation and a weight fit into 16 signed bits, as AVX2 adds them."""
    randomly = np.random.default_rng(0)
    rows = randomly.normal(size=(8, 6)).astype(np.float32)
    scales = choose_scales(observed(rows), randomly.normal(size=(6, 4)).astype(np.float32))
    assert int(np.abs(scales.weight).max()) == WEIGHT_MAX
    assert 2 * 255 * WEIGHT_MAX < 2**15


def test_rounding_errors_cancel_out_where_inputs_go_together() -> None:
    """Of inputs that are correlated, the product is closer to the exact one than rounding each weight makes it."""
    randomly = np.random.default_rng(5)
    rows = (randomly.normal(size=(400, 4)) @ randomly.normal(size=(4, 96))).astype(np.float32)
    rows += randomly.normal(size=rows.shape).astype(np.float32) * 0.1
    weight = randomly.normal(size=(96, 24)).astype(np.float32)
    fitted, apart = rows[:200], rows[200:]
    scales = choose_scales(observed(fitted), weight)
    channel = np.ones(96, dtype=np.float32) if scales.channel is None else scales.channel
    scaled = weight * channel[:, None]
    compensated, nearest = (
        scales.weight * scales.weight_step,
        np.rint(scaled / scales.weight_step) * scales.weight_step,
    )
    errors = [(((apart / channel) @ (rounded - scaled)) ** 2).mean() for rounded in (compensated, nearest)]
    assert errors[0] < 0.5 * errors[1]


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_the_factor_is_that_of_the_inverse(seed: int, channels: int) -> None:
    """Upper, with a positive diagonal, and its square is the inverse: which makes it the only one."""
    inputs = np.random.default_rng(seed).normal(size=(3 * channels, channels))
    moments = inputs.T @ inputs + np.eye(channels)
    factor = _inverse_factor(moments)
    assert np.array_equal(factor, np.triu(factor))
    assert (factor.diagonal() > 0).all()
    assert np.allclose(factor.T @ factor @ moments, np.eye(channels))
