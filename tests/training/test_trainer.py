"""The Trainer as the recipe sets it up: rates, decay, precision, and how a step is divided."""

import json
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from reviews.review import Review, Reviews
from tests.review_files import fit_arguments
from training.__main__ import main
from training.model import load_base
from training.recipe import Recipe
from training.sampler import EncodedReviews
from training.targets import TrainingSet
from training.trainer import layers_below_head, make_trainer

Files = tuple[Path, Path]


def test_weight_decay_spares_biases_and_norms(base_model: Path, tmp_path: Path) -> None:
    """Weights decay by the recipe's rate; biases and LayerNorm do not decay."""
    tokenizer, model = load_base(str(base_model), 32)
    recipe = Recipe(weight_decay=0.02)
    loss = TrainingSet(Reviews.of([Review("a", 0, "")])).loss(recipe)
    trainer = make_trainer(model, tokenizer, EncodedReviews([[2, 3]], labels=[0]), recipe, tmp_path, loss)
    names = {id(parameter): name for name, parameter in model.named_parameters()}

    groups = trainer.create_optimizer().param_groups

    decay = {names[id(parameter)]: group["weight_decay"] for group in groups for parameter in group["params"]}
    assert set(decay) == set(names.values())
    assert all(rate == (0 if "bias" in name or "LayerNorm" in name else 0.02) for name, rate in decay.items())
    assert {group["weight_decay"] for group in groups} == {0, 0.02}
    assert type(trainer.optimizer).__name__ == "AdamW"


def test_bf16_is_an_option_on_a_cpu(reviews: Files, base_model: Path, tmp_path: Path) -> None:
    """Products in bf16; what is kept and written stays fp32."""
    short = ["--epochs", "0.2", "--precision", "bf16"]
    assert main([*fit_arguments(reviews, base_model, tmp_path / "checkpoint"), *short]) == 0
    assert json.loads((tmp_path / "checkpoint/training.json").read_text())["precision"] == "bf16"
    weights = load_file(tmp_path / "checkpoint/model.safetensors")
    assert {str(tensor.dtype) for tensor in weights.values()} == {"float32"}


def test_a_step_that_can_not_be_divided_is_refused(
    reviews: Files, base_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nine rows are not two equal halves of four: what to choose instead is said."""
    arguments = fit_arguments(reviews, base_model, tmp_path / "out")
    assert main([*arguments, "--batch-size", "9", "--micro-batch-size", "2"]) == 2
    assert "choose a multiple of 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "below"),
    [
        ("classifier.weight", 0),
        ("stars.bias", 0),
        ("bert.pooler.dense.weight", 0),
        ("bert.encoder.layer.11.output.dense.weight", 1),
        ("bert.encoder.layer.0.attention.self.query.bias", 12),
        ("bert.embeddings.LayerNorm.weight", 13),
    ],
)
def test_each_layer_has_its_distance_from_the_head(name: str, below: int) -> None:
    """Of twelve layers the last is one below the head, the first twelve, and the embeddings thirteen."""
    assert layers_below_head(name, 12) == below
