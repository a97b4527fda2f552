"""Targets that know the order of classes and of stars."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch.nn import functional

from contract.errors import InputError
from contract.labels import LABELS
from tests.review_files import fit_arguments
from training.__main__ import main
from training.losses import Loss
from training.model import StarsBert, load_base, load_checkpoint, served
from training.ordinal import RATINGS, STAR_OUTPUTS, OneWeight, class_targets, star_losses, star_targets
from training.recipe import STAR_LOSSES, Recipe

STARS = torch.tensor([0, 1, 2, 3, 4, -1])


def _logits(kind: str) -> torch.Tensor:
    drawn = torch.Generator().manual_seed(5)
    return torch.randn(len(STARS), STAR_OUTPUTS[kind], generator=drawn)


def _likely(logits: torch.Tensor) -> torch.Tensor:
    """The probability of each rating, shape (rows, ratings), by the outputs of a head that `corn` trained."""
    exceeds = functional.pad(functional.logsigmoid(logits).cumsum(dim=1), (1, 1))
    exceeds[:, -1] = -math.inf
    return exceeds[:, :-1].exp() - exceeds[:, 1:].exp()


def test_a_class_gives_to_its_neighbours() -> None:
    """An end gives all of the share to neutral, neutral half to each end, and nothing goes from end to end."""
    targets = {
        name: dict(zip(LABELS, row, strict=True))
        for name, row in zip(LABELS, class_targets(0.2).tolist(), strict=True)
    }
    assert targets["negative"] == pytest.approx({"negative": 0.8, "neutral": 0.2, "positive": 0})
    assert targets["neutral"] == pytest.approx({"negative": 0.1, "neutral": 0.8, "positive": 0.1})
    assert targets["positive"] == pytest.approx({"negative": 0, "neutral": 0.2, "positive": 0.8})
    assert torch.equal(class_targets(0.0), torch.eye(3))


def test_a_rating_is_smoothed_to_its_neighbours() -> None:
    """A star off weighs exp(-2) of the rating, two stars exp(-4), and so on; the most is the rating's own."""
    targets = star_targets()
    weights = [math.exp(-2 * distance) for distance in range(5)]
    assert targets[0].tolist() == pytest.approx([weight / sum(weights) for weight in weights])
    assert targets[2, 1] == targets[2, 3] == pytest.approx(weights[1] / (1 + 2 * weights[1] + 2 * weights[2]))
    assert torch.allclose(targets.sum(dim=1), torch.ones(RATINGS))
    assert (targets.argmax(dim=1) == torch.arange(RATINGS)).all()


def test_corn_by_hand() -> None:
    """With p = sigmoid(output): 1 star is 1 - p0; 3 stars p0, p1, not p2; 5 stars all four; no rating nothing."""
    logits = torch.tensor([[0.5, -1.0, 2.0, 0.3]]).repeat(4, 1)
    p = [1 / (1 + math.exp(-value)) for value in logits[0].tolist()]
    wanted = [-math.log(1 - p[0]), -math.log(p[0] * p[1] * (1 - p[2])), -math.log(math.prod(p)), 0.0]
    assert star_losses("corn", logits, torch.tensor([0, 2, 4, -1])).tolist() == pytest.approx(wanted, abs=1e-5)


def test_corn_is_the_likelihood_of_its_own_probabilities() -> None:
    """They sum to 1, and a row's loss is minus the logarithm of its rating's."""
    logits = _logits("corn")
    likely = _likely(logits)
    assert torch.allclose(likely.sum(dim=1), torch.ones(len(STARS)))
    own = likely[:5].gather(1, STARS[:5, None])[:, 0]
    assert torch.allclose(star_losses("corn", logits, STARS)[:5], -own.log(), atol=1e-5)


def test_coral_by_hand() -> None:
    """With p = sigmoid(output): each output is asked of each rating; 3 stars are p0, p1, not p2, not p3."""
    logits = torch.tensor([[2.0, 0.5, -1.0, -2.0]]).repeat(4, 1)
    p = [1 / (1 + math.exp(-value)) for value in logits[0].tolist()]
    q = [1 - value for value in p]
    wanted = [-math.log(math.prod(q)), -math.log(p[0] * p[1] * q[2] * q[3]), -math.log(math.prod(p)), 0.0]
    assert star_losses("coral", logits, torch.tensor([0, 2, 4, -1])).tolist() == pytest.approx(wanted, abs=1e-5)


def test_the_outputs_of_coral_share_their_weights() -> None:
    """Whatever it reads, they are as far from each other, and the first is the highest; before a step by 2."""
    head = OneWeight(8, 4)
    outputs = head(torch.randn(20, 8, generator=torch.Generator().manual_seed(1)))
    assert outputs.std(dim=0).min() > 0
    assert torch.allclose(outputs[:, :-1] - outputs[:, 1:], torch.full((20, 3), 2.0), atol=1e-5)


def test_the_thresholds_of_coral_are_learnt_in_their_order() -> None:
    """Of ratings whose texts say nothing they come to be the log odds of a better one, which never rise."""
    stars = torch.tensor([0] * 10 + [1] + [3] * 7 + [4] * 2)  # nobody gives 3 stars: two thresholds are the same
    head = OneWeight(8, 4)
    descent = torch.optim.LBFGS(head.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        descent.zero_grad()
        value = star_losses("coral", head(torch.zeros(len(stars), 8)), stars).mean()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    descent.step(loss)  # type: ignore[no-untyped-call]
    above = torch.tensor([10, 9, 9, 2]) / 20
    assert torch.allclose(head(torch.zeros(1, 8))[0], above.logit(), atol=1e-3)


def test_evidence_by_hand() -> None:
    """With p = sigmoid(output): 1 and 2 stars not p0, p1; 3 stars p0, p1; 4 and 5 p0, not p1; else nothing."""
    logits = torch.tensor([[0.5, -1.0]]).repeat(len(STARS), 1)
    praise, complaint = (1 / (1 + math.exp(-value)) for value in logits[0].tolist())
    bad, good = -math.log((1 - praise) * complaint), -math.log(praise * (1 - complaint))
    wanted = [bad, bad, -math.log(praise * complaint), good, good, 0.0]
    assert star_losses("evidence", logits, STARS).tolist() == pytest.approx(wanted, abs=1e-5)


def test_smoothed_by_hand() -> None:
    """The cross-entropy with the smoothed targets."""
    logits = _logits("smoothed")
    wanted = -(star_targets()[STARS[:5]] * functional.log_softmax(logits[:5], dim=1)).sum(dim=1)
    assert torch.allclose(star_losses("smoothed", logits, STARS), torch.cat([wanted, torch.zeros(1)]))


@pytest.mark.parametrize("kind", STAR_LOSSES)
def test_every_loss_has_a_finite_gradient(kind: str) -> None:
    """Also where the head is sure and wrong; a row without a rating has none, and the losses have outputs."""
    logits = (_logits(kind) * 300).requires_grad_()
    recipe = Recipe(stars_loss=kind, neighbour_smoothing=0.1)
    outputs = {"logits": torch.zeros(len(STARS), 3), "stars": logits}
    loss = Loss(recipe, [0, 1, 2])(outputs, {"labels": torch.tensor([2, 2, 0, 1, 1, -1]), "stars": STARS})
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.isfinite()
    assert gradient.isfinite().all()
    assert gradient[:5].abs().sum() > 0
    assert (gradient[5] == 0).all()
    assert set(STAR_OUTPUTS) == set(STAR_LOSSES)


@pytest.mark.parametrize("kind", STAR_LOSSES)
def test_the_head_fits_its_loss_and_is_dropped(kind: str, base_model: Path) -> None:
    """It has as many outputs as the loss reads; the served model has none of it."""
    _, model = load_base(str(base_model), 32, stars_loss=kind)
    assert isinstance(model, StarsBert)
    ids = torch.tensor([[2, 7, 3]])
    assert model(ids, torch.ones_like(ids))["stars"].shape == (1, STAR_OUTPUTS[kind])
    assert not any(name.startswith("stars.") for name in served(model).state_dict())


@pytest.mark.parametrize("kind", ["corn", "coral", "evidence"])
def test_a_run_learns_with_them(kind: str, reviews: tuple[Path, Path], base_model: Path, tmp_path: Path) -> None:
    """A checkpoint like any other; its record has the settings, by which a resumed run is held to them."""
    flags = ["--stars-weight", "0.5", "--stars-loss", kind, "--neighbour-smoothing", "0.1", "--epochs", "3"]
    checkpoint = tmp_path / "checkpoint"
    assert main([*fit_arguments(reviews, base_model, checkpoint), *flags]) == 0
    settings = json.loads((checkpoint / "training.json").read_text())["settings"]
    assert (settings["stars_loss"], settings["neighbour_smoothing"]) == (kind, 0.1)
    assert json.loads((checkpoint / "metrics.json").read_text())["macro_f1"] > 0.8
    with safe_open(checkpoint / "model.safetensors", "pt") as weights:
        assert set(weights.keys()) == load_checkpoint(checkpoint)[1].state_dict().keys()
    assert {"stars_loss", "neighbour_smoothing"} <= Recipe().shaping().keys()


@pytest.mark.parametrize(
    "wrong", [{"neighbour_smoothing": 1.0}, {"neighbour_smoothing": -0.1}, {"stars_loss": "stars"}]
)
def test_what_is_out_of_range_is_told(wrong: dict[str, Any]) -> None:
    """The message names the flag."""
    with pytest.raises(InputError, match=f"--{next(iter(wrong)).replace('_', '-')} must be"):
        replace(Recipe(), **wrong)
