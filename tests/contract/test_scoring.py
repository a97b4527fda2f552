"""Probabilities and their temperature."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.scoring import Temperature, probabilities

_a_temperature = st.floats(0.1, 10)


@given(
    st.lists(st.floats(-50, 50), min_size=3, max_size=3),
    st.one_of(_a_temperature, st.tuples(_a_temperature, _a_temperature, _a_temperature)),
)
def test_temperature_moves_probabilities_and_never_the_label(
    logits: list[float], temperature: Temperature
) -> None:
    """Each row sums to 1 and its largest stays where it was."""
    row = np.array([logits], dtype=np.float32)
    scaled = probabilities(row, temperature)[0]
    its_own = temperature[row[0].argmax()] if isinstance(temperature, tuple) else temperature

    assert np.array_equal(scaled, probabilities(row, its_own)[0])
    assert scaled.sum() == pytest.approx(1)
    assert scaled[row[0].argmax()] == scaled.max()
