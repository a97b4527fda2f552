"""The report of a run or of an evaluation: one page that needs nothing but itself."""

import re
from dataclasses import fields
from functools import cache
from pathlib import Path

from jinja2 import ChainableUndefined, Environment, PackageLoader, select_autoescape
from markupsafe import Markup, escape

from contract.labels import LABELS, ORDER
from contract.training_record import TrainingRecord
from evaluation import formats
from evaluation.figures import Evaluation, Figures
from evaluation.findings import findings, limits
from evaluation.history import History
from evaluation.plots import loss_figure, reliability_figure, scores_figure, svg
from training.distillation import DistillationRecipe
from training.recipe import Recipe
from training.report.card import model_card
from training.report.reproduce import command, settings_of
from training.selection import Selection

_REPORT_FILE = "report.html"
_CARD_FILE = "README.md"


def write_report(
    folder: Path,
    name: str,
    evaluation: Evaluation,
    history: History,
    record: TrainingRecord,
) -> None:
    """Write `report.html` and the model card `README.md`; neither holds a text of the data.

    Args:
        folder: The checkpoint's.
        name: What the model is called.
        evaluation: On the validation part; what is missing has no place on the page.
        history: Of the run.
        record: Of the run.
    """
    (folder / _REPORT_FILE).write_text(_page(name, evaluation, history, record), encoding="utf-8")
    (folder / _CARD_FILE).write_text(model_card(name, evaluation, record), encoding="utf-8")


def write_evaluation_report(file: Path, evaluation: Evaluation) -> None:
    """Write the page of an evaluation: of any checkpoint, on any data."""
    name = evaluation.checkpoint or "checkpoint"
    file.write_text(_page(name, evaluation, History(), TrainingRecord()), encoding="utf-8")


def _page(name: str, evaluation: Evaluation, history: History, record: TrainingRecord) -> str:
    known = record != TrainingRecord()
    return (
        _templates()
        .get_template("report.html")
        .render(
            name=name,
            figures=evaluation,
            record=record,
            settings=settings_of(record),
            names=[LABELS[label] for label in ORDER],
            order=ORDER,
            largest=max(evaluation.by_class.items(), key=lambda item: item[1].rows),
            standings=_standings(name, evaluation),
            findings=findings(evaluation, history, record),
            limits=limits(evaluation, record),
            pictures=_pictures(evaluation, history, record),
            meanings=_meanings(Recipe) | _meanings(Selection),
            taught=_meanings(DistillationRecipe),
            command=command(name, record) if known else None,
        )
    )


@cache
def _templates() -> Environment:
    """All that is not there is empty, in a page that has room for more than each run tells."""
    environment = Environment(
        loader=PackageLoader("training.report"),
        autoescape=select_autoescape(["html"]),
        undefined=ChainableUndefined,
        finalize=lambda value: "" if value is None else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {**formats.FILTERS, "codes": _codes, "in_order": _in_order}
    return environment


def _meanings(settings: type[Recipe | DistillationRecipe | Selection]) -> dict[str, str]:
    return {setting.name: setting.metadata["help"] for setting in fields(settings)}


def _codes(text: str) -> Markup:
    """Escaped, and what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def _in_order(by_class: dict[str, int]) -> dict[str, int]:
    """From bad to good; what is no class comes last."""
    names = [LABELS[label] for label in ORDER]
    return {name: by_class[name] for name in (*names, *by_class) if name in by_class}


def _standings(name: str, evaluation: Evaluation) -> dict[str, Figures]:
    """The model and what it is compared with, by name; nothing if it stands alone."""
    others, against = evaluation.baselines or {}, evaluation.against
    if against:
        others = {f"{against.checkpoint} (compared with)": against, **others}
    return {name: evaluation, **others} if others else {}


def _pictures(evaluation: Evaluation, history: History, record: TrainingRecord) -> dict[str, Markup]:
    """The pictures that there is something to draw of, by name."""
    calibration, kept = evaluation.calibration, record.best_step
    drawn = {}
    if history.steps:
        label = "Training and validation loss, and the learning rate, over steps"
        drawn["loss"] = svg("loss", label, lambda colours: loss_figure(history, colours))
    if history.epochs:
        label = "Macro-F1 on the validation part after each epoch"
        drawn["scores"] = svg("scores", label, lambda colours: scores_figure(history, kept, colours))
    if calibration:
        label = "Accuracy over confidence, before and after scaling"
        drawn["reliability"] = svg("reliability", label, lambda colours: reliability_figure(calibration, colours))
    return {name: Markup(picture) for name, picture in drawn.items()}  # noqa: S704 - drawn here, of numbers alone
