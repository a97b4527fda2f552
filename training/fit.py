"""The seed recipe: AdamW with linear warm-up, two epochs, the last weights are the model."""

import json
import platform
import random
import shutil
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

from training.card import model_card
from training.data import LABELS, Corpus, Review, split
from training.encoding import encode, write_encoding
from training.errors import TrainingError
from training.metrics import figures
from training.plots import plot_confusion, plot_loss
from training.progress import RichProgress


@dataclass(frozen=True)
class Recipe:
    """What can be set of a run; the defaults are the seed recipe."""

    epochs: float = 2.0
    learning_rate: float = 2e-5
    batch_size: int = 8
    tokens_max: int = 512
    weight_decay: float = 0.01
    warmup_ratio: float = 0.1
    seed: int = 2018
    save_steps: int = 500
    threads: int = 0

    def __post_init__(self) -> None:
        if not (self.epochs > 0 and self.learning_rate > 0 and self.batch_size > 0 and self.tokens_max > 2):  # noqa: PLR2004
            raise TrainingError("epochs, learning rate and batch size must be positive, and tokens-max above 2")


class EncodedReviews(torch.utils.data.Dataset[dict[str, Any]]):
    """Reviews as token ids, not padded; batches are padded to their own longest row."""

    def __init__(self, tokenizer: Any, reviews: Sequence[Review], tokens_max: int) -> None:
        self._rows = [
            {"input_ids": encode(tokenizer, review.text, tokens_max), "labels": review.label} for review in reviews
        ]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._rows[index]


def fit(
    corpus: Corpus, base_model: str, output: Path, recipe: Recipe, *, validation: Corpus | None, resume: bool
) -> dict[str, Any]:
    """Fine-tune a base model and write the checkpoint.

    Args:
        corpus: What to train on; without `validation`, a fifth of it is held out.
        base_model: A folder or a name on the hub.
        output: The checkpoint's folder, which must not exist. Until the run is done, its state is kept in
            `OUTPUT.partial`, from which `resume` goes on.
        recipe: The settings.
        validation: What to measure on, where the caller has split the data.
        resume: Whether to go on from the last saved step of an interrupted run.

    Returns:
        The figures on the validation part.

    Raises:
        TrainingError: If the data or the base model can't be used.
    """
    started_s = time.monotonic()
    if output.exists():
        raise TrainingError(f"{output} exists already: remove it, or choose another --output")
    partial = output.with_name(output.name + ".partial")
    if partial.exists() and not resume:
        shutil.rmtree(partial)
    _seed(recipe)
    train, held_out = (
        (corpus.reviews, validation.reviews) if validation else split(corpus.reviews, seed=recipe.seed)
    )
    tokenizer, model = _load(base_model, recipe)
    trainer = _trainer(tokenizer, model, train, held_out, recipe, partial)
    resumable = resume and any(partial.glob("checkpoint-*"))
    trainer.train(resume_from_checkpoint=resumable or None)
    answer = trainer.predict(trainer.eval_dataset)
    metrics = figures(np.asarray(answer.label_ids), np.asarray(answer.predictions))
    run = {
        "settings": {"base_model_name": _name(base_model), **asdict(recipe)},
        "data": corpus.data_sheet(),
        "validation": validation.data_sheet() if validation else {"reviews": len(held_out)},
        **_circumstances(started_s),
    }
    _write(partial / "finished", trainer, tokenizer, held_out, recipe, metrics, run, output.name)
    (partial / "finished").rename(output)
    shutil.rmtree(partial)
    return metrics


def _trainer(
    tokenizer: Any, model: Any, train: Sequence[Review], held_out: Sequence[Review], recipe: Recipe, folder: Path
) -> Any:
    trainer = Trainer(
        model=model,
        args=_arguments(recipe, folder),
        train_dataset=EncodedReviews(tokenizer, train, recipe.tokens_max),
        eval_dataset=EncodedReviews(tokenizer, held_out, recipe.tokens_max),
        data_collator=DataCollatorWithPadding(tokenizer),
        callbacks=[RichProgress()],
    )
    trainer.remove_callback(transformers.trainer_callback.PrinterCallback)
    return trainer


def _circumstances(started_s: float) -> dict[str, Any]:
    return {
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "processor": _processor(),
        "elapsed_s": round(time.monotonic() - started_s, 1),
    }


def _seed(recipe: Recipe) -> None:
    transformers.set_seed(recipe.seed)
    random.seed(recipe.seed)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)


def _load(base_model: str, recipe: Recipe) -> tuple[Any, Any]:
    """The tokenizer and the model with a new head of three classes."""
    transformers.logging.set_verbosity_error()  # a new head is what we want, not a thing to warn of
    transformers.utils.logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(base_model)
        model = AutoModelForSequenceClassification.from_pretrained(
            base_model,
            num_labels=len(LABELS),
            id2label=dict(enumerate(LABELS)),
            label2id={name: i for i, name in enumerate(LABELS)},
            dtype=torch.float32,
        )
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"can't load the base model {base_model}: {error}\nGive the folder of a BERT, or a hub name with the "
            "hub in reach."
        ) from error
    if model.config.model_type != "bert":
        raise TrainingError(f"{base_model} is a {model.config.model_type}; export and worker serve BERT only")
    if recipe.tokens_max > model.config.max_position_embeddings:
        raise TrainingError(
            f"{base_model} has only {model.config.max_position_embeddings} positions: --tokens-max"
        )
    return tokenizer, model


def _arguments(recipe: Recipe, folder: Path) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=max(32, recipe.batch_size),
        weight_decay=recipe.weight_decay,  # the Trainer spares biases and LayerNorm
        warmup_steps=recipe.warmup_ratio,
        lr_scheduler_type="linear",
        train_sampling_strategy="group_by_length",
        length_column_name="length",
        seed=recipe.seed,
        data_seed=recipe.seed,
        eval_strategy="epoch",
        logging_strategy="steps",
        logging_steps=10,
        save_strategy="steps",
        save_steps=recipe.save_steps,
        save_total_limit=1,
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=True,
        report_to=[],
    )


def _write(
    folder: Path,
    trainer: Any,
    tokenizer: Any,
    held_out: Sequence[Review],
    recipe: Recipe,
    metrics: dict[str, Any],
    run: dict[str, Any],
    name: str,
) -> None:
    """Everything of a checkpoint, in Hugging Face layout."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    trainer.model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_encoding(folder, tokenizer, [review.text for review in held_out], recipe.tokens_max, recipe.seed)
    (folder / "training.json").write_text(json.dumps(run, indent=2) + "\n")
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # matplotlib's own
        plot_loss(trainer.state.log_history, folder / "loss.png")
        plot_confusion(metrics["confusion"], folder / "confusion.png")
    (folder / "README.md").write_text(model_card(name, metrics, run))


def _name(base_model: str) -> str:
    """The base model's name; of a folder only its last part, since paths say nothing elsewhere."""
    return Path(base_model).resolve().name if Path(base_model).exists() else base_model


def _processor() -> str:
    """The processor's name, where the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.processor()
