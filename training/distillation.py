"""How a student is taught by a larger model: the settings of `distill`."""

import math
from dataclasses import dataclass

from contract.errors import InputError
from training.recipe import setting


@dataclass(frozen=True)
class DistillationRecipe:
    """The settings of a distillation.

    Raises:
        InputError: If one is out of its range.
    """

    soft_share: float = setting(0.7, "share of the loss that is the teacher's, where a text has stars too")
    temperature: float = setting(2.0, "of both softmaxes")
    fragments: int = setting(1, "parts of each review that the teacher answers besides")

    def __post_init__(self) -> None:
        laws = {
            "--soft-share must be above 0 and at most 1": 0 < self.soft_share <= 1,
            "--temperature must be above 0": 0 < self.temperature < math.inf,
            "--fragments must be 0 or more": self.fragments >= 0,
        }
        for law, holds in laws.items():
            if not holds:
                raise InputError(law)
