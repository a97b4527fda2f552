"""A run, from reviews to a checkpoint: AdamW with linear warm-up and decay."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from contract.encoding import Encoding
from contract.errors import EndedBySignalError
from contract.labels import LABELS
from evaluation.figures import Evaluation
from reviews.cache import fingerprint
from reviews.progress import Progress
from reviews.review import UNLABELLED, Reviews
from training.callback import RunCallback
from training.checkpoint import write_checkpoint
from training.encoding import encode
from training.evaluate import measure
from training.model import load_base, served
from training.processes import is_main, processes, start, told_by_main, wait_for_all
from training.recipe import Recipe
from training.resume import begin, other_versions, partial_folder, saved_step
from training.standards import NO_STANDARDS, Pace, Standards
from training.targets import TrainingSet
from training.tokens import Rows, tokenise
from training.trainer import RecipeTrainer, make_trainer


def run(
    training_set: TrainingSet,
    held_out: Reviews,
    base_model: str,
    output: Path,
    recipe: Recipe,
    *,
    started_with: dict[str, Any],
    record: dict[str, Any],
    resume: bool,
    standards: Standards = NO_STANDARDS,
) -> Evaluation:
    """Fine-tune a base model and write the checkpoint.

    Args:
        training_set: What to learn from.
        held_out: What to measure on after each epoch.
        base_model: A folder or a name on the hub.
        output: The checkpoint's folder, which must not exist. Until the run is done, its state is kept in
            `OUTPUT.partial`.
        recipe: The settings.
        started_with: All that shapes the weights: an interrupted run goes on only with the same.
        record: What `training.json` shall say of the data.
        resume: Whether to go on from the last saved step of an interrupted run.
        standards: What the model is held to.

    Returns:
        The figures on `held_out`.

    Raises:
        InputError: If the base model can't be used, or the run diverged.
        EndedBySignalError: If a signal ended the run; what was saved can be resumed.
    """
    started_s = time.monotonic()
    tokenizer, model = _start(base_model, recipe)
    state = told_by_main(begin(output, started_with, resume=resume) if is_main() else None)
    folder = partial_folder(output)
    trainer = _trainer(model, tokenizer, training_set, recipe, folder)
    held_out_rows = _rows(tokenizer, held_out, recipe.encoding)

    with Progress(quiet=not is_main()) as progress:
        _announce(len(training_set.reviews), len(held_out), state, progress, resume=resume)
        pace = Pace(len(held_out))
        callback = RunCallback(
            pace.timed(lambda: measure(trainer.model, tokenizer, held_out, held_out_rows, progress)),
            progress, folder, recipe.early_stopping,
        )  # fmt: skip
        best_step, evaluation = _train(trainer, callback, state)

    parts = {"training": counts(training_set.reviews), "validation": counts(held_out)}
    record = {**record, "parts": parts, **_account(trainer, best_step, state, started_s), **pace.told()}
    if is_main():
        evaluation = standards.applied(evaluation, held_out, training_set.reviews)
    _write(output, trainer, tokenizer, held_out.joined(training_set.reviews), evaluation, recipe, record)
    return evaluation


def _start(base_model: str, recipe: Recipe) -> tuple[Any, Any]:
    """Meet the other processes, and load the tokenizer and the model, with a head drawn by the recipe's seed."""
    start()
    transformers.utils.logging.set_verbosity_error()  # what it warns of when a run is resumed is meant
    transformers.set_seed(recipe.seed)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    stars_loss = recipe.stars_loss if recipe.stars_weight else None
    return load_base(base_model, recipe.tokens_max, stars_loss=stars_loss, dropout=recipe.dropout)


def _announce(learnt: int, measured: int, state: Path | None, progress: Progress, *, resume: bool) -> None:
    progress.say(f"{learnt} reviews to train on, {measured} to measure on")
    if resume:
        progress.say(f"going on after step {saved_step(state)}" if state else "nothing to resume: starting")
    if state and (changed := other_versions(state)):
        progress.say(f"{changed}: the weights may not be those of a run without interruption")


def _account(trainer: RecipeTrainer, best_step: int, state: Path | None, started_s: float) -> dict[str, Any]:
    """What the record says of the steps."""
    return {
        "steps": trainer.state.global_step,
        "best_step": best_step,
        "processes": processes(),
        "resumed_after_step": saved_step(state) if state else None,
        "elapsed_s": round(time.monotonic() - started_s, 1),  # of this session, where the run was resumed
    }


def _rows(tokenizer: Any, reviews: Reviews, encoding: Encoding) -> Rows:
    key = fingerprint(encoding.model_dump(), tokenizer.backend_tokenizer.to_str())
    return tokenise(reviews, lambda some: encode(tokenizer, some, encoding), key)


def _trainer(model: Any, tokenizer: Any, training_set: TrainingSet, recipe: Recipe, folder: Path) -> RecipeTrainer:
    rows = _rows(tokenizer, training_set.reviews, recipe.encoding)
    return make_trainer(
        model, tokenizer, training_set.data(rows, recipe), recipe, folder, training_set.loss(recipe)
    )


def _train(trainer: RecipeTrainer, callback: RunCallback, state: Path | None) -> tuple[int, Evaluation]:
    """Train to the end; the step whose weights are kept, and their figures."""
    trainer.add_callback(callback)
    with callback:
        trainer.train(resume_from_checkpoint=str(state) if state else None)
    if callback.stopping:
        raise EndedBySignalError
    return callback.settle(trainer.model, trainer.state.global_step)


def _write(
    output: Path,
    trainer: RecipeTrainer,
    tokenizer: Any,
    reviews: Reviews,
    evaluation: Evaluation,
    recipe: Recipe,
    record: dict[str, Any],
) -> None:
    """Write the checkpoint under another name first: it is there whole or not at all. One process does it."""
    if is_main():
        folder = partial_folder(output)
        finished = folder / "finished"
        trainer.model = served(trainer.model)
        write_checkpoint(finished, trainer, tokenizer, reviews, evaluation, recipe, record, name=output.name)
        (finished / "history.json").write_text(json.dumps(trainer.state.log_history) + "\n")
        finished.rename(output)
        shutil.rmtree(folder)
    wait_for_all()


def counts(reviews: Reviews) -> dict[str, int]:
    """Reviews by class; `unlabelled` where only a teacher answers."""
    ids, found = np.unique(reviews.labels, return_counts=True)
    names = ("unlabelled" if label == UNLABELLED else LABELS[label] for label in ids)
    return dict(zip(names, found.tolist(), strict=True))
