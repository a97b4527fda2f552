"""Reviews that a small BERT can learn, files of them, and the command line of a short run."""

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

WORDS = {5: ("great", "love", "perfect"), 3: ("okay", "average", "fine"), 1: ("awful", "broken", "refund")}
FILLER = ("the", "phone", "case", "a", "very", "it", "is", "and", "was", "cable", "really", "product")
RECIPE = (
    "--epochs", "2", "--learning-rate", "5e-3", "--batch-size", "8", "--tokens-max", "32", "--threads", "1",
    "--save-steps", "1000", "--precision", "fp32", "--template", "text", "--truncation", "head",
    "--layer-decay", "1", "--class-weights", "0", "--stars-weight", "0", "--warmup-ratio", "0.1",
)  # fmt: skip


@pytest.fixture(scope="package", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of these tests' own; nothing is left in the user's."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("REVIEW_SENTIMENT_CACHE", str(folder))
        yield folder


def review(stars: int, randomly: random.Random) -> dict[str, Any]:
    """A review of 2 to 40 words, of which a few tell its stars."""
    words = randomly.choices(FILLER, k=randomly.randint(1, 36)) + randomly.choices(WORDS[stars], k=4)
    randomly.shuffle(words)
    return {"reviewText": " ".join(words), "overall": float(stars)}


def write_lines(file: Path, lines: Sequence[Any]) -> Path:
    """Write records as JSON lines; strings as they are."""
    file.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return file


def fit_arguments(reviews: tuple[Path, Path], base_model: Path, output: Path) -> list[str]:
    """The command line of a short run."""
    train, held_out = map(str, reviews)
    data = ["--data", train, "--validation", held_out, "--base-model", str(base_model), "--output", str(output)]
    return ["fit", *data, *RECIPE]
