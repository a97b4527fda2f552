"""Targets that know an order: negative, neutral, positive, and 1 to 5 stars."""

import torch
from torch import nn
from torch.nn import functional

from contract.labels import ORDER

RATINGS = 5  # 1 to 5 stars
_KERNEL = 2.0  # a rating that is d stars off weighs exp(-2 d): next to 4 of 5 stars .10, .77, .10

STAR_OUTPUTS = {"softmax": RATINGS, "smoothed": RATINGS, "corn": RATINGS - 1, "coral": RATINGS - 1, "evidence": 2}
"""By the stars' loss, the outputs of the head that it asks for."""


class OneWeight(nn.Linear):
    """The head of CORAL (Cao et al. 2020, arXiv 1901.07884): one weight vector for all outputs, a bias for each.

    The outputs start 2 apart, the first the highest. From 0, as in the paper, they would hardly part: a step of
    AdamW moves a bias by about the learning rate, and a fine-tuning has few steps.
    """

    def __init__(self, size: int, outputs: int) -> None:
        super().__init__(size, 1)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        """Shape (rows, outputs), of (rows, size)."""
        outputs = len(self.bias)
        starts = torch.arange(outputs - 1, -outputs, -2, device=self.bias.device)
        return functional.linear(pooled, self.weight) + self.bias + starts


def star_head(kind: str, size: int) -> nn.Linear:
    """The head that a loss of `STAR_OUTPUTS` asks for, of hidden states of this size."""
    return (OneWeight if kind == "coral" else nn.Linear)(size, STAR_OUTPUTS[kind])


def class_targets(share: float) -> torch.Tensor:
    """What each class id is to be answered with, shape (classes, classes), each row summing to 1.

    Args:
        share: Moves from a class to its neighbours in the order: an end gives all of it to neutral, neutral half
            to each end.
    """
    negative, neutral, positive = ORDER
    targets = (1 - share) * torch.eye(len(ORDER))
    targets[[negative, positive], neutral] = share
    targets[neutral, [negative, positive]] = share / 2
    return targets


def star_targets() -> torch.Tensor:
    """What each rating is to be answered with, shape (ratings, ratings), each row summing to 1.

    Weights that fall exponentially with the distance, as in Díaz & Marathe 2019 ("Soft labels for ordinal
    regression"): the rating itself keeps .86 at an end and about .77 elsewhere.
    """
    places = torch.arange(RATINGS)
    kernel = torch.exp(-_KERNEL * (places[:, None] - places).abs().float())
    return kernel / kernel.sum(dim=1, keepdim=True)


def star_losses(kind: str, logits: torch.Tensor, stars: torch.Tensor) -> torch.Tensor:
    """The loss of each row, shape (rows,); 0 where it has no rating.

    Args:
        kind: One of `STAR_OUTPUTS`, which a test holds to `training.recipe.STAR_LOSSES`.
        logits: Shape (rows, outputs).
        stars: Places among the ratings, shape (rows,); -1 for none.

    Raises:
        ValueError: If there is no such loss.
    """
    if kind == "softmax":
        return functional.cross_entropy(logits, stars, ignore_index=-1, reduction="none")
    there, places = stars >= 0, stars.clamp(min=0)
    if kind == "smoothed":
        return functional.cross_entropy(logits, star_targets().to(logits)[places], reduction="none") * there
    if kind not in STAR_OUTPUTS:
        raise ValueError(f"no loss of the stars is called {kind}")
    true, asked = _questions(kind, places[:, None], logits.shape[1])
    entropy = functional.binary_cross_entropy_with_logits(logits, true.to(logits), reduction="none")
    return (entropy * asked).sum(dim=1) * there


def _questions(kind: str, places: torch.Tensor, outputs: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What each output is to say, yes or no, and whether it is asked at all; both of shape (rows, outputs).

    corn: Output k says whether a rating is above k, and is asked if it is not below (Shi et al. 2021, arXiv
        2111.08851). A row's loss is minus the logarithm of the probability that this chain gives its rating. The
        paper divides by the members of all conditional sets of a batch; a mean over rows must not depend on how
        batches are divided.
    coral: Output k says whether a rating is above k, and is always asked; all share `OneWeight`.
    evidence: One says whether there is praise, one whether there is a complaint; 3 stars have both.

    Args:
        kind: One of these.
        places: Shape (rows, 1).
        outputs: Of the head.
    """
    ranks, middle = torch.arange(outputs, device=places.device), RATINGS // 2
    if kind == "evidence":
        true = torch.cat([places >= middle, places <= middle], dim=1)
        return true, torch.ones_like(true)
    true = places > ranks
    return true, places >= ranks if kind == "corn" else torch.ones_like(true)
