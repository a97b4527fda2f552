"""What a model has to beat."""

import sys

import pytest

from contract.errors import InputError
from evaluation.baselines import baselines
from reviews.review import Review


def test_baselines_answer_what_they_should() -> None:
    """One answer to all; VADER by its lexicon; TF-IDF what it learnt, though not from the texts it is asked."""
    asked = [Review("great love it", 1, ""), Review("fine great", 1, ""), Review("The cable is 2 m.", 0, "")]
    asked += [Review("awful, horrible", 2, "")]
    train = [Review("great love", 1, ""), Review("cable is", 0, ""), Review("awful", 2, "")]
    train += [Review("AWFUL - horrible!", 1, "")] * 50  # a copy of what is asked, with another label

    answers, left_out = baselines(asked, train)

    assert answers["majority class"].tolist() == [1, 1, 1, 1]
    assert answers["VADER"].tolist() == [1, 1, 0, 2]
    assert answers["TF-IDF + logistic regression"].tolist() == [1, 1, 0, 2]
    assert left_out == []


def test_a_baseline_that_can_not_be_had_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without VADER's package or texts to learn from, the others stand alone and a line says what to do."""
    monkeypatch.setitem(sys.modules, "vaderSentiment.vaderSentiment", None)
    answers, left_out = baselines([Review("x", 1, "")], None)
    assert list(answers) == ["majority class"]
    assert [line.split(": ")[1] for line in left_out] == [
        "install vaderSentiment to have it", "give --train-data to have it",
    ]  # fmt: skip


def test_a_baseline_needs_every_class() -> None:
    """What is left of the training texts without those that are asked must hold each class."""
    asked = [Review("cable", 0, "")]
    with pytest.raises(InputError, match="no neutral review of --train-data is left"):
        baselines(asked, [Review("Cable!", 0, ""), Review("good", 1, ""), Review("bad", 2, "")])
