"""The settings of a distillation."""

import math

import pytest

from contract.errors import InputError
from training.distillation import DistillationRecipe


@pytest.mark.parametrize(
    ("wrong", "flag"),
    [
        ({"soft_share": 0}, "--soft-share"),
        ({"soft_share": 1.01}, "--soft-share"),
        ({"soft_share": math.nan}, "--soft-share"),
        ({"temperature": 0}, "--temperature"),
        ({"temperature": math.inf}, "--temperature"),
        ({"fragments": -1}, "--fragments"),
    ],
)
def test_what_is_out_of_range_is_told(wrong: dict[str, float], flag: str) -> None:
    """The message names the flag."""
    with pytest.raises(InputError, match=flag):
        DistillationRecipe(**wrong)  # type: ignore[arg-type]


def test_the_bounds_are_in_range() -> None:
    """A teacher alone may teach, and without parts of reviews."""
    assert DistillationRecipe(soft_share=1, fragments=0).temperature > 0
