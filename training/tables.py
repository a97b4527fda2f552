"""What `evaluate` shows on a terminal; the JSON holds more."""

from collections.abc import Callable
from functools import partial
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.data import LABELS
from training.metrics import ORDER

_NAMES = [LABELS[label] for label in ORDER]
_WIDTH_MIN = 100
_GROUPS = {"By category": "by_category", "By words of the text": "by_words", "By stars": "by_stars"}


def show(result: dict[str, Any], console: Console) -> None:
    """Print the figures of `training.evaluate.evaluate`."""
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH_MIN)  # nobody narrows a file
    copies = result["data"]["copies_left_out"]
    said = f", {copies} {'copies' if copies > 1 else 'copy'} left out" if copies else ""
    console.print(f"{result['rows']} texts{said}; 95 % intervals by bootstrap", highlight=False)
    for table in (_standings(result), _classes(result), _calibration(result)):
        console.print(table)
    for title, part in _GROUPS.items():
        console.print(_groups(title, result[part]))
    for line in (*result["baselines_left_out"], result.get("comparison", {}).get("sentence")):
        if line:
            console.print(line, markup=False, highlight=False)


def _standings(result: dict[str, Any]) -> Table:
    columns = [(result["checkpoint"], result)]
    if "against" in result:
        columns.append((f"against {result['against']['checkpoint']}", result["against"]))
    columns += result["baselines"].items()
    table = _table("Beside others", "", *(name for name, _ in columns))
    rows: dict[str, Callable[[dict[str, Any]], str]] = {
        "macro-F1": lambda one: _figure(one["macro_f1"]),
        "95 %": lambda one: _interval(one["intervals"]["macro_f1"]),
        **{f"F1 of {label}": partial(_f1, label) for label in _NAMES},
        "accuracy": lambda one: _figure(one["accuracy"]),
        "balanced macro-F1": lambda one: _figure(one["balanced"]["macro_f1"]),
        "balanced accuracy": lambda one: _figure(one["balanced"]["accuracy"]),
        "ordinal error": lambda one: _figure(one["ordinal_error"]),
        "off by two": lambda one: f"{one['off_by_two']:.1%}",
    }
    for name, cell in rows.items():
        table.add_row(name, *(cell(one) for _, one in columns))
    return table


def _f1(label: str, one: dict[str, Any]) -> str:
    return _figure(one["by_class"][label]["f1"])


def _classes(result: dict[str, Any]) -> Table:
    answered = (f"answered\n{name}" for name in _NAMES)
    table = _table("By class", "", "texts", "precision", "recall", "F1", "95 %", *answered)
    for label, name in zip(ORDER, _NAMES, strict=True):
        row = result["by_class"][name]
        table.add_row(
            name,
            str(row["rows"]),
            *(_figure(row[score]) for score in ("precision", "recall", "f1")),
            _interval(result["intervals"][f"f1_{name}"]),
            *(str(result["confusion"][label][answer]) for answer in ORDER),
        )
    return table


def _calibration(result: dict[str, Any]) -> Table:
    how = result["calibration"]
    temperatures = " and ".join(f"{temperature:.3f}" for temperature in how["temperatures"])
    title = f"Calibration: temperature {temperatures}, fitted on {how['fitted_on']}"
    table = _table(title, "", "ECE", "95 %", "Brier", "95 %", "cross-entropy")
    for name, row in (("as it is", how["before"]), ("scaled", how["after"])):
        table.add_row(
            name,
            *(_figure(row["ece"]), _interval(row["intervals"]["ece"])),
            *(_figure(row["brier"]), _interval(row["intervals"]["brier"])),
            _figure(row["loss"]),
        )
    return table


def _groups(title: str, groups: dict[str, dict[str, Any]]) -> Table:
    answered = (f"answered\n{name}" for name in _NAMES)
    table = _table(title, "", "texts", "accuracy", "macro-F1", "ordinal\nerror", *answered)
    for name, row in groups.items():
        table.add_row(
            Text(name),  # a category comes from the data: no markup
            str(row["rows"]),
            _figure(row["accuracy"]),
            "" if row["macro_f1"] is None else _figure(row["macro_f1"]),
            _figure(row["ordinal_error"]),
            *(str(row["answered"][answer]) for answer in _NAMES),
        )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(Text(column), justify="right" if number else "left", overflow="fold", vertical="bottom")
    return table


def _figure(value: float) -> str:
    return f"{value:.3f}"


def _interval(bounds: list[float]) -> str:
    return f"{bounds[0]:.3f}-{bounds[1]:.3f}"
