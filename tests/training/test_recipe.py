"""What `--recipe` chooses: the defaults of the other flags, and the article's values one by one."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.labels import LABELS, star_label
from contract.training_record import TrainingRecord
from reviews.corpus import Corpus
from reviews.review import Review, Reviews
from training import distill, fit
from training.__main__ import main
from training.fit import split_corpus
from training.model import load_base
from training.recipe import ARTICLE, Recipe
from training.report.reproduce import command
from training.sampler import EncodedReviews
from training.targets import TrainingSet
from training.trainer import make_trainer

Files = tuple[Path, Path]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `fit` and `distill` are called with, instead of a run."""
    called: dict[str, Any] = {}

    def note(**arguments: Any) -> dict[str, Any]:
        called.update(arguments)
        return {"accuracy": 1.0, "macro_f1": 1.0, "loss": 0.0, "rows": 1, "by_class": {}}

    monkeypatch.setattr(fit, "fit", note)
    monkeypatch.setattr(distill, "distill", note)
    monkeypatch.setattr("training.__main__._summary", str)
    return called


def _fit(reviews: Files, *flags: str) -> int:
    return main(["fit", "--data", str(reviews[0]), "--output", "never-written", *flags])


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("learning_rate", 2e-5),
        ("warmup_ratio", 0.1),
        ("weight_decay", 0.01),
        ("batch_size", 8),
        ("epochs", 2.0),
        ("tokens_max", 512),
        ("truncation", "head"),
        ("template", "text"),
        ("star_titles", "read"),
        ("layer_decay", 1.0),
        ("class_weights", 0.0),
        ("stars_weight", 0.0),
        ("focal_gamma", 0.0),
        ("label_smoothing", 0.0),
        ("seed", 2018),
    ],
)
def test_the_article_is_followed(setting: str, value: object, reviews: Files, given: dict[str, Any]) -> None:
    """`--recipe article` alone sets each value of the article."""
    assert _fit(reviews, "--recipe", "article") == 0
    assert getattr(given["recipe"], setting) == value


def test_the_article_names_its_base_model(reviews: Files, given: dict[str, Any]) -> None:
    """It is BERT uncased where none is given, and split into strata; another recipe has no base model."""
    assert _fit(reviews, "--recipe", "article") == 0
    assert (given["base_model"], given["by"], given["validation"]) == ("bert-base-uncased", "stratified", None)
    assert _fit(reviews, "--recipe", "article", "--base-model", "another") == 0
    assert given["base_model"] == "another"
    with pytest.raises(SystemExit, match="2"):
        _fit(reviews)


@pytest.mark.parametrize("before", [True, False])
def test_a_flag_that_is_given_wins(before: bool, reviews: Files, given: dict[str, Any]) -> None:
    """Wherever it stands, and also where it says what another recipe has as its default."""
    flags = ("--layer-decay", "0.95", "--epochs", "7", "--no-group-by-length")
    recipe = ("--recipe", "article")
    assert _fit(reviews, *(flags + recipe if before else recipe + flags)) == 0
    changed = {"layer_decay": 0.95, "epochs": 7.0, "group_by_length": False}
    assert asdict(given["recipe"]) == asdict(ARTICLE) | changed


def test_the_default_recipe_is_that_of_no_flag(reviews: Files, given: dict[str, Any]) -> None:
    """Without `--recipe`, and with `default`, the settings are those of `Recipe`."""
    for flags in ((), ("--recipe", "default")):
        assert _fit(reviews, "--base-model", "some", *flags) == 0
        assert given["recipe"] == Recipe()


def test_an_unknown_recipe_is_refused(reviews: Files, capsys: pytest.CaptureFixture[str]) -> None:
    """The message lists what there is."""
    with pytest.raises(SystemExit, match="2"):
        _fit(reviews, "--recipe", "novel", "--base-model", "some")
    assert "article" in capsys.readouterr().err


def test_distill_has_recipes_too(reviews: Files, given: dict[str, Any]) -> None:
    """A student is trained by the article's settings as well."""
    words = ["--teacher", "teacher", "--student", "small", "--output", "never-written", "--recipe", "article"]
    assert main(["distill", "--data", str(reviews[0]), *words]) == 0
    assert given["recipe"] == ARTICLE


def test_the_article_can_be_repeated_from_its_record(reviews: Files, given: dict[str, Any]) -> None:
    """The command that a report prints gives the same settings, without `--recipe`."""
    record = {"base_model": "bert-base-uncased", "settings": asdict(ARTICLE), "split": "stratified"}
    words = shlex.split(command("out", TrainingRecord.model_validate(record)))[3:]
    assert main([str(reviews[0]) if word == "FILES" else word for word in words]) == 0
    assert given["recipe"] == ARTICLE


def test_the_split_is_a_stratified_fifth() -> None:
    """Of each class a fifth is held out, by the seed 2018 of both recipes."""
    reviews = Reviews.of(
        Review(" ".join(f"w{number}x{place}" for place in range(8)), label, "")
        for label, count in enumerate((100, 300, 50))
        for number in range(1000 * label, 1000 * label + count)
    )
    corpus = Corpus(reviews)
    train, held_out = split_corpus(corpus, None, "stratified", ARTICLE.seed)
    assert np.bincount(train.labels).tolist() == [80, 240, 40]
    assert np.bincount(held_out.labels).tolist() == [20, 60, 10]
    assert ARTICLE.seed == Recipe().seed == 2018
    again = split_corpus(corpus, None, "stratified", 2018)
    assert [review.text for review in again[1]] == [review.text for review in held_out]


def test_stars_become_classes_as_in_the_article() -> None:
    """4 and 5 are positive, 3 is neutral, 0 to 2 are negative."""
    names = [LABELS[star_label(stars)] for stars in range(6)]
    assert names == ["negative", "negative", "negative", "neutral", "positive", "positive"]


def test_the_optimiser_has_the_article_s_rates(base_model: Path, tmp_path: Path) -> None:
    """One peak rate for all layers; weights decay by 0.01, biases and LayerNorm not; a tenth warms up."""
    tokenizer, model = load_base(str(base_model), 32)
    loss = TrainingSet(Reviews.of([Review("a", 0, "")])).loss(ARTICLE)
    trainer = make_trainer(model, tokenizer, EncodedReviews([[2, 3]], labels=[0]), ARTICLE, tmp_path, loss)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = trainer.create_optimizer().param_groups
    decay = {names[id(parameter)]: group["weight_decay"] for group in groups for parameter in group["params"]}
    assert set(decay) == set(names.values())
    assert all(rate == (0 if "bias" in name or "LayerNorm" in name else 0.01) for name, rate in decay.items())
    assert {group["lr"] for group in groups} == {2e-5}
    assert trainer.args.get_warmup_steps(1000) == 100
    assert trainer.args.per_device_train_batch_size * trainer.args.gradient_accumulation_steps == 8
