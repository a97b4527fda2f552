"""Writing everything of a checkpoint: a Hugging Face folder, and what export and people need besides."""

import importlib.metadata
import json
import platform
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contract.training_record import TRAINING_FILE, TrainingRecord
from evaluation.figures import Evaluation, written
from evaluation.history import History
from evaluation.plots import plot_confusion, plot_loss
from reviews.review import Review
from training.encoding import write_encoding
from training.recipe import Recipe
from training.report.page import write_report

_PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "scikit-learn", "numpy")


def write_checkpoint(
    folder: Path,
    trainer: Any,
    tokenizer: Any,
    reviews: Sequence[Review],
    evaluation: Evaluation,
    recipe: Recipe,
    record: dict[str, Any],
    *,
    name: str,
) -> None:
    """Write a checkpoint.

    Args:
        folder: Is emptied and made again.
        trainer: Holds the model and the log of the losses.
        tokenizer: What the texts were encoded with.
        reviews: The golden pairs are drawn from these.
        evaluation: On the validation part; the hardest texts are not written down.
        recipe: How the reviews were encoded.
        record: Settings, data and time of the run.
        name: What report and model card call it.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    trainer.model.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)  # safetensors leaves it to its owner alone; a container is another
    write_encoding(folder, tokenizer, reviews, recipe.encoding, recipe.seed)
    _save_tokenizer(folder, tokenizer)
    record = {
        **record,
        "figures": {"accuracy": evaluation.accuracy, "macro_f1": evaluation.macro_f1, "loss": evaluation.loss},
        "versions": {"python": platform.python_version()}
        | {package: importlib.metadata.version(package) for package in _PACKAGES},
        "processor": processor(),
        "device": str(trainer.args.device),
        "parameters": sum(parameter.numel() for parameter in trainer.model.parameters()),
        "size_bytes": (folder / "model.safetensors").stat().st_size,
        "precision": "bf16" if trainer.args.bf16 else "fp32",
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    (folder / TRAINING_FILE).write_text(json.dumps(record, indent=2) + "\n")
    figures = written(replace(evaluation, hardest=[]))  # those are texts of the data
    (folder / "metrics.json").write_text(json.dumps(figures, indent=2) + "\n")
    history = History.of(trainer.state.log_history)
    plot_loss(history, folder / "loss.png")
    plot_confusion(evaluation.confusion, folder / "confusion.png")
    write_report(folder, record.get("name") or name, evaluation, history, TrainingRecord.model_validate(record))


def _save_tokenizer(folder: Path, tokenizer: Any) -> None:
    """Write the tokenizer as such: length and padding are the business of `encoding.json`."""
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    tokenizer.save_pretrained(folder)
    backend.model.save(str(folder))  # vocab.txt


def processor() -> str:
    """The processor's name and cores, where the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.processor() or platform.machine()
