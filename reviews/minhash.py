"""MinHash of texts (Broder 1997), many at a time: texts with many word 3-grams in common share a band.

The 100 smallest hashes of a text's 3-grams make 20 bands of 5. Of two texts with a Jaccard similarity of 0.8, all
bands differ in one case of 2,800; of 0.85, in one of 125,000; of 0.5, they share a band in 47 cases of 100.
"""

import re
from collections.abc import Sequence
from itertools import chain
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

BANDS = 20
WORDS_MIN = 8  # of shorter texts a single word decides too much
_ROWS_OF_BAND = 5
_GRAM = 3
_GRAMS_AT_ONCE = 4096  # times 100 hashes of 4 bytes stays near the processor
_ASCII_WORD = re.compile(rb"[a-z0-9]+")
_WORD = re.compile(r"[^\W_]+")

_random = np.random.default_rng(20180527)  # fixed: what is taken for a near duplicate must not change between runs
_MULTIPLIERS = _random.integers(0, 2**32, BANDS * _ROWS_OF_BAND, dtype=np.uint32) | np.uint32(1)
_ADDENDS = _random.integers(0, 2**32, BANDS * _ROWS_OF_BAND, dtype=np.uint32)
_OF_WORDS = _random.integers(0, 2**63, _GRAM, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_OF_BAND = _random.integers(0, 2**63, _ROWS_OF_BAND, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_MIXER = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


def words_of(text: str) -> list[bytes]:
    """The lower-cased words of letters and digits, in UTF-8."""
    lowered = text.lower()
    if lowered.isascii():
        return _ASCII_WORD.findall(lowered.encode())
    return [word.encode("utf-8", "surrogatepass") for word in _WORD.findall(lowered)]


def grams_of(text: str) -> set[tuple[bytes, ...]]:
    """The set of word 3-grams that near duplicates are told by; empty for a text of fewer than 8 words."""
    words = words_of(text)
    return set(zip(words, words[1:], words[2:], strict=False)) if len(words) >= WORDS_MIN else set()


def jaccard(one: set[tuple[bytes, ...]], other: set[tuple[bytes, ...]]) -> float:
    """The share of common members; 0 where there is none at all."""
    common = len(one & other)
    return common / max(1, len(one) + len(other) - common)


def bands_of(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """The bands of the texts that are long enough.

    Returns:
        Which texts have 8 words or more, shape (long,), and their bands, shape (long, 20).
    """
    every = [words_of(text) for text in texts]
    long = np.array([place for place, words in enumerate(every) if len(words) >= WORDS_MIN], dtype=np.int64)
    if not len(long):
        return long, np.zeros((0, BANDS), dtype=np.uint32)
    sizes = np.array([len(every[place]) for place in long], dtype=np.int64)
    words = chain.from_iterable(every[place] for place in long)
    hashes = np.fromiter(map(crc32, words), dtype=np.uint32, count=int(sizes.sum()))
    return long, _bands(_gram_hashes(hashes, sizes), sizes - (_GRAM - 1))


def _gram_hashes(words: NDArray[np.uint32], sizes: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Hashes of the 3-grams, text after text, of hashes of words, text after text."""
    wide = words.astype(np.uint64)
    grams = wide[:-2] * _OF_WORDS[0] + wide[1:-1] * _OF_WORDS[1] + wide[2:] * _OF_WORDS[2]
    grams = (grams ^ (grams >> _HALF)) * _MIXER
    inside = np.ones(len(words), dtype=np.bool_)
    ends = np.cumsum(sizes)
    inside[ends - 1] = inside[ends - 2] = False  # no 3-gram reaches over the end of its text
    return np.asarray(grams[inside[:-2]] >> _HALF, dtype=np.uint32)


def _bands(grams: NDArray[np.uint32], sizes: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Shape (texts, bands), of the hashes of 3-grams and how many of them each text has."""
    ends = np.cumsum(sizes)
    starts = ends - sizes
    signatures = np.empty((len(sizes), BANDS * _ROWS_OF_BAND), dtype=np.uint32)
    first = 0
    while first < len(sizes):
        last = max(first + 1, int(np.searchsorted(ends, starts[first] + _GRAMS_AT_ONCE)))
        chunk = grams[starts[first] : ends[last - 1], None] * _MULTIPLIERS
        chunk += _ADDENDS
        np.minimum.reduceat(chunk, starts[first:last] - starts[first], axis=0, out=signatures[first:last])
        first = last
    wide = signatures.reshape(len(sizes), BANDS, _ROWS_OF_BAND).astype(np.uint64)
    mixed = (wide * _OF_BAND).sum(axis=2, dtype=np.uint64)
    return np.asarray((mixed ^ (mixed >> _HALF)) * _MIXER >> _HALF, dtype=np.uint32)
