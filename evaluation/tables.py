"""What `evaluate` shows on a terminal; the JSON holds more."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contract.labels import LABELS, ORDER
from evaluation.figures import CalibrationFigures, Evaluation, Figures, Group, Interval
from evaluation.findings import verdict
from evaluation.formats import figure, temperatures

_NAMES = [LABELS[label] for label in ORDER]
_WIDTH_MIN = 100


def show(evaluation: Evaluation, console: Console) -> None:
    """Print the figures of a checkpoint."""
    columns: dict[str, Figures] = {evaluation.checkpoint or "": evaluation}
    if evaluation.against:
        columns[f"against {evaluation.against.checkpoint}"] = evaluation.against
    begin(evaluation.rows, evaluation.data.copies_left_out if evaluation.data else 0, console)
    console.print(standings(columns | (evaluation.baselines or {})))
    for table in (*details(evaluation), *groups(evaluation)):
        console.print(table)
    comparison, judged = evaluation.comparison, verdict(evaluation)
    gates = (comparison.sentence if comparison else None, judged.sentence() if judged else None)
    say((*(evaluation.baselines_left_out or ()), *gates), console)


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


def standings(columns: Mapping[str, Figures]) -> Table:
    """Classifiers side by side, each under its name."""
    table = _table("Beside others", "", *columns)
    rows: dict[str, Callable[[Figures], str]] = {
        "macro-F1": lambda one: figure(one.macro_f1),
        "95 %": lambda one: interval(one.intervals["macro_f1"]),
        **{f"F1 of {label}": partial(_f1, label) for label in _NAMES},
        "accuracy": lambda one: figure(one.accuracy),
        "balanced macro-F1": lambda one: figure(one.balanced.macro_f1 if one.balanced else None),
        "balanced accuracy": lambda one: figure(one.balanced.accuracy if one.balanced else None),
        "ordinal error": lambda one: figure(one.ordinal_error),
        "off by two": lambda one: "" if one.off_by_two is None else f"{one.off_by_two:.1%}",
    }
    for name, cell in rows.items():
        table.add_row(name, *map(cell, columns.values()))
    return table


def details(evaluation: Evaluation, name: str = "") -> list[Table]:
    """What there is to say of one classifier, called `name` in the titles."""
    prefix, calibration = f"{name}: " if name else "", evaluation.calibration
    return [
        _classes(f"{prefix}By class", evaluation),
        *([_calibration(prefix, calibration)] if calibration else []),
    ]


def groups(evaluation: Evaluation, name: str = "") -> list[Table]:
    """The same by category, words and stars."""
    prefix = f"{name}: " if name else ""
    return [
        _groups(f"{prefix}By category", evaluation.by_category),
        _groups(f"{prefix}By words of the text", evaluation.by_words),
        _groups(f"{prefix}By stars", evaluation.by_stars),
    ]


def _f1(label: str, one: Figures) -> str:
    return figure(one.by_class[label].f1)


def _classes(title: str, result: Figures) -> Table:
    answered = (f"answered\n{name}" for name in _NAMES)
    table = _table(title, "", "texts", "precision", "recall", "F1", "95 %", *answered)
    for label, name in zip(ORDER, _NAMES, strict=True):
        row = result.by_class[name]
        table.add_row(
            name,
            str(row.rows),
            *(figure(score) for score in (row.precision, row.recall, row.f1)),
            interval(result.intervals[f"f1_{name}"]),
            *(str(result.confusion[label][answer]) for answer in ORDER),
        )
    return table


def _calibration(prefix: str, result: CalibrationFigures) -> Table:
    fitted = f"fitted on {result.fitted_on}" if result.fitted_on else "not fitted"
    title = f"{prefix}Calibration: temperature {temperatures(result.temperatures)}; {fitted}"
    answers = (f"ECE of\n{name}" for name in _NAMES)
    table = _table(title, "", "ECE", "95 %", *answers, "Brier", "95 %", "cross-\nentropy")
    for name, row in (("as it is", result.before), ("scaled", result.after)):
        table.add_row(
            name,
            *(figure(row.ece), interval(row.intervals["ece"])),
            *(figure(row.by_answer[name].ece) for name in _NAMES),
            *(figure(row.brier), interval(row.intervals["brier"])),
            figure(row.loss),
        )
    return table


def _groups(title: str, groups: dict[str, Group]) -> Table:
    answered = (f"answered\n{name}" for name in _NAMES)
    table = _table(title, "", "texts", "accuracy", "macro-F1", "ordinal\nerror", *answered)
    for name, row in groups.items():
        table.add_row(
            Text(name),  # a category comes from the data: no markup
            str(row.rows),
            figure(row.accuracy),
            "" if row.macro_f1 is None else figure(row.macro_f1),
            figure(row.ordinal_error),
            *(str(row.answered[answer]) for answer in _NAMES),
        )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(Text(column), justify="right" if number else "left", overflow="fold", vertical="bottom")
    return table


def interval(bounds: Interval) -> str:
    """Low and high, with three places."""
    return f"{bounds[0]:.3f}-{bounds[1]:.3f}"
