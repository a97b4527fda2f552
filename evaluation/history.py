"""The course of a run, from the Trainer's log: `history.json` holds that as it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import TypeAdapter


@dataclass(frozen=True, kw_only=True)
class StepEntry:
    """What was logged of the training after a step."""

    step: int
    loss: float
    learning_rate: float


@dataclass(frozen=True, kw_only=True)
class EpochEntry:
    """What was measured on the validation part at the end of an epoch, after so many steps."""

    step: int
    eval_loss: float
    eval_macro_f1: float


_STEPS, _EPOCHS = TypeAdapter(list[StepEntry]), TypeAdapter(list[EpochEntry])


@dataclass(frozen=True, kw_only=True)
class History:
    """Entries in the order of their steps."""

    steps: list[StepEntry] = field(default_factory=list)
    epochs: list[EpochEntry] = field(default_factory=list)

    @classmethod
    def of(cls, log: Iterable[Mapping[str, Any]]) -> Self:
        """Read the log, and leave out what is neither."""
        entries = list(log)
        return cls(
            steps=_STEPS.validate_python([entry for entry in entries if "loss" in entry]),
            epochs=_EPOCHS.validate_python([entry for entry in entries if "eval_loss" in entry]),
        )
