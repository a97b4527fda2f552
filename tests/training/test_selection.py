"""What is learnt of the training part, and how much it counts."""

import argparse
import json
import random
import shlex
from pathlib import Path

import numpy as np
import pytest

from contract.errors import InputError
from contract.training_record import TrainingRecord
from reviews.corpus import read_corpus
from reviews.review import Review, Reviews
from tests.review_files import fit_arguments, review, write_lines
from training.__main__ import main
from training.fit import started_with
from training.recipe import Recipe
from training.report.reproduce import command
from training.selection import EVERYTHING, Selection, named_weight

Files = tuple[Path, Path]
REVIEWS = Reviews.of(
    Review(f"text {number} of {source}", number % 3, "", source=source)
    for source, count in (("a", 30), ("b", 60))
    for number in range(count)
)


def sources(reviews: Reviews) -> dict[str, int]:
    ids, names = reviews.sources
    return dict(zip(names, np.bincount(ids).tolist(), strict=True))


def test_everything_is_the_default() -> None:
    """Then the reviews are as they were, and each counts the same."""
    assert list(EVERYTHING.of(REVIEWS)) == list(REVIEWS)
    assert EVERYTHING.weights(REVIEWS) is None


def test_weights_leave_the_scale_of_the_loss() -> None:
    """Their mean over the rows is 1 and their ratio is what was asked for; a source of weight 0 is left out."""
    weights = Selection((("b", 2.0),)).weights(REVIEWS)
    assert weights is not None
    assert weights.mean() == pytest.approx(1)
    assert weights[-1] == pytest.approx(2 * weights[0])
    alone = Selection((("a", 3.0), ("b", 0.0)))
    assert sources(alone.of(REVIEWS)) == {"a": 30}
    assert alone.weights(alone.of(REVIEWS)) is None, "all of them count the same"


def test_a_cap_chooses_by_content() -> None:
    """At most so many of each source, the same ones in whatever order they come; a larger cap takes them too."""
    chosen = Selection(source_cap=20).of(REVIEWS)
    assert sources(chosen) == {"a": 20, "b": 20}
    assert set(Selection(source_cap=20).of(REVIEWS[::-1])) == set(chosen)
    assert set(chosen) < set(Selection(source_cap=40).of(REVIEWS))
    assert sources(Selection(source_cap=40).of(REVIEWS)) == {"a": 30, "b": 40}


def test_folds_are_left_out_once() -> None:
    """Each review is left out by one of N; a cap takes the same reviews for all."""
    of_all = [Selection(leave_out=f"{number}/3").of(REVIEWS) for number in (1, 2, 3)]
    assert min(len(REVIEWS) - len(learnt) for learnt in of_all) > len(REVIEWS) // 6
    for one in REVIEWS:
        assert sum(one in learnt for learnt in map(list, of_all)) == 2
    capped = [Selection(source_cap=20, leave_out=f"{number}/2").of(REVIEWS) for number in (1, 2)]
    assert {*capped[0], *capped[1]} == set(Selection(source_cap=20).of(REVIEWS))


@pytest.mark.parametrize("word", ["3", "0/3", "4/3", "1/1", "a/b", "1/3/5", "-1/3", "1/2 "])
def test_a_fold_is_one_of_several(word: str) -> None:
    """K of N, from 1 to N, of at least two."""
    with pytest.raises(InputError, match="--leave-out must be K/N"):
        Selection(leave_out=word)


def test_an_unknown_source_is_told() -> None:
    """The message lists those that are there; those of any of the given reviews are known."""
    with pytest.raises(InputError, match=r"source c: there are a \(30\), b \(60\)"):
        Selection((("a", 1.0), ("c", 2.0))).require_known(REVIEWS)
    Selection((("c", 1.0),)).require_known(REVIEWS, Reviews.of([Review("x", -1, "", source="c")]))


def test_a_class_is_not_left_out_unseen() -> None:
    """A selection that leaves no review of a class trains nothing of it."""
    with pytest.raises(InputError, match="no negative review is left"):
        EVERYTHING.labelled(REVIEWS.select(REVIEWS.labels != 2))


@pytest.mark.parametrize("weights", [(("a", -1.0),), (("a", float("nan")),), (("a", 1.0), ("a", 2.0))])
def test_a_weight_is_a_number_of_a_source(weights: tuple[tuple[str, float], ...]) -> None:
    """Not below 0, not infinite, and one for each source."""
    with pytest.raises(InputError, match="--source-weights"):
        Selection(weights)


def test_a_name_may_hold_the_sign() -> None:
    """The last one is the separator."""
    assert named_weight("a=b=0.5") == ("a=b", 0.5)
    for word in ("a", "=1", "a=", "a=much"):
        with pytest.raises(argparse.ArgumentTypeError, match="NAME=WEIGHT"):
            named_weight(word)


def test_a_run_records_its_selection(reviews: Files, base_model: Path, tmp_path: Path) -> None:
    """Settings and the printed command have it; the validation part is measured whole."""
    flags = ["--epochs", "0.1", "--source-weights", "train=2", "--source-cap", "90"]
    assert main([*fit_arguments(reviews, base_model, tmp_path / "checkpoint"), *flags]) == 0
    record = json.loads((tmp_path / "checkpoint/training.json").read_text())
    assert record["settings"] | {"source_weights": {"train": 2.0}, "source_cap": 90} == record["settings"]
    assert sum(record["parts"]["training"].values()) == 90
    assert sum(record["parts"]["validation"].values()) == 45
    words = shlex.split(command("again", TrainingRecord.model_validate(record)))
    assert words[words.index("--source-weights") + 1] == "train=2.0"
    assert words[words.index("--source-cap") + 1] == "90"


def test_an_unknown_source_ends_a_run(
    reviews: Files, base_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before any step, with code 2."""
    arguments = [*fit_arguments(reviews, base_model, tmp_path / "checkpoint"), "--source-weights", "other=0"]
    assert main(arguments) == 2
    assert "there are train (150)" in capsys.readouterr().err


def test_a_resumed_run_has_the_same_selection(reviews: Files, base_model: Path) -> None:
    """What a run was started with holds the selection, as JSON gives it back."""
    corpus = read_corpus([reviews[0]])
    given = (corpus, None, str(base_model), Recipe(), "hash")
    one, other = (started_with(*given, one) for one in (Selection((("train", 2.0),), 9, "1/3"), EVERYTHING))
    assert {name for name in one if one[name] != other[name]} == {"source_weights", "source_cap", "leave_out"}
    assert json.loads(json.dumps(one)) == one


def test_weights_reach_the_loss(base_model: Path, tmp_path: Path) -> None:
    """A source that says the contrary of another is outvoted by it where it weighs next to nothing."""
    randomly = random.Random(5)
    told = [review((5, 3, 1)[number % 3], randomly) for number in range(240)]
    wrong = [one | {"overall": {5.0: 1, 3.0: 5, 1.0: 3}[one["overall"]]} for one in told[:120]]
    lines = [one | {"source": "right"} for one in told[120:]] + [one | {"source": "wrong"} for one in wrong]
    files = write_lines(tmp_path / "train.jsonl", lines), write_lines(tmp_path / "held-out.jsonl", told[:45])
    scores = {}
    for name, weight in (("little", "0.01"), ("much", "20")):
        flags = ["--source-weights", f"wrong={weight}", "--epochs", "4"]
        assert main([*fit_arguments(files, base_model, tmp_path / name), *flags]) == 0
        scores[name] = json.loads((tmp_path / name / "metrics.json").read_text())["macro_f1"]
    assert scores["little"] > 0.8
    assert scores["much"] < 0.2
