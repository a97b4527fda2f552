"""The recipe: every setting of a run, its default and its meaning. The command line is made from this."""

import math
from dataclasses import dataclass, field, fields
from typing import Any

from contract.encoding import Encoding
from contract.errors import InputError
from training.encoding import STAR_TITLES, TEMPLATES, TRUNCATIONS

STAR_LOSSES = ("softmax", "smoothed", "corn", "coral", "evidence")


def setting(default: Any, meaning: str, metavar: str | None = None) -> Any:
    """A field with a default, its meaning for the command line, and what stands there for its value."""
    return field(default=default, metadata={"help": meaning, "metavar": metavar})


@dataclass(frozen=True)
class Recipe:
    """The settings of a run; the defaults are the best found for a small BERT on reviews (docs/experiments.md).

    Raises:
        InputError: If one is out of its range.
    """

    epochs: float = setting(2.0, "passes over the data")
    learning_rate: float = setting(5e-5, "peak, after the warm-up; then it falls linearly to zero")
    layer_decay: float = setting(0.95, "each layer below the head learns at this share of the rate above it")
    batch_size: int = setting(32, "rows of a step, over all processes")
    micro_batch_size: int = setting(0, "rows at a time on a device, summed up to a step; 0 takes them at once")
    template: str = setting("title+text", "what is read: text, or title+text")
    star_titles: str = setting("masked", 'titles such as "Five Stars", which tell the label: masked, or read')
    truncation: str = setting(
        "head+tail", "what is kept of long texts: head, or head+tail (a quarter, and the rest)"
    )
    tokens_max: int = setting(256, "longer texts are cut; special tokens included")
    class_weights: float = setting(0.25, "weight of a class: its frequency to minus this power; 0.5 is the root")
    focal_gamma: float = setting(0.0, "exponent of the focal loss: easy rows count less")
    label_smoothing: float = setting(0.0, "share of a label that is spread over all classes")
    neighbour_smoothing: float = setting(
        0.0, "share of a label that moves to its neighbours in the order negative, neutral, positive"
    )
    stars_weight: float = setting(0.5, "weight of a second head that learns the stars and is dropped at the end")
    stars_loss: str = setting(
        "softmax", "of that head: softmax, smoothed (to neighbouring stars), corn, coral or evidence"
    )
    dropout: float = setting(-1.0, "of hidden states and attention; below 0, the base model's own")
    weight_decay: float = setting(0.01, "of AdamW; not on biases and LayerNorm")
    warmup_ratio: float = setting(0.06, "share of the steps in which the learning rate rises")
    early_stopping: int = setting(0, "end after so many epochs without a better macro-F1, with the best weights")
    seed: int = setting(2018, "of the split, the new head, the order and the dropout")
    group_by_length: bool = setting(True, "texts of like length share a batch: less padding, less time")
    precision: str = setting("auto", "fp32, bf16 or auto: bf16 where the GPU or the CPU computes in it")
    compile: bool = setting(False, "torch.compile the model")
    save_steps: int = setting(500, "steps between two states to resume from; Ctrl-C saves one too")
    threads: int = setting(0, "CPU threads; 0 is PyTorch's choice")

    def __post_init__(self) -> None:
        laws = {
            "--epochs must be above 0": 0 < self.epochs < math.inf,
            "--learning-rate must be above 0": 0 < self.learning_rate < math.inf,
            "--layer-decay must be above 0 and at most 1": 0 < self.layer_decay <= 1,
            "--batch-size must be at least 1": self.batch_size >= 1,
            "--micro-batch-size must be 0 or more": self.micro_batch_size >= 0,
            f"--template must be {' or '.join(TEMPLATES)}": self.template in TEMPLATES,
            f"--star-titles must be {' or '.join(STAR_TITLES)}": self.star_titles in STAR_TITLES,
            f"--truncation must be {' or '.join(TRUNCATIONS)}": self.truncation in TRUNCATIONS,
            "--tokens-max must be at least 3, since two are special": self.tokens_max >= 3,  # noqa: PLR2004
            "--class-weights must be from 0 to 1": 0 <= self.class_weights <= 1,
            "--focal-gamma must be 0 or more": 0 <= self.focal_gamma < math.inf,
            "--label-smoothing must be from 0 to below 1": 0 <= self.label_smoothing < 1,
            "--neighbour-smoothing must be from 0 to below 1": 0 <= self.neighbour_smoothing < 1,
            f"--stars-loss must be {', '.join(STAR_LOSSES)}": self.stars_loss in STAR_LOSSES,
            "--stars-weight must be 0 or more": 0 <= self.stars_weight < math.inf,
            "--dropout must be below 1": self.dropout < 1,
            "--weight-decay must be 0 or more": 0 <= self.weight_decay < math.inf,
            "--warmup-ratio must be from 0 to below 1": 0 <= self.warmup_ratio < 1,
            "--early-stopping must be 0 or more": self.early_stopping >= 0,
            "--seed must be from 0 to 2^32-1": 0 <= self.seed < 2**32,
            "--precision must be auto, fp32 or bf16": self.precision in {"auto", "fp32", "bf16"},
            "--save-steps must be at least 1": self.save_steps >= 1,
            "--threads must be from 0 to 1024": 0 <= self.threads <= 1024,  # noqa: PLR2004
        }
        for law, holds in laws.items():
            if not holds:
                raise InputError(law)

    @property
    def encoding(self) -> Encoding:
        """How reviews become token ids."""
        shared = Encoding.model_fields.keys() & {setting.name for setting in fields(self)}
        return Encoding.model_validate({name: getattr(self, name) for name in shared})

    def shaping(self) -> dict[str, Any]:
        """The settings that shape the weights: a resumed run must not change them."""
        free = {"save_steps", "threads", "compile", "micro_batch_size"}
        return {setting.name: getattr(self, setting.name) for setting in fields(self) if setting.name not in free}


ARTICLE = Recipe(
    epochs=2.0,
    learning_rate=2e-5,
    layer_decay=1.0,
    batch_size=8,
    template="text",
    star_titles="read",
    truncation="head",
    tokens_max=512,
    class_weights=0.0,
    stars_weight=0.0,
    weight_decay=0.01,
    warmup_ratio=0.1,
    seed=2018,
)
"""An article's plain fine-tuning of `ARTICLE_BASE_MODEL`: the text alone, one rate, all classes alike."""

ARTICLE_BASE_MODEL = "bert-base-uncased"

RECIPES = {"default": Recipe(), "article": ARTICLE}
"""What `--recipe` chooses from: the defaults of all other settings."""
