"""Copies and near duplicates, found among millions of texts of which few are in memory at a time."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reviews.files import reserve
from reviews.minhash import BANDS, bands_of, grams_of, jaccard

Ids = NDArray[np.int64]
TextsAt = Callable[[Ids], Iterable[str]]
Reached = Callable[[int], None]

SIMILARITY = 0.8  # of the sets of word 3-grams (Jaccard), from which texts are near duplicates
_TEXTS = 2000  # hashed at a time
_CANDIDATES = 10_000  # texts whose 3-grams are in memory together
_NEIGHBOURS = 256  # texts of a bucket that a text is compared with, so that a bucket of thousands ends


def contradicting(keys: NDArray[np.uint64], labels: NDArray[np.int8]) -> int:
    """How many texts stand there with more than one label; equal keys are equal texts, both shape (texts,)."""
    order = np.lexsort((labels, keys))
    keys, labels = keys[order], labels[order]
    return len(np.unique(keys[1:][(keys[1:] == keys[:-1]) & (labels[1:] != labels[:-1])]))


def near_groups(
    keys: NDArray[np.uint64], texts_at: TextsAt, scratch: Path | None = None, reached: Reached = lambda _: None
) -> Ids:
    """Put texts into groups: copies, near duplicates, and what is linked by them, end to end.

    Near duplicates are texts of 8 words or more whose sets of word 3-grams have a Jaccard similarity of 0.8 at
    least. Candidates come from MinHash (`reviews.minhash` says how many it misses) and are compared word by word.

    Args:
        keys: Equal for copies, shape (texts,).
        texts_at: The texts at some places, in their order.
        scratch: A folder for 80 bytes a text while this runs; without it they are in memory.
        reached: Is told how many texts are done, from time to time.

    Returns:
        The first text of each text's group, shape (texts,).

    Raises:
        OSError: If there is no room in the folder.
    """
    _, first, copy_of = np.unique(keys, return_index=True, return_inverse=True)
    places = np.sort(first)  # each text once
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        bands = _room(Path(folder) / "bands" if scratch else None, len(places))
        positions = _fill(bands, places, texts_at, reached)
        parents = np.arange(len(places))
        for band in range(BANDS):
            _join(np.array(bands[band, : len(positions)]), positions, parents, lambda some: texts_at(places[some]))
        del bands  # closes the file before its folder goes
    group_of_key = places[_roots(parents, parents)][np.searchsorted(places, first)]
    return np.asarray(group_of_key[copy_of])


def firsts(keys: NDArray[np.unsignedinteger | np.signedinteger]) -> Ids:
    """The places of the first of each key, rising."""
    return np.sort(np.unique(keys, return_index=True)[1])


def _room(file: Path | None, texts: int) -> NDArray[np.uint32]:
    """An array of shape (bands, texts), in a file if there is one."""
    shape = (BANDS, max(1, texts))
    if file is None:
        return np.empty(shape, dtype=np.uint32)
    reserve(file, shape[0] * shape[1] * 4)
    return np.memmap(file, dtype=np.uint32, mode="r+", shape=shape)


def _fill(bands: NDArray[np.uint32], places: Ids, texts_at: TextsAt, reached: Reached) -> Ids:
    """Write the bands of all long texts to the columns from 0 on; return which texts these are."""
    kept, columns = [np.zeros(0, dtype=np.int64)], 0
    for start in range(0, len(places), _TEXTS):
        long, of_these = bands_of(list(texts_at(places[start : start + _TEXTS])))
        bands[:, columns : columns + len(long)] = of_these.T
        kept.append(long + start)
        columns += len(long)
        reached(start)
    return np.concatenate(kept)


def _join(hashes: NDArray[np.uint32], positions: Ids, parents: Ids, texts_at: TextsAt) -> None:
    """Join the near duplicates among the texts of each bucket, a bucket being the texts with one hash."""
    for buckets in _candidates(hashes, positions, parents):
        some = np.unique(np.concatenate(buckets))
        grams = dict(zip(some.tolist(), map(grams_of, texts_at(some)), strict=True))
        for bucket in buckets:
            members = sorted(bucket.tolist(), key=lambda member: len(grams[member]))
            for place, member in enumerate(members):
                most = len(grams[member]) / SIMILARITY
                for other in members[place + 1 : place + 1 + _NEIGHBOURS]:
                    if len(grams[other]) > most:
                        break
                    apart = _root(parents, member) != _root(parents, other)
                    if apart and jaccard(grams[member], grams[other]) >= SIMILARITY:
                        _unite(parents, member, other)


def _candidates(hashes: NDArray[np.uint32], positions: Ids, parents: Ids) -> Iterator[list[Ids]]:
    """Buckets that hold texts of different groups, as many as are to be in memory together."""
    order = np.argsort(hashes, kind="stable")
    joined = hashes[order]
    joined = np.concatenate([[False], joined[1:] == joined[:-1], [False]])[: len(order) + 1]
    shared = joined[:-1] | joined[1:]  # most texts are alone, and cost no more from here on
    members, opens = positions[order[shared]], ~joined[:-1][shared]
    roots = _roots(parents, members)
    starts = np.flatnonzero(opens)
    ends = np.append(starts[1:], len(members))
    mixed = np.cumsum(np.append(False, roots[1:] != roots[:-1]))  # rises within a bucket of different groups
    open_ = mixed[ends - 1] > mixed[starts] if len(starts) else np.zeros(0, dtype=np.bool_)
    buckets: list[Ids] = []
    size = 0
    for start, end in zip(starts[open_].tolist(), ends[: len(starts)][open_].tolist(), strict=True):
        buckets.append(members[start:end])
        size += end - start
        if size >= _CANDIDATES:
            yield buckets
            buckets, size = [], 0
    if buckets:
        yield buckets


def _roots(parents: Ids, texts: Ids) -> Ids:
    """The roots of some texts, found for all at once."""
    roots = texts
    while not np.array_equal(above := parents[roots], roots):
        roots = above
    return roots


def _root(parents: Ids, text: int) -> int:
    while (parent := int(parents[text])) != text:
        parents[text] = parents[parent]  # halves the way for the next
        text = parent
    return text


def _unite(parents: Ids, one: int, other: int) -> None:
    """The first text of both groups becomes the root."""
    roots = sorted((_root(parents, one), _root(parents, other)))
    parents[roots[1]] = roots[0]
