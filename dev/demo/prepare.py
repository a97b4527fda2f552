"""The demo's data and model: parts to train on, to calibrate on and to test on, and the bundle."""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contract.labels import LABELS
from dev.samples import ENCODERS, encoder_folder, rated_sentences, split_by_review, write_reviews
from reviews.corpus import read_corpus, stratified_split

_SEED = 2018
_BASE_MODEL = "bge-small-en-v1.5"
# What two cores fine-tune within three minutes.
_RECIPE = (
    "--tokens-max", "128", "--batch-size", "16", "--learning-rate", "1e-4", "--layer-decay", "0.9",
    "--class-weights", "0.5", "--stars-weight", "0", "--truncation", "head", "--warmup-ratio", "0.1",
)  # fmt: skip
_PRECISION = "0.9"
_MACRO_F1_MIN = "0.6"  # what a demo may call good enough; yours is for you to say
_CALIBRATION_SHARE = 0.12  # of what is not held out
_REVIEWS_MAX = 1200
_HELD_OUT_MAX = 600


@dataclass(frozen=True)
class HeldOut:
    """A text that the model was not trained on, as a review event, with its true label."""

    identity: str
    text: str
    label: str
    title: str | None = None

    def event(self, repeat: int) -> bytes:
        """An Amazon review record under a new id for each repeat."""
        title = {"summary": self.title} if self.title else {}
        return json.dumps({"reviewerID": f"{self.identity}#{repeat}", "reviewText": self.text, **title}).encode()


@dataclass(frozen=True)
class Material:
    """What the demo streams and the bundle that scores it."""

    held_out: list[HeldOut]
    checkpoint: Path
    bundle: Path
    labels_from: str


def prepare(folder: Path, reviews: Sequence[Path]) -> Material:
    """Split the data, fine-tune and export, in a folder that is emptied first.

    Raises:
        SampleUnavailableError: If the sample can't be fetched.
        InputError: If the user's own files can't be used.
        subprocess.CalledProcessError: If training or export fails; it has said why.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = tuple(folder / f"{part}.jsonl" for part in ("training", "calibration", "held-out"))
    training_file, calibration_file, held_out_file = files
    if reviews:
        held_out, labels_from = _split_reviews(reviews, files), "stars"
    else:
        held_out, labels_from = _split_sentences(files), "the mean of 20 people's ratings"
    checkpoint, bundle = folder / "checkpoint", folder / "bundle"
    fit = ["fit", "--data", training_file, "--validation", held_out_file, "--output", checkpoint]
    varying = ["--epochs", 2] if reviews else ["--epochs", 3, "--template", "text"]
    base = ["--base-model", encoder_folder(_BASE_MODEL), "--base-model-name", ENCODERS[_BASE_MODEL].origin]
    judged = ["--baselines", "--macro-f1-min", _MACRO_F1_MIN, "--name", "demo"]
    judged += [] if reviews else ["--license", "mit"]  # of the base model and of the sentences
    _run("training", *fit, *base, *varying, *_RECIPE, *judged)
    calibration = ["--calibration", calibration_file, "--calibration-part", "all", "--precision", _PRECISION]
    export = ["--checkpoint", checkpoint, "--output", bundle, "--name", "demo", "--texts", held_out_file]
    _run("export", "bundle", *export, *calibration)
    return Material(held_out, checkpoint, bundle, labels_from)


def _split_sentences(files: Sequence[Path]) -> list[HeldOut]:
    others, tested = split_by_review(rated_sentences())
    training, calibration = split_by_review(others, _CALIBRATION_SHARE)
    for part, file in zip((training, calibration, tested), files, strict=True):
        write_reviews(part, file)
    return [HeldOut(sentence.sentence_id, sentence.text, sentence.label) for sentence in tested]


def _split_reviews(reviews: Sequence[Path], files: Sequence[Path]) -> list[HeldOut]:
    shuffled = random.Random(_SEED)
    others, tested = stratified_split(read_corpus(reviews).reviews, seed=_SEED)
    training, calibration = stratified_split(others, _CALIBRATION_SHARE, _SEED)
    limits = _REVIEWS_MAX, int(_REVIEWS_MAX * _CALIBRATION_SHARE), _HELD_OUT_MAX
    training, calibration, tested = (
        part.select(shuffled.sample(range(len(part)), min(limit, len(part))))
        for part, limit in zip((training, calibration, tested), limits, strict=True)
    )
    stars = dict(zip(LABELS, (3, 5, 1), strict=True))
    for part, file in zip((training, calibration, tested), files, strict=True):
        lines = [
            {"reviewText": item.text, "overall": stars[LABELS[item.label]], "summary": item.title} for item in part
        ]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return [HeldOut(f"review-{n}", item.text, LABELS[item.label], item.title) for n, item in enumerate(tested)]


def _run(module: str, *arguments: object) -> None:
    subprocess.run([sys.executable, "-m", module, *map(str, arguments)], check=True)
