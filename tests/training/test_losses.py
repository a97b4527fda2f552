"""What a step minimises."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from training.losses import Distillation, Loss, class_weights
from training.recipe import Recipe

PLAIN = Recipe(class_weights=0, stars_weight=0)
LABELS = [0, 1, 1, 1, 1, 2, 2]


def _batch(rows: int = 6) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    drawn = torch.Generator().manual_seed(3)
    outputs = {"logits": torch.randn(rows, 3, generator=drawn), "stars": torch.randn(rows, 5, generator=drawn)}
    inputs = {
        "labels": torch.tensor([0, 1, 2, 1, -1, 1][:rows]),
        "stars": torch.tensor([2, 4, 0, 3, -1, 4][:rows]),
        "teacher": torch.randn(rows, 3, generator=drawn),
    }
    return outputs, inputs


@pytest.mark.parametrize(
    "recipe",
    [
        PLAIN,
        Recipe(class_weights=0.5, stars_weight=0.5),
        replace(PLAIN, focal_gamma=2.0, label_smoothing=0.1),
        Recipe(neighbour_smoothing=0.1, stars_loss="smoothed"),
    ],
)
@pytest.mark.parametrize("distillation", [None, Distillation(0.7, 2.0)])
def test_the_loss_is_a_mean_over_rows(recipe: Recipe, distillation: Distillation | None) -> None:
    """The loss of a batch is the mean of its halves' losses: any division over devices learns the same."""
    outputs, inputs = _batch()
    loss = Loss(recipe, LABELS, distillation)
    halves = [
        loss({name: value[part] for name, value in outputs.items()}, {name: v[part] for name, v in inputs.items()})
        for part in (slice(0, 3), slice(3, 6))
    ]
    assert torch.isclose(loss(outputs, inputs), torch.stack(halves).mean())


@pytest.mark.parametrize("distillation", [None, Distillation(0.7, 2.0)])
def test_rows_count_by_their_weight(distillation: Distillation | None) -> None:
    """A row of weight 2 counts as twice that row; weights of 1 change nothing."""
    outputs, inputs = _batch(2)
    loss = Loss(Recipe(), LABELS, distillation)
    alone = [
        loss({k: v[row] for k, v in outputs.items()}, {k: v[row] for k, v in inputs.items()})
        for row in (slice(0, 1), slice(1, 2))
    ]
    weighed = loss(outputs, inputs | {"weight": torch.tensor([2.0, 0.5])})
    assert torch.isclose(weighed, (2 * alone[0] + 0.5 * alone[1]) / 2)
    assert torch.isclose(loss(outputs, inputs | {"weight": torch.ones(2)}), loss(outputs, inputs))


def test_without_options_it_is_the_cross_entropy() -> None:
    """Then it is what everybody calls the loss; a head for the stars adds its own, times the weight."""
    outputs, inputs = _batch(4)
    plain = functional.cross_entropy(outputs["logits"], inputs["labels"])
    stars = functional.cross_entropy(outputs["stars"], inputs["stars"])
    assert torch.isclose(Loss(PLAIN, LABELS)({"logits": outputs["logits"]}, inputs), plain)
    assert torch.isclose(Loss(replace(PLAIN, stars_weight=0.3), LABELS)(outputs, inputs), plain + 0.3 * stars)


def test_a_label_is_spread_to_its_neighbours() -> None:
    """Of a positive row a tenth of the mass is neutral's, of a neutral one a twentieth each end's; none of -1."""
    outputs, inputs = _batch(5)
    neutral, positive, negative = -functional.log_softmax(outputs["logits"], dim=1).T
    wanted = (
        0.9 * neutral[0] + 0.05 * positive[0] + 0.05 * negative[0]
        + 0.9 * positive[1] + 0.1 * neutral[1]
        + 0.9 * negative[2] + 0.1 * neutral[2]
        + 0.9 * positive[3] + 0.1 * neutral[3]
    ) / 5  # fmt: skip
    loss = Loss(replace(PLAIN, neighbour_smoothing=0.1), LABELS)
    assert torch.isclose(loss({"logits": outputs["logits"]}, inputs), wanted)
    both = Loss(replace(PLAIN, neighbour_smoothing=0.1, label_smoothing=0.3), LABELS)
    everywhere = torch.stack([neutral, positive, negative])[:, :4].mean(dim=0).sum() / 5
    assert torch.isclose(both({"logits": outputs["logits"]}, inputs), 0.7 * wanted + 0.3 * everywhere)


def test_a_focal_loss_counts_easy_rows_less() -> None:
    """With gamma 2 a row that is right with 0.9 counts a hundredth of its cross-entropy."""
    logits = torch.log(torch.tensor([[0.9, 0.05, 0.05]]))
    inputs = {"labels": torch.tensor([0])}
    plain, focal = (Loss(replace(PLAIN, focal_gamma=g), LABELS)({"logits": logits}, inputs) for g in (0.0, 2.0))
    assert torch.isclose(focal, plain * 0.1**2)


@given(st.lists(st.integers(-1, 2), min_size=1, max_size=60), st.floats(0, 1))
def test_class_weights_leave_the_scale_of_the_loss(labels: list[int], power: float) -> None:
    """The mean weight over labelled rows is 1, rarer classes weigh more; power 1 makes all classes equal."""
    weights = class_weights(labels, power)
    counts = np.bincount([label for label in labels if label >= 0], minlength=3)
    if counts.sum() == 0:
        return
    assert np.dot(weights, counts) == pytest.approx(counts.sum())
    for one in range(3):
        for other in range(3):
            if 0 < counts[one] < counts[other]:
                assert weights[one] >= weights[other] * (1 - 1e-9)
    totals = [count * weight for count, weight in zip(counts, class_weights(labels, 1.0), strict=True) if count]
    assert max(totals) == pytest.approx(min(totals))


def test_a_student_that_answers_like_its_teacher_has_nothing_to_learn_from_it() -> None:
    """The soft loss is 0 at the teacher's logits, up to a constant added to all, and above 0 elsewhere."""
    _, inputs = _batch()
    loss = Loss(PLAIN, LABELS, Distillation(1.0, 3.0))
    assert loss({"logits": inputs["teacher"] + 5}, inputs).abs() < 1e-5
    assert loss({"logits": inputs["teacher"].flip(1)}, inputs) > 0.01


def test_a_text_without_a_label_is_learnt_from_the_teacher_alone() -> None:
    """Whatever the share of the teacher, a row of label -1 has no part of the hard loss."""
    outputs, inputs = _batch()
    row = {name: value[4:5] for name, value in inputs.items()}
    logits = {"logits": outputs["logits"][4:5]}
    shares = [Loss(PLAIN, LABELS, Distillation(share, 2.0))(logits, row) for share in (0.1, 1.0)]
    assert torch.isclose(shares[0], shares[1])
