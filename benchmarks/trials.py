"""Training one recipe on some reviews and asking it of others: what experiments with recipes have in common."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from contract.errors import InputError
from reviews.corpus import Corpus
from reviews.progress import Progress
from reviews.review import Reviews
from training.encoding import encode
from training.evaluate import answer
from training.model import load_checkpoint
from training.recipe import Recipe
from training.resume import partial_folder
from training.run import run
from training.targets import TrainingSet


def recipe_of(checkpoint: Path) -> Recipe:
    """The settings of the run that wrote a checkpoint."""
    settings = json.loads((checkpoint / "training.json").read_text())["settings"]
    settings = {"star_titles": "read"} | settings  # what runs did before there was a choice
    return Recipe(**{one.name: settings[one.name] for one in fields(Recipe) if one.name in settings})


def held_out(corpus: Corpus) -> Reviews:
    """The validation and the calibration part together; the test part stays out of experiments."""
    return corpus.split("validation").reviews.joined(corpus.split("calibration").reviews)


def share_of(part: Corpus, share: float) -> Reviews:
    """So much of a part, of every class; a smaller share is contained in every larger one.

    Raises:
        InputError: If a class has no text in it.
    """
    reviews = part.reviews
    chosen = reviews.select(np.argsort(reviews.keys)[: round(share * len(reviews))])  # by the hashes of the texts
    replace(part, reviews=chosen).require_classes()
    return chosen


def answers(
    train: Reviews, others: Reviews, base_model: str, output: Path, recipe: Recipe, **given: Any
) -> NDArray[np.int64]:
    """The class ids that a model trained on stars gives to the others, shape (others,): see `trained_logits`."""
    return np.asarray(trained_logits(train, others, base_model, output, recipe, **given).argmax(axis=1))


def trained_logits(
    train: Reviews, others: Reviews, base_model: str, output: Path, recipe: Recipe, **given: Any
) -> NDArray[np.float32]:
    """What a model trained on stars answers to the others, shape (others, classes).

    Args:
        train: Reviews with stars, of every class.
        others: What is answered; no epoch is chosen by them.
        base_model: As `fit` has it.
        output: The checkpoint; what an interrupted experiment has finished, or half of it, is taken up there.
        recipe: How to train.
        **given: What else tells this run from others, for its record.

    Raises:
        InputError: If `output` is a checkpoint of another experiment.
    """
    known = {"base_model": base_model, "settings": recipe.shaping(), **given}
    if output.exists():
        record = json.loads((output / "training.json").read_text())
        if {name: record.get(name) for name in known} != json.loads(json.dumps(known)):
            raise InputError(f"{output} is of another experiment: give another --output")
    else:
        resume = partial_folder(output).exists()
        run(
            TrainingSet(train), others, base_model, output, recipe, started_with=known, record=known, resume=resume
        )
    return logits_of(output, others)


def logits_of(checkpoint: Path, reviews: Reviews) -> NDArray[np.float32]:
    """What a checkpoint answers, shape (reviews, classes)."""
    tokenizer, model, encoding = load_checkpoint(checkpoint)
    with Progress() as progress:
        return answer(model, tokenizer, encode(tokenizer, reviews, encoding), progress)


def show(*tables_and_lines: Table | str) -> None:
    """Print them, tables at their whole width where nobody's terminal says otherwise."""
    console = Console()
    console.width = max(console.width, 120)
    for one in tables_and_lines:
        console.print(one, highlight=False)
