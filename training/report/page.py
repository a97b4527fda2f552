"""The report of a run or of an evaluation: one page that needs nothing but itself."""

import re
from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, PackageLoader, select_autoescape
from markupsafe import Markup, escape

from contract.labels import LABELS, ORDER
from evaluation import formats
from evaluation.findings import findings, limits
from evaluation.plots import loss_figure, reliability_figure, scores_figure, svg
from training.distillation import DistillationRecipe
from training.recipe import Recipe
from training.report.card import model_card
from training.report.reproduce import command
from training.selection import Selection

_REPORT_FILE = "report.html"
_CARD_FILE = "README.md"


def write_report(
    folder: Path,
    name: str,
    assessment: dict[str, Any],
    history: Sequence[dict[str, Any]],
    record: dict[str, Any],
) -> None:
    """Write `report.html` and the model card `README.md`; neither holds a text of the data.

    Args:
        folder: The checkpoint's.
        name: What the model is called.
        assessment: What `evaluation.assess.assess` gives, with `baselines` if there are; the figures of
            `evaluation.metrics.figures` are enough, and what is missing has no place on the page.
        history: The Trainer's log, with `eval_loss` and `eval_macro_f1` after each epoch.
        record: What `training.json` holds.
    """
    (folder / _REPORT_FILE).write_text(_page(name, assessment, history, record), encoding="utf-8")
    (folder / _CARD_FILE).write_text(model_card(name, assessment, record), encoding="utf-8")


def write_evaluation_report(file: Path, result: dict[str, Any]) -> None:
    """Write the page for what `training.evaluate.evaluate` gives: any checkpoint on any data."""
    file.write_text(_page(result["checkpoint"], result, [], {}), encoding="utf-8")


def _page(name: str, assessment: dict[str, Any], history: Sequence[dict[str, Any]], record: dict[str, Any]) -> str:
    return (
        _templates()
        .get_template("report.html")
        .render(
            name=name,
            figures=assessment,
            record=record,
            names=[LABELS[label] for label in ORDER],
            order=ORDER,
            largest=max(assessment["by_class"].items(), key=lambda item: item[1]["rows"]),
            standings=_standings(name, assessment),
            findings=findings(assessment, history, record),
            limits=limits(assessment, record),
            pictures=_pictures(assessment, history, record),
            meanings=_meanings(Recipe) | _meanings(Selection),
            taught=_meanings(DistillationRecipe),
            command=command(name, record) if record else None,
        )
    )


@cache
def _templates() -> Environment:
    """All that is not there is empty, in a page that has room for more than each run tells."""
    environment = Environment(
        loader=PackageLoader("training.report"),
        autoescape=select_autoescape(["html"]),
        undefined=ChainableUndefined,
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


def _standings(name: str, assessment: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The model and what it is compared with, by name; nothing if it stands alone."""
    others = dict(assessment.get("baselines") or {})
    if "against" in assessment:
        others = {f"{assessment['against']['checkpoint']} (compared with)": assessment["against"], **others}
    return {name: assessment, **others} if others else {}


def _pictures(
    assessment: dict[str, Any], history: Sequence[dict[str, Any]], record: dict[str, Any]
) -> dict[str, Markup]:
    """The pictures that there is something to draw of, by name."""
    calibration, kept = assessment.get("calibration"), record.get("best_step")
    logged = {key for entry in history for key in entry}
    drawn = {}
    if "loss" in logged:
        label = "Training and validation loss, and the learning rate, over steps"
        drawn["loss"] = svg("loss", label, lambda colours: loss_figure(history, colours))
    if "eval_macro_f1" in logged:
        label = "Macro-F1 on the validation part after each epoch"
        drawn["scores"] = svg("scores", label, lambda colours: scores_figure(history, kept, colours))
    if calibration:
        label = "Accuracy over confidence, before and after scaling"
        drawn["reliability"] = svg("reliability", label, lambda colours: reliability_figure(calibration, colours))
    return {name: Markup(picture) for name, picture in drawn.items()}  # noqa: S704 - drawn here, of numbers alone
