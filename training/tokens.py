"""Token ids of reviews by the million: made once, kept on disk, and read from there row by row."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

from reviews.cache import fingerprint, intact, kept
from reviews.progress import Progress
from reviews.review import BATCH, Review, Reviews

_FORMAT = 1
_IDS, _OFFSETS = "ids.int32", "offsets.npy"

EncodeBatch = Callable[[Sequence[Review]], list[list[int]]]


class Rows(Sequence[list[int]]):
    """Rows of token ids in one flat array, which may be a file.

    Args:
        ids: The ids of all rows, shape (ids,).
        starts: Where each row begins, shape (rows,).
        ends: Where each row ends, shape (rows,).
    """

    def __init__(self, ids: NDArray[np.int32], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> None:
        self._ids, self._starts, self._ends = ids, starts, ends

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Ids of each row, shape (rows,)."""
        return self._ends - self._starts

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, place: int) -> list[int]: ...
    @overload
    def __getitem__(self, place: slice) -> Self: ...
    def __getitem__(self, place: int | slice) -> "list[int] | Rows":
        if isinstance(place, slice):
            return type(self)(self._ids, self._starts[place], self._ends[place])
        row: list[int] = self._ids[self._starts[place] : self._ends[place]].tolist()
        return row


def tokenise(reviews: Sequence[Review], encode_batch: EncodeBatch, key: str | None = None) -> Rows:
    """The token ids of reviews, from the cache if they were made before.

    Args:
        reviews: What to encode, a batch at a time.
        encode_batch: The token ids of some reviews.
        key: Names all that `encode_batch` depends on: tokenizer, encoding. Without it, or if the reviews did not
            come from files, the ids are on disk only as long as the process lasts.

    Raises:
        InputError: If the cache's disk is full.
    """
    content = reviews.fingerprint if isinstance(reviews, Reviews) else None
    name = fingerprint(_FORMAT, content, key) if content and key else None
    folder = kept("tokens", name, lambda folder: _write(reviews, encode_batch, folder))
    with intact(folder):
        offsets = np.load(folder / _OFFSETS, mmap_mode="r")
        empty = np.zeros(0, dtype=np.int32)  # no memory map can have no bytes
        ids = np.memmap(folder / _IDS, dtype=np.int32, mode="r") if offsets[-1] else empty
        if (len(offsets) - 1, offsets[-1]) != (len(reviews), len(ids)):
            raise ValueError(f"{len(ids)} ids where {offsets[-1]} were written")
    return Rows(ids, offsets[:-1], offsets[1:])


def _write(reviews: Sequence[Review], encode_batch: EncodeBatch, folder: Path) -> None:
    started_s = time.monotonic()
    lengths = np.zeros(len(reviews) + 1, dtype=np.int64)
    with Progress() as progress, (folder / _IDS).open("wb") as file:
        progress.begin("tokens", len(reviews))
        for start in range(0, len(reviews), BATCH):
            rows = encode_batch(list(reviews[start : start + BATCH]))
            done = start + len(rows)
            lengths[start + 1 : done + 1] = [len(row) for row in rows]
            file.write(np.concatenate([np.asarray(row, dtype=np.int32) for row in rows]).tobytes())
            progress.reach(done, f"reviews, {done / (time.monotonic() - started_s):,.0f}/s")
        np.save(folder / _OFFSETS, np.cumsum(lengths))
        progress.rate("encoded", len(reviews), "reviews", time.monotonic() - started_s)
