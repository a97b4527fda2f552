"""What `evaluate` shows on a terminal."""

from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from evaluation.evaluate import evaluate_logits, ids_of, summarise
from evaluation.figures import Evaluation, Group, MeasuredData
from evaluation.tables import begin, details, groups, say, show, standings
from reviews.review import Review


def test_the_table_shows_the_figures_whatever_a_category_is_called() -> None:
    """Names from the data are no markup, and what stands in the table is what was measured."""
    reviews = [Review(f"text {number}", number % 3, "[red]x[/]", 3.0) for number in range(99)]
    result = replace(
        evaluate_logits(reviews, np.random.default_rng(0).normal(size=(99, 3)).astype(np.float32)),
        checkpoint="mine",
        baselines={"constant": summarise(ids_of(reviews), np.ones(99, dtype=np.int64))},
        baselines_left_out=["nothing"],
        data=MeasuredData(files=[], copies_left_out=1),
    )
    console = Console(width=60, force_terminal=False)
    with console.capture() as captured:
        show(result, console)
    assert "99 texts, 1 copy left out" in captured.get()
    assert "[red]x[/]" in captured.get()
    assert f"{result.macro_f1:.3f}" in captured.get()
    assert "33.3%" in captured.get()  # of the constant's answers are off by two


@pytest.mark.parametrize(
    ("wanted", "last"), [(0.0, "Good enough: macro-F1 is"), (0.99, "Not good enough: macro-F1 is")]
)
def test_the_verdict_is_said_last(evaluation: Evaluation, wanted: float, last: str) -> None:
    """A user who asked for a macro-F1 sees why the command ends as it does; nobody else is told of it."""
    for asked, said in ((wanted, last), (None, "")):
        console = Console(file=(written := StringIO()), width=160)
        show(replace(evaluation, macro_f1_min=asked), console)
        assert written.getvalue().splitlines()[-1].startswith(said)
        assert ("enough" in written.getvalue()) == bool(said)


SHARES = {"a": Group(rows=7, accuracy=0.5, macro_f1=None, ordinal_error=0.25, answered={
    "negative": 1, "neutral": 2, "positive": 4})}  # fmt: skip


def printed(*shown: object) -> list[list[str]]:
    """The words of each line of what a wide terminal shows."""
    console = Console(file=(written := StringIO()), width=160)
    for each in shown:
        console.print(each)
    return [line.split() for line in written.getvalue().splitlines()]


@pytest.mark.parametrize(("copies", "said"), [(0, ""), (1, ", 1 copy left out"), (2, ", 2 copies left out")])
def test_a_file_is_never_narrow(copies: int, said: str) -> None:
    """Where nobody sees it the tables have room; the first line says what they are made of."""
    console = Console(file=(written := StringIO()), width=40)
    begin(7, copies, console)
    assert console.width == 100
    assert written.getvalue() == f"7 texts{said}; 95 % intervals by bootstrap\n"


def test_classifiers_stand_side_by_side(evaluation: Evaluation) -> None:
    """Each in a column of its own, in the order given, by the figures that were measured."""
    baseline = (evaluation.baselines or {})["VADER"]
    rows = printed(standings({"mine": evaluation, "VADER": baseline}))
    assert ["mine", "VADER"] in rows
    assert ["macro-F1", f"{evaluation.macro_f1:.3f}", f"{baseline.macro_f1:.3f}"] in rows
    low, high = baseline.intervals["macro_f1"]
    assert any(row[:2] == ["95", "%"] and row[-1] == f"{low:.3f}-{high:.3f}" for row in rows)


def test_each_class_has_its_row_of_the_confusion(evaluation: Evaluation) -> None:
    """In the order negative, neutral, positive, though class ids have another."""
    rows = printed(*details(evaluation, "int8"))
    assert rows[0] == ["int8:", "By", "class"]
    for label, name in ((2, "negative"), (0, "neutral"), (1, "positive")):
        counts = [str(evaluation.confusion[label][answer]) for answer in (2, 0, 1)]
        (row,) = [row for row in rows if row[:1] == [name] and len(row) == 9]
        assert row[1] == str(evaluation.by_class[name].rows)
        assert row[-3:] == counts


def test_a_group_without_a_class_has_no_macro_f1(evaluation: Evaluation) -> None:
    """An empty cell says so; the other figures are there."""
    rows = printed(*groups(replace(evaluation, by_category=SHARES, by_words=SHARES, by_stars=SHARES)))
    assert rows.count(["a", "7", "0.500", "0.250", "1", "2", "4"]) == 3


def test_what_is_not_there_is_not_said() -> None:
    """And what is, is no markup."""
    console = Console(file=(written := StringIO()), width=40)
    say(["[red]a[/]", None, "", "b"], console)
    assert written.getvalue() == "[red]a[/]\nb\n"
