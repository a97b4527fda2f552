"""Labelled reviews that a bundle is calibrated or measured on, and whether the model may have seen them before."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from contract.errors import InputError, UsageError
from contract.fields import Fields
from contract.labels import LABELS
from contract.training_record import DataSheet, ReviewFile, TrainingRecord
from reviews.corpus import Corpus, distinct, read_corpus, without_copies
from reviews.review import Review, Reviews
from reviews.seen import seen_in
from reviews.splits import EVERY_PART, SPLITS


@dataclass(frozen=True)
class Source:
    """Review files, the split that is wanted (of `reviews.splits.PARTS`), and the flags that said so."""

    files: Sequence[Path]
    split: str
    flag: str
    part_flag: str


@dataclass(frozen=True)
class Labelled:
    """Reviews with their classes, each text once.

    Attributes:
        reviews: At least one of each class.
        source: Where they were asked for.
        files: Name and SHA-256 of each file.
        left_out: How many were left out, by reason.
    """

    reviews: Sequence[Review]
    source: Source
    files: list[ReviewFile]
    left_out: dict[str, int]

    def texts(self) -> list[Fields]:
        """The reviews, as the worker's encoder takes them."""
        return [Fields(review.text, getattr(review, "title", None)) for review in self.reviews]

    def keys(self) -> NDArray[np.uint64]:
        """Hashes of the texts, shape (reviews,), as `Reviews.keys` has them."""
        return Reviews.of(self.reviews).keys

    def sheet(self) -> dict[str, JsonValue]:
        """What may be told of them: no text."""
        return {
            "part": self.source.split,
            "files": [{"name": file.name, "sha256": file.sha256} for file in self.files],
            "texts": len(self.reviews),
            "by_class": dict(Counter(LABELS[review.label] for review in self.reviews)),
            "left_out": dict(self.left_out),
        }


def read_reviews(files: Sequence[Path], flag: str, *, warn: Callable[[str], None], starred: bool = True) -> Corpus:
    """Read all of some review files.

    Args:
        files: As training takes them.
        flag: That named them.
        warn: Is told of lines that can't be used, or are odd.
        starred: Whether a review needs stars.

    Raises:
        InputError: If a file can't be read, or nothing in them is usable.
    """
    corpus = read_corpus(files, starred=starred)
    for remark in corpus.remarks():
        warn(f"{flag}: {remark}")
    return corpus


def read_labelled(
    source: Source,
    *,
    warn: Callable[[str], None],
    but: Iterable[Fields] = (),
    texts_max: int | None = None,
) -> Labelled:
    """Read one part of review files.

    Args:
        source: The files, as training takes them, and the split.
        warn: Is told of lines that can't be used.
        but: Texts to leave out.
        texts_max: Of more texts so many are chosen by their hash, so that the order of files and lines is nothing.

    Raises:
        UsageError: If a file can't be read, or the part lacks reviews of a class.
    """
    try:
        corpus = read_reviews(source.files, source.flag, warn=warn)
        wanted = _split(corpus, source.split)
        if not wanted.reviews:
            raise UsageError(
                f"no review of {source.flag} is of the part {source.split!r}: give more reviews, or, if the model "
                f"has seen none of these, {source.part_flag} all."
            )
        once = distinct(wanted.reviews)
        apart = without_copies(once, of=[Review(fields.text, 0, "") for fields in but])
        if not apart:
            raise UsageError(
                f"all {len(once)} texts of {source.flag} are in the bundle or used for calibration: give others."
            )
        chosen = apart if texts_max is None else apart.select(np.argsort(apart.keys)[:texts_max])
        replace(wanted, reviews=chosen).require_classes()
    except InputError as error:
        raise UsageError(f"{source.flag}, part {source.split!r}: {error}") from error
    left_out = {
        "of other parts": len(corpus.reviews) - len(wanted.reviews),
        "copies": len(wanted.reviews) - len(once),
        "used otherwise": len(once) - len(apart),
        "more than are needed": len(apart) - len(chosen),
    }
    return Labelled(chosen, source, corpus.files, left_out)


def doubts(labelled: Labelled, provenance: Mapping[str, JsonValue]) -> Iterator[str]:
    """Why the model may have seen some of these texts: then its figures on them are better than on new ones.

    Args:
        labelled: The texts.
        provenance: `training`, and of a finished bundle `calibration`, as the manifest has them.
    """
    training = TrainingRecord.of(provenance.get("training"))
    calibration = DataSheet.of(provenance.get("calibration"))
    split, source = training.split, labelled.source
    keys = labelled.keys()
    if source.split != EVERY_PART and split != "hash":
        said = f"says that its data was split {split!r}" if split else "does not say how its data was split"
        yield (
            f"the checkpoint {said}, not by 'hash', so the part {source.split!r} of {source.flag} may hold texts "
            "that trained it, and figures on them may be too good. Name reviews that it has not seen, with "
            f"{source.part_flag} all."
        )
    if source.split == EVERY_PART and (seen := seen_in(training.sheets(), labelled.files, keys)):
        yield (
            f"{seen} of {source.flag} trained this checkpoint or were measured on while it was trained, so "
            "figures on it may be too good: name reviews that it has not seen."
        )
    if source.split in ("calibration", EVERY_PART) and (seen := seen_in([calibration], labelled.files, keys)):
        yield (f"the bundle was calibrated on {seen} of {source.flag}: its calibration looks better than it is.")


def _split(corpus: Corpus, name: str) -> Corpus:
    """One split of a corpus, without what is copied from another, or all of it."""
    split = next((split for split in SPLITS if split == name), None)
    return corpus.split(split) if split else corpus
