"""A tiny BERT, reviews that it can learn, and a checkpoint made of both."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.review_files import cache, fit_arguments, review, write_lines
from tests.tiny_base_model import base_model
from training.__main__ import main

__all__ = ["base_model", "cache"]

Write = Callable[[Path, Sequence[Any]], Path]


@pytest.fixture(scope="session")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Files of 150 reviews to train on and 45 to measure on, with two bad lines in the first."""
    folder, randomly = tmp_path_factory.mktemp("reviews"), random.Random(5)
    train = [review((5, 3, 1)[number % 3], randomly) for number in range(150)]
    held_out = [review((5, 3, 1)[number % 3], randomly) for number in range(45)]
    bad = ['{"reviewText": "no stars"}', "{"]
    return write_lines(folder / "train.jsonl", [*train, *bad]), write_lines(folder / "held-out.jsonl", held_out)


@pytest.fixture(scope="session")
def checkpoint(reviews: tuple[Path, Path], base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an uninterrupted run wrote; not to be changed."""
    output = tmp_path_factory.mktemp("fitted") / "checkpoint"
    assert main(fit_arguments(reviews, base_model, output)) == 0
    return output
