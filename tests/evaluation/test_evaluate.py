"""The parts of an evaluation add up to the whole."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.labels import LABELS, star_label
from evaluation.evaluate import evaluate_logits, ids_of
from reviews.review import Review

stars = st.sampled_from([1.0, 2.0, 3.0, 4.0, 5.0])
some_reviews = st.lists(
    st.builds(
        lambda rating, number, length, category: Review(
            f"word{number} " * length, star_label(rating), category, rating
        ),
        stars, st.integers(0, 10**9), st.integers(1, 500), st.sampled_from(["Books", "Toys", "[bold]odd"]),
    ),
    min_size=3, max_size=60,
)  # fmt: skip


def guesses(reviews: list[Review], seed: int, strength: float = 1.0) -> np.ndarray:
    """Logits that lean to the truth."""
    noise = np.random.default_rng(seed).normal(size=(len(reviews), 3))
    return np.asarray(noise + strength * np.eye(3)[ids_of(reviews)], dtype=np.float32)


@given(some_reviews, st.integers(0, 99))
def test_groups_add_up_to_the_whole(reviews: list[Review], seed: int) -> None:
    """By category, by words and by stars: rows, answers, right answers and distances are those of all rows."""
    logits = guesses(reviews, seed)
    result = evaluate_logits(reviews, logits)
    answered = dict(zip(LABELS, np.bincount(logits.argmax(axis=1), minlength=3).tolist(), strict=True))
    for part in (result.by_category, result.by_words, result.by_stars):
        groups = part.values()
        assert sum(group.rows for group in groups) == result.rows == len(reviews)
        assert {name: sum(group.answered[name] for group in groups) for name in LABELS} == answered
        for figure in ("accuracy", "ordinal_error"):
            mean = sum(group.rows * getattr(group, figure) for group in groups) / len(reviews)
            assert mean == pytest.approx(getattr(result, figure), abs=1e-5)


def test_groups_are_told_by_words_and_stars() -> None:
    """A bucket's ends are inside; stars of one class have no macro-F1; a text without stars is counted too."""
    reviews = [
        *(Review("a " * 20, 1, "x", 5.0), Review("b " * 21, 0, "x", 3.0), Review("c " * 50, 2, "y", 1.0)),
        *(Review("d " * 401, 2, "y", 1.5), Review("e", 0, "x")),
    ]
    result = evaluate_logits(reviews, guesses(reviews, 0, strength=50))
    assert {name: row.rows for name, row in result.by_words.items()} == {"1-20": 2, "21-50": 2, "401-": 1}
    assert list(result.by_stars) == ["1", "1.5", "3", "5", "unknown"]
    assert {row.macro_f1 for row in result.by_stars.values()} == {None}
    assert {row.accuracy for row in result.by_stars.values()} == {1}


def test_the_hardest_come_first_in_a_line_each() -> None:
    """At most twenty texts, by falling loss, without line breaks and cut."""
    reviews = [Review(f"text\n{number} " * 99, number % 3, "x", float(number % 3)) for number in range(40)]
    hardest = evaluate_logits(reviews, guesses(reviews, 1)).hardest
    assert len(hardest) == 20
    assert [one.loss for one in hardest] == sorted((one.loss for one in hardest), reverse=True)
    assert all(len(one.text) == 160 and "\n" not in one.text for one in hardest)
    assert hardest[0].label != hardest[0].answer


def test_calibration_is_measured_on_rows_that_did_not_fit_it() -> None:
    """Temperatures of reviews apart are theirs alone; by halves there are two sets, which fix the same fault."""
    reviews = [Review(f"text {number}", number % 3, "x", 3.0) for number in range(3000)]
    logits, apart = guesses(reviews, 0) * 4, guesses(reviews, 1) * 2

    by_halves = evaluate_logits(reviews, logits).calibration
    by_others = evaluate_logits(reviews, logits, (reviews, apart)).calibration

    assert by_halves
    assert by_others
    assert len(by_halves.temperatures) == 2
    for half in by_halves.temperatures:
        assert half == pytest.approx(dict.fromkeys(LABELS, 4), rel=0.2)
    for figure in ("ece", "brier", "loss"):
        assert getattr(by_halves.after, figure) < getattr(by_halves.before, figure)
    assert by_halves.before.ece > 0.2
    assert by_halves.after.ece < 0.05
    (temperatures,) = by_others.temperatures
    assert temperatures == pytest.approx(dict.fromkeys(LABELS, 2), rel=0.2)
    of_answers = by_halves.before.by_answer.values()
    assert sum(one.rows for one in of_answers) == 3000
    assert all((one.ece or 0) > 0.2 and (one.confidence or 0) > (one.accuracy or 0) for one in of_answers)
    assert all((one.ece or 1) < 0.1 for one in by_halves.after.by_answer.values())
    assert by_others.fitted_on == "3000 texts apart"


def test_the_figures_need_no_torch() -> None:
    """What judges logits can judge those of a graph: it imports no PyTorch."""
    figures = [f"evaluation.{name}" for name in ("evaluate", "baselines", "comparison", "tables", "plots")]
    names = ", ".join([*figures, "training.report.page"])
    code = f"import sys, {names}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.stdout == b"False\n", done.stderr
