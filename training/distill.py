"""`distill`: a small model learns from the answers of a larger one that was fine-tuned before."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp

from reviews.cache import intact, kept
from reviews.corpus import Corpus, without_copies
from reviews.progress import Progress
from reviews.review import UNLABELLED, Review, Reviews
from reviews.splits import part_of
from training.distillation import Teaching
from training.encoding import encode
from training.evaluate import answer
from training.fit import inputs, parts, started_with
from training.fragments import fragments
from training.losses import Distillation
from training.model import load_checkpoint
from training.processes import is_main, start, told_by_main
from training.recipe import Recipe
from training.run import run
from training.selection import EVERYTHING, Selection
from training.targets import Lesson
from training.trainer import is_bf16

_WEIGHTS_FILE = "model.safetensors"
_ANSWERS_FILE = "logits.npy"


def distill(
    corpus: Corpus,
    *,
    teachers: Sequence[Path],
    student: str,
    output: Path,
    recipe: Recipe,
    teaching: Teaching,
    selection: Selection = EVERYTHING,
    unlabelled: Corpus | None = None,
    validation: Corpus | None = None,
    by: str = "stratified",
    resume: bool = False,
) -> dict[str, Any]:
    """Fine-tune a student on reviews and a teacher's answers, and write the checkpoint: see `run`.

    Args:
        corpus: What to train on.
        teachers: What `fit` or `distill` wrote, from the same part of the same data; the mean of several teaches.
        student: The base model to fine-tune: a folder or a name on the hub.
        output: The checkpoint's folder.
        recipe: The settings.
        teaching: How much the teacher counts.
        selection: What of the training part, and of the unlabelled texts, to learn.
        unlabelled: Texts whose stars are not looked at; those of other parts than `train` are left out.
        validation: As `fit` has it.
        by: As `fit` has it.
        resume: Whether to go on from the last saved step of an interrupted run.
    """
    train, held_out = parts(corpus, validation, by, recipe.seed)
    others = Reviews.of(unlabelled_reviews(unlabelled.reviews if unlabelled else [], held_out, by))
    selection.require_known(corpus.reviews, *([unlabelled.reviews] if unlabelled else []))
    texts = selection.labelled(train).joined(selection.of(others))
    reviews = texts.joined(Reviews.of(fragments(texts, teaching.fragments, recipe.seed)))
    answers = mean_answers([teacher_answers(one, reviews, bf16=is_bf16(recipe.precision)) for one in teachers])
    heat = Distillation(teaching.soft_share, teaching.temperature)
    lesson = Lesson(reviews, heat, answers, selection.weights(reviews))
    told = {
        **asdict(teaching),
        "teachers": [{"name": one.resolve().name, "sha256": _weights_sha256(one)} for one in teachers],
        "unlabelled": unlabelled.data_sheet() if unlabelled else None,
        "fragments_made": len(reviews) - len(texts),
    }
    given = (corpus, validation, student, recipe, by, selection)
    return run(
        lesson, held_out, student, output, recipe,
        started_with={**started_with(*given), "distillation": told},
        record={**inputs(*given), "distillation": told},
        resume=resume,
    )  # fmt: skip


def teacher_answers(teacher: Path, reviews: Sequence[Review], *, bf16: bool) -> NDArray[np.float32]:
    """A teacher's logits, shape (reviews, classes), computed once and then kept in the cache.

    Raises:
        InputError: If the folder is no checkpoint of ours.
    """
    start()
    tokenizer, model, encoding = load_checkpoint(teacher)
    rows = encode(tokenizer, reviews, encoding)

    def ask(folder: Path) -> None:
        with Progress() as progress:
            logits = answer(model, tokenizer, rows, progress, what="the teacher", bf16=bf16)
        np.save(folder / _ANSWERS_FILE, logits)

    key = _key(teacher, rows, bf16=bf16)
    folder = told_by_main(kept("teachers", key, ask) if is_main() else None)  # the others wait for it
    with intact(folder):
        answers: NDArray[np.float32] = np.load(folder / _ANSWERS_FILE)
    return answers


def mean_answers(answers: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The logarithms of the mean probabilities of several teachers' logits (reviews, classes); of one, its own."""
    if len(answers) == 1:
        return answers[0]
    logarithms = log_softmax(np.stack(answers).astype(np.float64), axis=-1)
    mean: NDArray[np.float32] = (logsumexp(logarithms, axis=0) - np.log(len(answers))).astype(np.float32)
    return mean


def unlabelled_reviews(reviews: Sequence[Review], held_out: Sequence[Review], by: str) -> list[Review]:
    """Texts for the teacher alone: none that is measured on, nor, parted by content, of other parts than train."""
    return [
        Review(review.text, UNLABELLED, review.category, None, review.title, review.source)
        for review in without_copies(reviews, of=held_out)
        if by != "hash" or part_of(review.text) == "train"
    ]


def _key(teacher: Path, rows: Sequence[Sequence[int]], *, bf16: bool) -> str:
    """What the answers depend on: the weights, the token ids, and the precision."""
    digest = hashlib.sha256(f"{_weights_sha256(teacher)} {bf16}".encode())
    for row in rows:
        digest.update(np.asarray([len(row), *row], dtype=np.int32).tobytes())
    return digest.hexdigest()


def _weights_sha256(teacher: Path) -> str:
    with (teacher / _WEIGHTS_FILE).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
