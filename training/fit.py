"""Fine-tuning, from reviews to a checkpoint: AdamW with linear warm-up; the last weights are the model."""

import shutil
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import transformers

from training.checkpoint import write_checkpoint
from training.data import LABELS, Corpus, Review, split, without_copies
from training.encoding import encode
from training.errors import TrainingError
from training.evaluate import measure
from training.model import load_base
from training.partial import begin, partial_folder, saved_step
from training.progress import Progress
from training.recipe import Recipe
from training.trainer import EncodedReviews, Watch, make_trainer


def fit(
    corpus: Corpus, base_model: str, output: Path, recipe: Recipe, *, validation: Corpus | None, resume: bool
) -> dict[str, Any]:
    """Fine-tune a base model and write the checkpoint.

    Args:
        corpus: What to train on; without `validation`, a fifth of it is held out.
        base_model: A folder or a name on the hub.
        output: The checkpoint's folder, which must not exist. Until the run is done, its state is kept in
            `OUTPUT.partial`.
        recipe: The settings.
        validation: What to measure on, where the caller has split the data; its texts are not trained on.
        resume: Whether to go on from the last saved step of an interrupted run.

    Returns:
        The figures on the validation part.

    Raises:
        TrainingError: If the data or the base model can't be used, or the run diverged.
        KeyboardInterrupt: If a signal ended the run; what was saved can be resumed.
    """
    started_s = time.monotonic()
    train, held_out = _parts(corpus, validation, recipe.seed)

    transformers.set_seed(recipe.seed)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    tokenizer, model = load_base(base_model, recipe.tokens_max)
    state = begin(output, _started_with(corpus, validation, base_model, recipe), resume=resume)

    train_rows = encode(tokenizer, [review.text for review in train], recipe.tokens_max)
    held_out_rows = encode(tokenizer, [review.text for review in held_out], recipe.tokens_max)
    data = EncodedReviews(train_rows, [review.label for review in train])
    trainer = make_trainer(model, tokenizer, data, recipe, partial_folder(output))

    with Progress() as progress:
        progress.say(f"{len(train)} reviews to train on, {len(held_out)} to measure on")
        if resume:
            progress.say(
                f"going on after step {saved_step(state)}" if state else "nothing to resume: starting anew"
            )
        watch = Watch(lambda: measure(trainer.model, tokenizer, held_out, held_out_rows, progress), progress)
        trainer.add_callback(watch)
        with watch:
            trainer.train(resume_from_checkpoint=str(state) if state else None)
        if watch.stopping:
            raise KeyboardInterrupt
        metrics = watch.figures_after(trainer.state.global_step)

    record = {
        **_inputs(corpus, validation, base_model, recipe),
        "parts": {"training": _counts(train), "validation": _counts(held_out)},
        "steps": trainer.state.global_step,
        "resumed_after_step": saved_step(state) if state else None,
        "elapsed_s": round(time.monotonic() - started_s, 1),  # of this session, where the run was resumed
    }
    finished = partial_folder(output) / "finished"
    texts = [review.text for review in (*held_out, *train)]
    write_checkpoint(finished, trainer, tokenizer, texts, metrics, record, name=output.name)
    finished.rename(output)  # whole or not at all
    shutil.rmtree(partial_folder(output))
    return metrics


def _parts(corpus: Corpus, validation: Corpus | None, seed: int) -> tuple[list[Review], list[Review]]:
    """What to train on and what to measure on; no text stands in both."""
    corpus.require_classes()
    if validation is None:
        return split(corpus.reviews, seed=seed)
    validation.require_classes()
    train = without_copies(corpus.reviews, of=validation.reviews)
    if lacking := set(LABELS) - set(_counts(train)):
        raise TrainingError(
            f"no {' and no '.join(sorted(lacking))} review of --data is left without the texts that --validation "
            "holds too: validate on other reviews, or leave --validation out"
        )
    return train, validation.reviews


def _started_with(corpus: Corpus, validation: Corpus | None, base_model: str, recipe: Recipe) -> dict[str, Any]:
    """All that shapes the weights, as JSON gives it back."""
    return {
        **recipe.shaping(),
        "base_model": _name(base_model),
        "data": [file["sha256"][:16] for file in corpus.files],
        "validation": [file["sha256"][:16] for file in validation.files] if validation else None,
    }


def _inputs(corpus: Corpus, validation: Corpus | None, base_model: str, recipe: Recipe) -> dict[str, Any]:
    """What the run was given, for its record."""
    return {
        "base_model": _name(base_model),
        "settings": asdict(recipe),
        "data": corpus.data_sheet(),
        "validation_data": validation.data_sheet() if validation else None,
    }


def _counts(reviews: list[Review]) -> dict[str, int]:
    return dict(Counter(LABELS[review.label] for review in reviews))


def _name(base_model: str) -> str:
    """The base model's name; of a folder only its last part, since paths say nothing elsewhere."""
    return Path(base_model).resolve().name if Path(base_model).exists() else base_model
