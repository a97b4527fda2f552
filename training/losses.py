"""What a step minimises: a mean over rows, so that any division of a batch over devices has the same gradient.

Each setting is a field of `training.recipe.Recipe`, or of `training.distillation.DistillationRecipe` for what a
teacher teaches. The losses of the stars' head are in `training.ordinal`, and their names in `training.recipe`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch.nn import functional

from training.ordinal import class_targets, star_losses
from training.recipe import Recipe


@dataclass(frozen=True)
class Distillation:
    """How much a teacher's answers count.

    Attributes:
        soft_share: The share of the loss that compares with the teacher where a row has a label too.
        temperature: Of both softmaxes (Hinton et al. 2015, arXiv 1503.02531), whose gradients it scales back.
    """

    soft_share: float
    temperature: float


class Loss:
    """The loss of a recipe."""

    def __init__(self, recipe: Recipe, labels: ArrayLike, distillation: Distillation | None = None) -> None:
        """Take the classes' frequencies from the training labels; -1 stands for a row without one."""
        self._recipe, self._distillation = recipe, distillation
        self._targets = class_targets(recipe.neighbour_smoothing)
        self.weights = torch.tensor(class_weights(labels, recipe.class_weights), dtype=torch.float32)

    def __call__(self, outputs: dict[str, torch.Tensor], inputs: dict[str, Any]) -> torch.Tensor:
        """The mean over the rows.

        Args:
            outputs: `logits` of shape (rows, classes), and `stars` of shape (rows, outputs), as many as the stars'
                loss asks for, where the model has a head for them.
            inputs: `labels` of shape (rows,), -1 for none; with a stars head `stars` likewise; with a teacher its
                logits, `teacher`, of shape (rows, classes); `weight`, (rows,), where rows count unlike.
        """
        logits = outputs["logits"].float()
        hard = self._hard(logits, inputs["labels"])
        if "stars" in outputs:
            stars = star_losses(self._recipe.stars_loss, outputs["stars"].float(), inputs["stars"])
            hard = hard + self._recipe.stars_weight * stars
        loss = hard
        if self._distillation is not None:
            share = torch.where(inputs["labels"] >= 0, self._distillation.soft_share, 1.0)
            loss = (1 - share) * hard + share * self._soft(logits, inputs["teacher"])
        return (loss * inputs["weight"]).mean() if "weight" in inputs else loss.mean()

    def _hard(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        smoothing = self._recipe.label_smoothing
        if self._recipe.neighbour_smoothing:
            targets = self._targets.to(logits.device)[labels.clamp(min=0)]
            entropy = functional.cross_entropy(logits, targets, reduction="none", label_smoothing=smoothing)
            entropy = entropy * (labels >= 0)
        else:
            entropy = functional.cross_entropy(
                logits, labels, ignore_index=-1, reduction="none", label_smoothing=smoothing
            )
        if self._recipe.focal_gamma:  # Lin et al. 2017, arXiv 1708.02002
            right = logits.softmax(dim=-1).gather(1, labels.clamp(min=0)[:, None])[:, 0]
            entropy = entropy * (1 - right) ** self._recipe.focal_gamma
        return entropy * self.weights.to(logits.device)[labels.clamp(min=0)]

    def _soft(self, logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        if self._distillation is None:
            raise RuntimeError("no teacher")
        heat = self._distillation.temperature
        student, wanted = (functional.log_softmax(values.float() / heat, dim=-1) for values in (logits, teacher))
        return heat**2 * functional.kl_div(student, wanted, reduction="none", log_target=True).sum(dim=-1)


def class_weights(labels: ArrayLike, power: float) -> list[float]:
    """A weight for each class: its frequency to the minus `power`, scaled so that the mean over rows is 1.

    Args:
        labels: Class ids of the rows; below 0 for none.
        power: 0 weighs every row the same, 1 every class.
    """
    ids = np.asarray(labels)
    counts = np.bincount(ids[ids >= 0], minlength=3).astype(np.float64)
    raw = np.maximum(counts, 1.0) ** -power
    return [float(weight) for weight in raw * counts.sum() / max((raw * counts).sum(), 1e-12)]
