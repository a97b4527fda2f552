"""The model card: what someone needs who did not train the model, with metadata as Hugging Face's hub reads it."""

import re
from functools import cache

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import ChainableUndefined, Environment, PackageLoader

from contract.labels import LABELS, ORDER
from contract.training_record import TrainingRecord
from evaluation import formats
from evaluation.figures import Evaluation, Figures
from evaluation.findings import findings, limits
from evaluation.history import History
from training.report.reproduce import command, settings_of

_UNKNOWN = (
    "Not stated: the weights come from the base model and from the reviews, and the licences of both count. Add "
    "yours to the first lines of this file."
)


def model_card(name: str, evaluation: Evaluation, record: TrainingRecord) -> str:
    """A model card in Markdown with Hugging Face's metadata.

    Args:
        name: What the model is called.
        evaluation: On the validation part.
        record: Of the run; a `license` in it is stated as the model's.
    """
    known = record != TrainingRecord()
    text = (
        _templates()
        .get_template("card.md")
        .render(
            name=name,
            figures=evaluation,
            record=record,
            settings=settings_of(record),
            names=[LABELS[label] for label in ORDER],
            findings=findings(evaluation, History(), record),
            limits=limits(evaluation, record),
            command=command(name, record).replace("`", "'") if known else None,
            licence=record.license or _UNKNOWN,
        )
    )
    return f"---\n{_metadata(name, evaluation, record)}\n---\n\n{text}"


def _metadata(name: str, figures: Figures, record: TrainingRecord) -> str:
    """YAML without its fences."""
    scores = {
        "Macro-F1": ("f1", figures.macro_f1, {"average": "macro"}),
        **{
            f"F1 of {label}": ("f1", figures.by_class[label].f1, {"class": label})
            for label in (LABELS[label] for label in ORDER)
        },
        "Accuracy": ("accuracy", figures.accuracy, None),
    }
    results = [
        EvalResult(
            task_type="text-classification",
            task_name="Sentiment of product reviews",
            dataset_type="product-reviews",
            dataset_name="Held-out product reviews",
            dataset_split="validation",
            metric_type=metric,
            metric_name=title,
            metric_value=value,
            metric_args=arguments,
        )
        for title, (metric, value, arguments) in scores.items()
    ]
    card = ModelCardData(
        language="en",
        license=record.license or "unknown",
        library_name="transformers",
        pipeline_tag="text-classification",
        tags=["sentiment-analysis", "product-reviews"],
        base_model=None if record.base_model_is_folder else record.base_model,  # the hub would look for it
        metrics=["f1", "accuracy"],
        model_name=name,
        eval_results=results,
    )
    return card.to_yaml()


@cache
def _templates() -> Environment:
    environment = Environment(  # noqa: S701 - Markdown: `md` escapes what is not ours
        loader=PackageLoader("training.report"), undefined=ChainableUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {**formats.FILTERS, "md": _escape, "code": _code}
    return environment


def _escape(text: str) -> str:
    """So that names from the data are shown as they are: on one line, and no markup."""
    parts = re.split(r"(`[^`\n]*`)", " ".join(str(text).split()))  # what is between backticks is shown as it is
    return "".join(
        part if part.startswith("`") and len(part) > 1 else re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", part)
        for part in parts
    )


def _code(text: str) -> str:
    return re.sub(r"[`\n]", " ", text)
