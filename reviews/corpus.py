"""From review files to labelled texts in splits, with an account of everything that was left out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from contract.errors import InputError
from contract.labels import LABELS, STARS_OF_LABEL
from contract.training_record import ReviewFile
from reviews.duplicates import contradicting, firsts
from reviews.ingestion import Account, Tally, ingest
from reviews.review import UNLABELLED, Review, Reviews
from reviews.seen import sketch_of
from reviews.sources import by_source
from reviews.splits import SPLITS, Split


@dataclass
class Corpus:
    """The usable reviews of some files, and what was left out: by reason, with the first place of each.

    Attributes:
        reviews: Read from disk as they are looked at.
        rejected: Lines that can't be used, by reason.
        first_place: `file:line` of the first line of each reason and oddity.
        files: Name, sha256 and number of usable lines of each file.
        odd: Lines that are used though something about them is odd, by what it is.
        chosen: The categories that were asked for; empty for all.
        name: The split that this is; None for the whole.
        apart: Of a split: reviews that were left out of it, by reason.
    """

    reviews: Reviews = field(default_factory=lambda: Reviews.of([]))
    rejected: Counter[str] = field(default_factory=Counter)
    first_place: dict[str, str] = field(default_factory=dict)
    files: list[ReviewFile] = field(default_factory=list)
    odd: Counter[str] = field(default_factory=Counter)
    chosen: Sequence[str] = ()
    name: Split | None = None
    apart: Counter[str] = field(default_factory=Counter)

    def left_out(self) -> list[str]:
        """A phrase for each reason why lines, or reviews of this part, were left out."""
        lines = [
            f"{count} line{'s' * (count > 1)} left out: {reason}, first {self.first_place[reason]}"
            for reason, count in self.rejected.items()
        ]
        return lines + [
            f"{count} review{'s' * (count > 1)} left out of the {self.name} part: {reason}"
            for reason, count in self.apart.items()
        ]

    def remarks(self) -> list[str]:
        """What a user should know of the files: what was left out, and what is odd and used all the same."""
        odd = [
            f"{count} line{'s' * (count > 1)} with {what}, first {self.first_place[what]}"
            for what, count in self.odd.items()
        ]
        if count := self.contradicting:
            odd.append(f"{count} text{'s' * (count > 1)} with stars of more than one class")
        return [*self.left_out(), *odd]

    @cached_property
    def contradicting(self) -> int:
        """How many texts have copies whose stars are of another class."""
        return contradicting(self.reviews.keys, self.reviews.labels)

    def require_classes(self) -> None:
        """Check that there is a review of each class, without which neither training nor figures mean anything.

        Raises:
            InputError: If a class is missing.
        """
        counts = _by_class(self.reviews)
        for label, name in enumerate(LABELS):
            if not counts[name]:
                found = ", ".join(f"{count} {other}" for other, count in counts.items()) or "none at all"
                names = ", ".join(file.name for file in self.files)
                where = f"the {self.name} part of {names}" if self.name else names
                raise InputError(
                    f"no {name} review ({STARS_OF_LABEL[label]} stars) in {where}, only {found}: add files that "
                    f"have some. {_sentence(self.left_out())}".strip()
                )

    def split(self, name: Split) -> "Corpus":
        """One of `SPLITS`: what no other one holds in the same or nearly the same words.

        A group of copies and near duplicates (see `reviews.duplicates`) stays in the split of the highest
        priority that any of it belongs to, and is left out of the others. Of copies within the train split, the
        first stays.

        Raises:
            ValueError: If there is no such split.
        """
        keys, here = self.reviews.keys, self.reviews.splits == SPLITS.index(name)
        places = np.flatnonzero(here & self._apart_from_others)
        gone = np.flatnonzero(here & ~self._apart_from_others)
        copies = int(np.isin(keys[gone], keys[self.reviews.splits > SPLITS.index(name)]).sum())
        once = places[firsts(keys[places])] if name == "train" else places
        apart = {
            "copied from another part": copies,
            "nearly the same as one of another part": len(gone) - copies,
            "copied within the part": len(places) - len(once),
        }
        found = Counter({reason: count for reason, count in apart.items() if count})
        return replace(self, reviews=self.reviews.select(once), name=name, apart=found)

    @cached_property
    def _apart_from_others(self) -> NDArray[np.bool_]:
        """Whether each review is in the split that its group stays in, shape (reviews,)."""
        groups, splits = self.reviews.groups, self.reviews.splits
        highest = np.zeros(int(groups.max(initial=0)) + 1, dtype=np.int8)
        np.maximum.at(highest, groups, splits)
        return np.asarray(splits == highest[groups])

    def data_sheet(self) -> dict[str, Any]:
        """What is worth knowing of the data, for the report."""
        ids, names = self.reviews.categories
        counts = np.bincount(ids, minlength=len(names)).tolist()
        return {
            "files": [file.model_dump() for file in self.files],
            "reviews": len(self.reviews),
            "by_class": dict(_by_class(self.reviews)),
            "by_category": dict(zip(names, counts, strict=True)),
            "by_source": by_source(self.reviews),
            "with_title": int(self.reviews.titled.sum()),
            "star_titles": int(self.reviews.star_titled.sum()),
            "contradicting": self.contradicting,
            "rejected": dict(self.rejected),
            "rejected_first": self._first_of(self.rejected),
            "odd": dict(self.odd),
            "odd_first": self._first_of(self.odd),
            "categories": list(self.chosen) or "all",
            **({"part": self.name, "left_out_of_part": dict(self.apart)} if self.name else {}),
            "sketch": sketch_of(self.reviews.keys),
        }

    def _first_of(self, reasons: Iterable[str]) -> dict[str, str]:
        return {reason: Path(self.first_place[reason]).name for reason in reasons}


def read_corpus(files: Sequence[Path], *, categories: Sequence[str] = (), starred: bool = True) -> Corpus:
    """Read Amazon review files: JSON lines of 2014 (`reviewText`, `overall`), 2018 or 2023 (`text`, `rating`).

    What was read is kept in the cache, so that the next time is instant.

    Args:
        files: Of any size, also compressed (`.gz`).
        starred: Whether a review needs stars; else they are not looked at, and all are unlabelled.
        categories: Only reviews of these; a record's `category`, or else the beginning of its file's name.

    Raises:
        InputError: If a file can't be read, nothing in the files is usable, or there is no such category.
    """
    reviews, account = ingest(files, starred=starred)
    places = {
        reason: f"{files[tally.file]}:{tally.line}"
        for reason, tally in (*account.rejected.items(), *account.odd.items())
    }
    corpus = Corpus(
        reviews, _counts(account.rejected), places, _files(files, account), _counts(account.odd), categories
    )
    if not len(reviews):
        raise InputError(
            f"nothing usable in {', '.join(map(str, files))}: {_sentence(corpus.left_out()) or 'no lines at all.'}"
            " A line is a JSON object with `reviewText` or `text`"
            f"{', and `overall` or `rating` from 0 to 5' * starred}."
        )
    return replace(corpus, reviews=_of_categories(reviews, categories, files)) if categories else corpus


def stratified_split(
    reviews: Iterable[Review], validation_share: float = 0.2, seed: int = 2018
) -> tuple[Reviews, Reviews]:
    """A stratified training and validation part; copies and near duplicates of a text stay on one side.

    Raises:
        InputError: If a class has fewer than two different texts.
    """
    reviews = Reviews.of(reviews)
    _, first, group_of = np.unique(reviews.groups, return_index=True, return_inverse=True)
    labels = reviews.labels[first]  # a group counts as its first review
    for label, name in enumerate(LABELS):
        count = int((labels == label).sum())
        if count < 2:  # noqa: PLR2004 - one for each side
            raise InputError(
                f"only {count} different {name} text(s): each class needs at least two, one for each part"
            )
    keys = np.full(len(first), np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(keys, group_of, reviews.keys)
    order = np.argsort(keys)  # the same texts are split the same way, in whatever order they come
    _, held_out = train_test_split(
        order, test_size=max(validation_share, len(LABELS) / len(order)), stratify=labels[order], random_state=seed
    )
    chosen = np.isin(group_of, held_out)
    return reviews.select(~chosen), reviews.select(chosen)


def without_copies(reviews: Iterable[Review], of: Iterable[Review]) -> Reviews:
    """The reviews whose text does not stand in `of` too."""
    reviews = Reviews.of(reviews)
    return reviews.select(~np.isin(reviews.keys, Reviews.of(of).keys))


def distinct(reviews: Iterable[Review]) -> Reviews:
    """The first review of each text, where case, spaces and punctuation make no difference."""
    reviews = Reviews.of(reviews)
    return reviews.select(firsts(reviews.keys))


def _of_categories(reviews: Reviews, wanted: Sequence[str], files: Sequence[Path]) -> Reviews:
    ids, names = reviews.categories
    if unknown := [name for name in wanted if name not in names]:
        counts = np.bincount(ids, minlength=len(names)).tolist()
        there = ", ".join(f"{name} ({count})" for name, count in zip(names, counts, strict=True))
        raise InputError(
            f"no review of the category {' or '.join(unknown)} in {', '.join(map(str, files))}: there are {there}"
        )
    return reviews.select(np.isin(ids, [names.index(name) for name in wanted]))


def _files(files: Sequence[Path], account: Account) -> list[ReviewFile]:
    rows = zip(files, account.sha256, account.reviews, strict=True)
    return [ReviewFile(name=file.name, sha256=sha256, reviews=count) for file, sha256, count in rows]


def _counts(tallies: Mapping[str, Tally]) -> Counter[str]:
    return Counter({reason: tally.lines for reason, tally in tallies.items()})


def _by_class(reviews: Reviews) -> Counter[str]:
    labels = reviews.labels
    counts = np.bincount(labels[labels != UNLABELLED], minlength=len(LABELS)).tolist()
    return Counter({name: count for name, count in zip(LABELS, counts, strict=True) if count})


def _sentence(parts: Sequence[str]) -> str:
    return "; ".join(parts) + "." if parts else ""
