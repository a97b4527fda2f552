"""Figures and records as a run leaves them, for what is written about them."""

import math
import random
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from evaluation.evaluate import evaluate_logits, summarise
from evaluation.figures import Evaluation
from evaluation.history import History
from reviews.review import Review

HOSTILE = '<script>alert("x")</script> | `a` & *b* [c](javascript:d)'


@cache
def sample_evaluation() -> Evaluation:
    """Figures of a mediocre classifier on 600 texts of three categories, which all say "secret", and baselines."""
    randomly, draw = random.Random(1), np.random.default_rng(1)
    reviews = [
        Review(f"secret {'word ' * randomly.choice((3, 30, 500))}{number}", label, category, stars)
        for number, (label, stars) in enumerate(randomly.choices(((0, 3.0), (1, 5.0), (2, 1.0)), k=600))
        for category in [randomly.choice(("Books", "Cables", HOSTILE))]
    ]
    labels = np.array([review.label for review in reviews])
    logits = (3 * (np.eye(3)[labels] + draw.normal(0, 0.8, (600, 3)))).astype(np.float32)
    answers = {"majority class": labels * 0 + 1, "VADER": (labels + 1) // 2}
    return replace(
        evaluate_logits(reviews, logits),
        baselines={name: summarise(labels, given) for name, given in answers.items()},
        baselines_left_out=["TF-IDF is left out: & so on"],
    )


def sample_record() -> dict[str, Any]:
    """What `training.json` holds of a run with early stopping, of files with an odd name."""
    files = [{"name": f"{HOSTILE}.jsonl", "sha256": "ab" * 32, "reviews": 1234}]
    sheet = {
        "files": files,
        "reviews": 1234,
        "by_class": {"positive": 1000, "neutral": 200, "negative": 34},
        "by_category": {"Books": 1000, HOSTILE: 234},
        "by_source": {
            "shop": {
                "reviews": 1000,
                "stars": {"1": 34, "5": 966},
                "words_mean": 8.5,
                "copies": 3,
                "near_elsewhere": 77,
            },
            HOSTILE: {"reviews": 234, "stars": {"3": 234}, "words_mean": 40.0, "copies": 0, "near_elsewhere": 2},
        },
        "with_title": 900,
        "star_titles": 123,
        "rejected": {"no text": 7},
        "rejected_first": {"no text": "a.jsonl:3"},
        "odd": {},
        "odd_first": {},
        "categories": "all",
    }
    return {
        "base_model": "tiny-bert",
        "settings": {"epochs": 3.0, "tokens_max": 64, "seed": 2018, "early_stopping": 2, "group_by_length": False},
        "split": "hash",
        "data": sheet,
        "validation_data": None,
        "parts": {"training": {"positive": 900, "negative": 90}, "validation": {"neutral": 10}},
        "steps": 30,
        "best_step": 20,
        "versions": {"torch": "2.9"},
        "processor": "Some CPU",
        "elapsed_s": 3725.0,
        "finished_at": "2026-11-23T10:00:00+00:00",
    }


@pytest.fixture
def evaluation() -> Evaluation:
    """Figures of a run."""
    return sample_evaluation()


@pytest.fixture
def record() -> dict[str, Any]:
    """A record, to be changed at will."""
    return sample_record()


HISTORY = History.of([
    *({"step": step, "loss": 1 / step, "learning_rate": 1e-5 * step} for step in range(1, 31)),
    {"step": 10, "eval_loss": 0.5, "eval_macro_f1": 0.6},
    {"step": 20, "eval_loss": 0.6, "eval_macro_f1": 0.65},
    {"step": 30, "eval_loss": math.nan, "eval_macro_f1": 0.64},
])  # fmt: skip
