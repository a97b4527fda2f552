"""The demo's data and model: a training part, a held-out part that it never sees, and the bundle."""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.samples import minilm_folder, rated_sentences, split_by_review, write_reviews
from training.data import LABELS, read_corpus, split

_SEED = 2018
# What two cores fine-tune within three minutes.
_SAMPLE_RECIPE = ("--epochs", "3", "--tokens-max", "128", "--batch-size", "16", "--learning-rate", "5e-5")
_REVIEWS_RECIPE = ("--epochs", "2", "--tokens-max", "128", "--batch-size", "16", "--learning-rate", "5e-5")
_REVIEWS_MAX = 1200
_HELD_OUT_MAX = 600


@dataclass(frozen=True)
class HeldOut:
    """A text that the model was not trained on, as a review event, with its true label."""

    identity: str
    text: str
    label: str

    def event(self, repeat: int) -> bytes:
        """An Amazon review record under a new id for each repeat."""
        return json.dumps({"reviewerID": f"{self.identity}#{repeat}", "reviewText": self.text}).encode()


@dataclass(frozen=True)
class Material:
    """What the demo streams and the bundle that scores it."""

    held_out: list[HeldOut]
    checkpoint: Path
    bundle: Path
    labels_from: str


def prepare(folder: Path, reviews: Sequence[Path]) -> Material:
    """Split the data, fine-tune and export, in a folder that is made anew.

    Raises:
        SampleUnavailableError: If the sample can't be fetched.
        TrainingError: If the user's own files can't be used.
        subprocess.CalledProcessError: If training or export fails; it has said why.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    training_file, validation_file = folder / "training.jsonl", folder / "held-out.jsonl"
    if reviews:
        held_out, labels_from = _split_reviews(reviews, training_file, validation_file), "stars"
    else:
        held_out, labels_from = _split_sentences(training_file, validation_file), "the mean of 20 people's ratings"
    checkpoint, bundle = folder / "checkpoint", folder / "bundle"
    fit = ["fit", "--data", training_file, "--validation", validation_file, "--base-model", minilm_folder()]
    _run("training", *fit, "--output", checkpoint, *(_REVIEWS_RECIPE if reviews else _SAMPLE_RECIPE))
    _run("export", "--checkpoint", checkpoint, "--output", bundle, "--name", "demo", "--texts", validation_file)
    return Material(held_out, checkpoint, bundle, labels_from)


def _split_sentences(training_file: Path, validation_file: Path) -> list[HeldOut]:
    training, tested = split_by_review(rated_sentences())
    write_reviews(training, training_file)
    write_reviews(tested, validation_file)
    return [HeldOut(sentence.sentence_id, sentence.text, sentence.label) for sentence in tested]


def _split_reviews(reviews: Sequence[Path], training_file: Path, validation_file: Path) -> list[HeldOut]:
    shuffled = random.Random(_SEED)
    training, tested = (
        part.select(shuffled.sample(range(len(part)), min(limit, len(part))))
        for part, limit in zip(
            split(read_corpus(reviews).reviews, seed=_SEED), (_REVIEWS_MAX, _HELD_OUT_MAX), strict=True
        )
    )
    stars = dict(zip(LABELS, (3, 5, 1), strict=True))
    for part, file in ((training, training_file), (tested, validation_file)):
        lines = [{"reviewText": item.text, "overall": stars[LABELS[item.label]]} for item in part]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return [HeldOut(f"review-{n}", item.text, LABELS[item.label]) for n, item in enumerate(tested)]


def _run(module: str, *arguments: object) -> None:
    subprocess.run([sys.executable, "-m", module, *map(str, arguments)], check=True)
