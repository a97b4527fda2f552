"""`fit`: what a run learns from, and what it is measured on."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from contract.errors import InputError
from contract.labels import LABELS
from evaluation.figures import Evaluation
from reviews.corpus import Corpus, stratified_split, without_copies
from reviews.review import Reviews
from training.recipe import Recipe
from training.run import counts, run
from training.selection import EVERYTHING, Selection
from training.standards import NO_STANDARDS, Standards
from training.targets import TrainingSet

SPLITS = ("stratified", "hash")


def fit(
    corpus: Corpus,
    base_model: str,
    output: Path,
    recipe: Recipe,
    *,
    selection: Selection = EVERYTHING,
    validation: Corpus | None = None,
    by: str = "stratified",
    resume: bool = False,
    standards: Standards = NO_STANDARDS,
    stated: Mapping[str, str] | None = None,
) -> Evaluation:
    """Fine-tune a base model on reviews and write the checkpoint: see `run`.

    Args:
        corpus: What to train on.
        base_model: A folder or a name on the hub.
        output: The checkpoint's folder.
        recipe: The settings.
        selection: What of the training part to learn.
        validation: What to measure on, where the caller has split the data; its texts are not trained on.
        by: How to hold out without `validation`: `stratified`, a fifth; or `hash`, the validation part by content.
        resume: Whether to go on from the last saved step of an interrupted run.
        standards: What the model is held to.
        stated: What the record says as the user does: `name`, `base_model`, `license`.
    """
    train, held_out = split_corpus(corpus, validation, by, recipe.seed)
    selection.require_known(corpus.reviews)
    learnt = selection.labelled(train)
    given = (corpus, validation, base_model, recipe, by, selection)
    return run(
        TrainingSet(learnt, weights=selection.weights(learnt)), held_out, base_model, output, recipe,
        started_with=started_with(*given), record=inputs(*given) | named(stated), resume=resume,
        standards=standards,
    )  # fmt: skip


def split_corpus(corpus: Corpus, validation: Corpus | None, by: str, seed: int) -> tuple[Reviews, Reviews]:
    """What to train on and what to measure on; no text stands in both.

    Raises:
        InputError: If a class is missing.
    """
    corpus.require_classes()
    if validation is not None:
        validation.require_classes()
        train = without_copies(corpus.reviews, of=validation.reviews)
        if lacking := set(LABELS) - set(counts(train)):
            raise InputError(
                f"no {' and no '.join(sorted(lacking))} review of --data is left without the texts that "
                "--validation holds too: validate on other reviews, or leave --validation out"
            )
        return train, validation.reviews
    if by == "stratified":
        sides = stratified_split(corpus.reviews, seed=seed)
        there = set.intersection(*(set(counts(side)) for side in sides))
        if absent := sorted(set(LABELS) - there):
            raise InputError(
                f"too few {' and '.join(absent)} reviews to have some to train on and some to measure: give more"
            )
        return sides
    learnt, measured = corpus.split("train"), corpus.split("validation")
    learnt.require_classes()
    measured.require_classes()
    return learnt.reviews, measured.reviews


def started_with(
    corpus: Corpus,
    validation: Corpus | None,
    base_model: str,
    recipe: Recipe,
    by: str,
    selection: Selection = EVERYTHING,
) -> dict[str, Any]:
    """All that shapes the weights, as JSON gives it back."""
    return {
        **recipe.shaping(),
        **selection.told(),
        "base_model": base_name(base_model),
        "base_files": _digests(Path(base_model)),
        "split": by,
        "data": [file.sha256[:16] for file in corpus.files],
        "categories": list(corpus.chosen),
        "validation": [file.sha256[:16] for file in validation.files] if validation else None,
    }


def _digests(base_model: Path) -> list[str]:
    """Of a folder's weights and tokenizer: another model may have the same name."""
    digests = []
    for file in sorted(base_model.glob("*")) if base_model.is_dir() else []:
        if file.suffix in {".safetensors", ".bin"} or file.name in {"tokenizer.json", "vocab.txt"}:
            with file.open("rb") as opened:
                digests.append(hashlib.file_digest(opened, "sha256").hexdigest()[:16])
    return digests


def inputs(
    corpus: Corpus,
    validation: Corpus | None,
    base_model: str,
    recipe: Recipe,
    by: str,
    selection: Selection = EVERYTHING,
) -> dict[str, Any]:
    """What the run was given, for its record."""
    return {
        "base_model": base_name(base_model),
        "base_model_is_folder": Path(base_model).exists(),
        "settings": {**asdict(recipe), **selection.told()},
        "split": "given" if validation else by,
        "data": corpus.data_sheet(),
        "left_out_of_train": corpus.split("train").left_out() if by == "hash" and not validation else [],
        "validation_data": validation.data_sheet() if validation else None,
    }


def named(stated: Mapping[str, str] | None) -> dict[str, str | bool]:
    """For the record; a base model with a name on the hub is no mere folder."""
    given = dict(stated or {})
    return given | ({"base_model_is_folder": False} if "base_model" in given else {})


def base_name(base_model: str) -> str:
    """The base model's name; of a folder only its last part, since paths say nothing elsewhere."""
    return Path(base_model).resolve().name if Path(base_model).exists() else base_model
