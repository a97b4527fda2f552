"""Targets that know an order: negative, neutral, positive, and 1 to 5 stars."""

import torch
from torch.nn import functional

from contract.labels import ORDER

RATINGS = 5  # 1 to 5 stars
_KERNEL = 2.0  # a rating that is d stars off weighs exp(-2 d): next to 4 of 5 stars .10, .77, .10

STAR_OUTPUTS = {"softmax": RATINGS, "smoothed": RATINGS, "corn": RATINGS - 1}
"""By the stars' loss, the outputs of the head that it asks for."""


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
    if kind == "corn":
        return _corn(logits, places) * there
    if kind == "smoothed":
        return functional.cross_entropy(logits, star_targets().to(logits)[places], reduction="none") * there
    raise ValueError(f"no loss of the stars is called {kind}")


def _corn(logits: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """CORN (Shi et al. 2021, arXiv 2111.08851): output k says whether a rating is above k, if it is not below.

    A row's loss is minus the logarithm of the probability that this chain gives its rating. The paper divides by
    the members of all conditional sets of a batch; a mean over rows must not depend on how batches are divided.
    """
    outputs = torch.arange(logits.shape[1], device=logits.device)
    entropy = functional.binary_cross_entropy_with_logits(
        logits, (places[:, None] > outputs).to(logits), reduction="none"
    )
    return (entropy * (places[:, None] >= outputs)).sum(dim=1)
