"""The recipe: every setting of a run, its default and its meaning. The command line is made from this."""

import math
from dataclasses import dataclass, field, fields
from typing import Any

from training.errors import TrainingError


def _setting(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"help": meaning})


@dataclass(frozen=True)
class Recipe:
    """The settings of a run.

    Raises:
        TrainingError: If one is out of its range.
    """

    epochs: float = _setting(2.0, "passes over the data")
    learning_rate: float = _setting(2e-5, "peak, after the warm-up; then it falls linearly to zero")
    batch_size: int = _setting(8, "rows of a step")
    tokens_max: int = _setting(512, "longer texts are cut at the end; special tokens included")
    weight_decay: float = _setting(0.01, "of AdamW; not on biases and LayerNorm")
    warmup_ratio: float = _setting(0.1, "share of the steps in which the learning rate rises")
    seed: int = _setting(2018, "of the split, the new head, the order and the dropout")
    group_by_length: bool = _setting(True, "texts of like length share a batch: less padding, less time")
    precision: str = _setting("auto", "fp32, bf16 or auto: bf16 on a GPU that has it, fp32 on a CPU")
    save_steps: int = _setting(500, "steps between two states to resume from; Ctrl-C saves one too")
    threads: int = _setting(0, "CPU threads; 0 is PyTorch's choice")

    def __post_init__(self) -> None:
        laws = {
            "--epochs must be above 0": 0 < self.epochs < math.inf,
            "--learning-rate must be above 0": 0 < self.learning_rate < math.inf,
            "--batch-size must be at least 1": self.batch_size >= 1,
            "--tokens-max must be at least 3, since two are special": self.tokens_max >= 3,  # noqa: PLR2004
            "--weight-decay must be 0 or more": 0 <= self.weight_decay < math.inf,
            "--warmup-ratio must be from 0 to below 1": 0 <= self.warmup_ratio < 1,
            "--seed must be from 0 to 2^32-1": 0 <= self.seed < 2**32,
            "--precision must be auto, fp32 or bf16": self.precision in {"auto", "fp32", "bf16"},
            "--save-steps must be at least 1": self.save_steps >= 1,
            "--threads must be 0 or more": self.threads >= 0,
        }
        for law, holds in laws.items():
            if not holds:
                raise TrainingError(law)

    def shaping(self) -> dict[str, Any]:
        """The settings that shape the weights: a resumed run must not change them."""
        free = {"save_steps", "threads"}
        return {setting.name: getattr(self, setting.name) for setting in fields(self) if setting.name not in free}
