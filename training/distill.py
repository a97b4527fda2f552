"""`distill`: a small model learns from the answers of a larger one that was fine-tuned before."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp

from contract.errors import InputError
from contract.labels import LABELS
from contract.training_record import TrainingRecord
from evaluation.figures import Evaluation
from reviews.cache import intact, kept
from reviews.corpus import Corpus, without_copies
from reviews.progress import Progress
from reviews.review import UNLABELLED, Review, Reviews
from reviews.splits import split_of
from training.distillation import DistillationRecipe
from training.encoding import encode
from training.evaluate import answer
from training.fit import inputs, named, split_corpus, started_with
from training.folds import Fold, asked, learnt_by
from training.fragments import fragments
from training.losses import Distillation
from training.model import load_checkpoint
from training.processes import is_main, start, told_by_main
from training.recipe import Recipe
from training.run import run
from training.selection import EVERYTHING, Selection
from training.standards import NO_STANDARDS, Standards
from training.targets import TrainingSet
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
    distillation: DistillationRecipe,
    selection: Selection = EVERYTHING,
    unlabelled: Corpus | None = None,
    validation: Corpus | None = None,
    by: str = "stratified",
    resume: bool = False,
    standards: Standards = NO_STANDARDS,
    stated: Mapping[str, str] | None = None,
) -> Evaluation:
    """Fine-tune a student on reviews and a teacher's answers, and write the checkpoint: see `run`.

    Args:
        corpus: What to train on.
        teachers: What `fit` or `distill` wrote, from the same part of the same data; the mean of several teaches.
            A review whose fold some of them have left out (`fit --leave-out`) is answered by these alone.
        student: The base model to fine-tune: a folder or a name on the hub.
        output: The checkpoint's folder.
        recipe: The settings.
        distillation: How much the teacher counts.
        selection: What of the training part, and of the unlabelled texts, to learn.
        unlabelled: Texts whose stars are not looked at; those of other parts than `train` are left out.
        validation: As `fit` has it.
        by: As `fit` has it.
        resume: Whether to go on from the last saved step of an interrupted run.
        standards: As `fit` has it.
        stated: As `fit` has it.
    """
    known, held_out = split_corpus(corpus, validation, by, recipe.seed)
    others = Reviews.of(unlabelled_reviews(unlabelled.reviews if unlabelled else [], held_out, by))
    selection.require_known(corpus.reviews, *([unlabelled.reviews] if unlabelled else []))
    lesson, told = _lesson(corpus, known, others, teachers, recipe, distillation, selection)
    told["unlabelled"] = unlabelled.data_sheet() if unlabelled else None
    given = (corpus, validation, student, recipe, by, selection)
    return run(
        lesson, held_out, student, output, recipe,
        started_with={**started_with(*given), "distillation": told},
        record={**inputs(*given), "distillation": told, **named(stated)},
        resume=resume, standards=standards,
    )  # fmt: skip


def _lesson(
    corpus: Corpus,
    known: Reviews,
    others: Reviews,
    teachers: Sequence[Path],
    recipe: Recipe,
    distillation: DistillationRecipe,
    selection: Selection,
) -> tuple[TrainingSet, dict[str, Any]]:
    """What the student learns, and what the record tells of it."""
    train, others = selection.labelled(known), selection.of(others)
    texts = train.joined(others)
    made = fragments(texts, distillation.fragments, recipe.seed)
    reviews = texts.joined(Reviews.of(made.reviews))
    left_out = [left_out_by(one, corpus) for one in teachers]
    learnt = learnt_by(left_out, known, train, others, made) if any(left_out) else _all(reviews, teachers)
    answers = _answers(teachers, reviews, asked(learnt), bf16=is_bf16(recipe.precision))
    heat = Distillation(distillation.soft_share, distillation.temperature)
    told = {
        **asdict(distillation),
        "teachers": [_told(one, fold) for one, fold in zip(teachers, left_out, strict=True)],
        "fragments_made": len(made.reviews),
        "answered_out_of_fold": int((learnt.any(axis=1) & ~learnt.all(axis=1)).sum()),
    }
    return TrainingSet(reviews, heat, answers, selection.weights(reviews)), told


def left_out_by(teacher: Path, corpus: Corpus) -> Fold | None:
    """The fold of the corpus that a teacher has not learnt; None if it has learnt all.

    Raises:
        InputError: If it left out a fold of other files: groups, and so folds, depend on all texts.
    """
    record = TrainingRecord.read(teacher)
    fold = Fold.named(record.settings.leave_out)
    if fold and record.data.digests() != {file.sha256 for file in corpus.files}:
        names = ", ".join(file.name for file in record.data.files)
        raise InputError(
            f"{teacher} has left out the fold {record.settings.leave_out} of {names}, and which reviews these are "
            "can't be told from other files: give the same --data"
        )
    return fold


def _all(reviews: Reviews, teachers: Sequence[Path]) -> NDArray[np.bool_]:
    """Without folds every teacher counts as having learnt every text, shape (reviews, teachers)."""
    return np.ones((len(reviews), len(teachers)), dtype=np.bool_)


def _answers(
    teachers: Sequence[Path], reviews: Reviews, who: NDArray[np.bool_], *, bf16: bool
) -> NDArray[np.float32]:
    """What the teachers teach, shape (reviews, classes); `who` is asked what has the shape (reviews, teachers)."""
    answers = np.zeros((len(teachers), len(reviews), len(LABELS)), dtype=np.float32)
    for place, teacher in enumerate(teachers):
        some = np.flatnonzero(who[:, place])
        if len(some):
            answers[place, some] = teacher_answers(teacher, reviews.select(some), bf16=bf16)
    return mean_answers(answers, who)


def _told(teacher: Path, left_out: Fold | None) -> dict[str, Any]:
    fold = f"{left_out.number}/{left_out.count}" if left_out else None
    return {"name": teacher.resolve().name, "sha256": _weights_sha256(teacher), "left_out": fold}


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


def mean_answers(answers: NDArray[np.float32], who: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The logarithms of the mean probabilities of those that are asked; of a single teacher, its own logits.

    Args:
        answers: Logits, shape (teachers, reviews, classes).
        who: Whose answers count, shape (reviews, teachers), at least one's of each review.
    """
    if len(answers) == 1:
        return np.asarray(answers[0])
    logarithms = log_softmax(answers.astype(np.float64), axis=-1)
    logarithms[~who.T] = -np.inf
    counted = np.log(who.sum(axis=1))[:, None]
    return np.asarray(logsumexp(logarithms, axis=0) - counted, dtype=np.float32)


def unlabelled_reviews(reviews: Sequence[Review], held_out: Sequence[Review], by: str) -> list[Review]:
    """Texts for the teacher alone: none that is measured on, nor, parted by content, of other parts than train."""
    return [
        Review(review.text, UNLABELLED, review.category, None, review.title, review.source)
        for review in without_copies(reviews, of=held_out)
        if by != "hash" or split_of(review.text) == "train"
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
