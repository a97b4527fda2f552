"""What `evaluate` shows on a terminal; the JSON holds more."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contract.labels import LABELS, ORDER
from evaluation.formats import figure, temperatures

_NAMES = [LABELS[label] for label in ORDER]
_WIDTH_MIN = 100
_GROUPS = {"By category": "by_category", "By words of the text": "by_words", "By stars": "by_stars"}


def show(result: dict[str, Any], console: Console) -> None:
    """Print the figures of `training.evaluate.evaluate`."""
    columns = {result["checkpoint"]: result}
    if "against" in result:
        columns[f"against {result['against']['checkpoint']}"] = result["against"]
    begin(result["rows"], result["data"]["copies_left_out"], console)
    console.print(standings(columns | result["baselines"]))
    for table in (*details(result), *groups(result)):
        console.print(table)
    say((*result["baselines_left_out"], result.get("comparison", {}).get("sentence")), console)


def begin(rows: int, copies: int, console: Console) -> None:
    """Make room for the tables, and say what they are made of."""
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH_MIN)  # nobody narrows a file
    said = f", {copies} {'copies' if copies > 1 else 'copy'} left out" if copies else ""
    console.print(f"{rows} texts{said}; 95 % intervals by bootstrap", highlight=False)


def say(lines: Iterable[str | None], console: Console) -> None:
    """Print what stands below the tables."""
    for line in lines:
        if line:
            console.print(line, markup=False, highlight=False)


def standings(columns: Mapping[str, dict[str, Any]]) -> Table:
    """Classifiers side by side, each by the figures of `evaluation.assess.stand` under its name."""
    table = _table("Beside others", "", *columns)
    rows: dict[str, Callable[[dict[str, Any]], str]] = {
        "macro-F1": lambda one: _figure(one["macro_f1"]),
        "95 %": lambda one: interval(one["intervals"]["macro_f1"]),
        **{f"F1 of {label}": partial(_f1, label) for label in _NAMES},
        "accuracy": lambda one: _figure(one["accuracy"]),
        "balanced macro-F1": lambda one: _figure(one["balanced"]["macro_f1"]),
        "balanced accuracy": lambda one: _figure(one["balanced"]["accuracy"]),
        "ordinal error": lambda one: _figure(one["ordinal_error"]),
        "off by two": lambda one: f"{one['off_by_two']:.1%}",
    }
    for name, cell in rows.items():
        table.add_row(name, *map(cell, columns.values()))
    return table


def details(result: dict[str, Any], name: str = "") -> list[Table]:
    """What there is to say of one classifier, called `name` in the titles, by `evaluation.assess.assess`."""
    prefix = f"{name}: " if name else ""
    return [_classes(f"{prefix}By class", result), _calibration(prefix, result)]


def groups(result: dict[str, Any], name: str = "") -> list[Table]:
    """The same by category, words and stars."""
    prefix = f"{name}: " if name else ""
    return [_groups(prefix + title, result[part]) for title, part in _GROUPS.items()]


def _f1(label: str, one: dict[str, Any]) -> str:
    return _figure(one["by_class"][label]["f1"])


def _classes(title: str, result: dict[str, Any]) -> Table:
    answered = (f"answered\n{name}" for name in _NAMES)
    table = _table(title, "", "texts", "precision", "recall", "F1", "95 %", *answered)
    for label, name in zip(ORDER, _NAMES, strict=True):
        row = result["by_class"][name]
        table.add_row(
            name,
            str(row["rows"]),
            *(_figure(row[score]) for score in ("precision", "recall", "f1")),
            interval(result["intervals"][f"f1_{name}"]),
            *(str(result["confusion"][label][answer]) for answer in ORDER),
        )
    return table


def _calibration(prefix: str, result: dict[str, Any]) -> Table:
    how = result["calibration"]
    fitted = f"fitted on {how['fitted_on']}" if how["fitted_on"] else "not fitted"
    title = f"{prefix}Calibration: temperature {temperatures(how['temperatures'])}; {fitted}"
    answers = (f"ECE of\n{name}" for name in _NAMES)
    table = _table(title, "", "ECE", "95 %", *answers, "Brier", "95 %", "cross-\nentropy")
    for name, row in (("as it is", how["before"]), ("scaled", how["after"])):
        table.add_row(
            name,
            *(_figure(row["ece"]), interval(row["intervals"]["ece"])),
            *(figure(row["by_answer"][name]["ece"]) for name in _NAMES),
            *(_figure(row["brier"]), interval(row["intervals"]["brier"])),
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


def interval(bounds: list[float]) -> str:
    """Low and high, with three places."""
    return f"{bounds[0]:.3f}-{bounds[1]:.3f}"
