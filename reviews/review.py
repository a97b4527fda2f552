"""Reviews by the million: a sequence over memory-mapped Arrow, so that only what is looked at is loaded."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, Self, overload

import numpy as np
import pyarrow as pa
import xxhash
from datasets import Dataset, Features, Value, concatenate_datasets
from numpy.typing import NDArray

from contract.fields import gives_stars_away
from reviews.duplicates import near_groups
from reviews.splits import SPLITS, letters_and_digits, split_of

UNLABELLED = -1
"""The class id of a text whose stars are not known, or not looked at."""

BATCH = 2000  # reviews that are in memory together while all are read

FEATURES = Features({
    "text": Value("string"),
    "title": Value("string"),
    "label": Value("int8"),
    "category": Value("string"),
    "source": Value("string"),
    "stars": Value("float64"),
    "key": Value("uint64"),
    "split": Value("int8"),
    "words": Value("int32"),
})  # fmt: skip
"""The columns: those of `Review`, the hash of the text's key, the index of its split in `SPLITS`, its words."""


@dataclass(frozen=True)
class Review:
    """A text with its class id (see `LABELS`), its category, rating and title if it had them, and its source."""

    text: str
    label: int
    category: str
    stars: float | None = None
    title: str | None = None
    source: str = ""


class Reviews(Sequence[Review]):
    """Reviews in Arrow, whole or a selection; the arrays that describe them are as long as the sequence.

    Args:
        rows: Columns as `FEATURES` has them.
        indices: Which of the rows, and in what order; all of them without it.
        groups: Of each row, the group of near duplicates that it belongs to, where that is known already.
        fingerprint: Names the content of `rows` for caches; None where nothing made of it can be kept.
    """

    def __init__(
        self,
        rows: Dataset,
        indices: NDArray[np.int64] | None = None,
        groups: NDArray[np.int64] | None = None,
        fingerprint: str | None = None,
    ) -> None:
        self._rows = rows.with_format("arrow")
        self._indices = np.arange(len(rows)) if indices is None else indices
        self._groups = groups
        self._fingerprint = fingerprint

    @classmethod
    def of(cls, reviews: Iterable[Review]) -> "Reviews":
        """The same reviews in memory; `Reviews` as they are."""
        if isinstance(reviews, Reviews):
            return reviews
        return cls(Dataset(table_of(list(reviews))))

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, place: int) -> Review: ...
    @overload
    def __getitem__(self, place: slice) -> Self: ...
    def __getitem__(self, place: int | slice) -> "Review | Reviews":
        if isinstance(place, slice):
            return self.select(self._places[place])
        return _reviews(self._rows[int(self._indices[place])])[0]

    def __iter__(self) -> Iterator[Review]:
        return chain.from_iterable(map(_reviews, self._tables()))

    def texts(self) -> Iterator[str]:
        """The texts alone, in order."""
        return chain.from_iterable(table["text"].to_pylist() for table in self._tables())

    def select(self, places: Sequence[int] | NDArray[np.integer] | NDArray[np.bool_]) -> Self:
        """The reviews at these places, in this order, or those where a mask of all is true."""
        indices = self._indices[np.asarray(places) if len(places) else np.array([], dtype=np.int64)]
        return type(self)(self._rows, indices, self._groups, self._fingerprint)

    def joined(self, others: "Reviews") -> "Reviews":
        """These and then the others."""
        rows = concatenate_datasets([self._rows, others._rows])  # noqa: SLF001 - of the same class
        return Reviews(rows, np.concatenate([self._indices, others._indices + len(self._rows)]))  # noqa: SLF001

    @cached_property
    def labels(self) -> NDArray[np.int8]:
        """Class ids, shape (reviews,)."""
        return self._column("label")

    @cached_property
    def stars(self) -> NDArray[np.float32]:
        """Ratings, shape (reviews,); NaN where there is none."""
        return self._column("stars").astype(np.float32)

    @cached_property
    def keys(self) -> NDArray[np.uint64]:
        """Hashes of `text_key`, shape (reviews,): equal for copies."""
        return self._column("key")

    @cached_property
    def splits(self) -> NDArray[np.int8]:
        """What `split_of` says, as indices of `SPLITS`, shape (reviews,)."""
        return self._column("split")

    @cached_property
    def titled(self) -> NDArray[np.bool_]:
        """Whether there is a title, shape (reviews,)."""
        return np.asarray(self._rows.data.column("title").is_valid().to_numpy()[self._indices])

    @cached_property
    def star_titled(self) -> NDArray[np.bool_]:
        """Whether the title is nothing but a count of stars (`gives_stars_away`), shape (reviews,)."""
        chunks = self._rows.data.column("title").chunks  # of the whole, since that is the order on the disk
        every = (title is not None and gives_stars_away(title) for chunk in chunks for title in chunk.to_pylist())
        return np.fromiter(every, dtype=np.bool_, count=len(self._rows))[self._indices]

    @property
    def groups(self) -> NDArray[np.int64]:
        """Shape (reviews,): equal for copies, near duplicates, and what they link (see `near_groups`)."""
        return self._groups_of_rows()[self._indices]

    @property
    def group_keys(self) -> NDArray[np.uint64]:
        """The least key of each review's group, shape (reviews,): names it, in whatever order the texts come.

        What is not selected counts too, so that a selection has the groups of the whole.
        """
        groups, keys = self._groups_of_rows(), self._rows.data.column("key").to_numpy()
        least = np.full(len(groups), np.iinfo(np.uint64).max, dtype=np.uint64)
        np.minimum.at(least, groups, keys)
        return np.asarray(least[groups[self._indices]])

    @cached_property
    def words(self) -> NDArray[np.int32]:
        """How many words the text has, shape (reviews,)."""
        return self._column("words")

    @cached_property
    def categories(self) -> tuple[NDArray[np.int64], list[str]]:
        """Indices of the names, shape (reviews,), and the names that occur, in order."""
        return self._names("category")

    @cached_property
    def sources(self) -> tuple[NDArray[np.int64], list[str]]:
        """As `categories`: where each review was published or collected."""
        return self._names("source")

    def _names(self, column: str) -> tuple[NDArray[np.int64], list[str]]:
        coded = self._rows.data.column(column).dictionary_encode().combine_chunks()
        every = np.array(coded.dictionary.to_pylist(), dtype=object)
        used, ids = np.unique(coded.indices.to_numpy()[self._indices], return_inverse=True)
        names = every[used]
        order = np.argsort(names)
        return np.argsort(order)[ids], names[order].tolist()

    @property
    def fingerprint(self) -> str | None:
        """Names this very sequence for caches; None if it came from memory."""
        if self._fingerprint is None:
            return None
        return f"{self._fingerprint}-{xxhash.xxh3_128_hexdigest(self._indices.tobytes())}"

    @property
    def _places(self) -> NDArray[np.int64]:
        return np.arange(len(self))

    def _groups_of_rows(self) -> NDArray[np.int64]:
        if self._groups is None:
            every = type(self)(self._rows)
            self._groups = near_groups(every.keys, lambda places: every.select(places).texts())
        return self._groups

    def _tables(self) -> Iterator[pa.Table]:
        for start in range(0, len(self), BATCH):
            yield self._rows[self._indices[start : start + BATCH]]

    def _column(self, name: str) -> NDArray[Any]:
        return np.asarray(self._rows.data.column(name).to_numpy()[self._indices])


def table_of(reviews: Sequence[Review]) -> pa.Table:
    """The reviews as Arrow, with the columns of `FEATURES`."""
    return pa.table(
        {
            "text": [review.text for review in reviews],
            "title": [review.title for review in reviews],
            "label": [review.label for review in reviews],
            "category": [review.category for review in reviews],
            "source": [review.source for review in reviews],
            "stars": [review.stars for review in reviews],
            "key": [key_of(review.text) for review in reviews],
            "split": [_SPLIT_IDS[split_of(review.text)] for review in reviews],
            "words": [len(review.text.split()) for review in reviews],
        },
        schema=FEATURES.arrow_schema,
    )


def text_key(text: str) -> str:
    """Equal for texts that differ in case, spaces and punctuation only."""
    return letters_and_digits(text.casefold()) or text


def key_of(text: str) -> int:
    """A 64-bit hash of `text_key`: among 15 million texts, there is a mistaken copy once in 160,000 times."""
    return xxhash.xxh3_64_intdigest(text_key(text).encode())


_SPLIT_IDS = {split: index for index, split in enumerate(SPLITS)}


def _reviews(table: pa.Table) -> list[Review]:
    columns = (table[name].to_pylist() for name in ("text", "label", "category", "stars", "title", "source"))
    return list(map(Review, *columns))
