"""Texts with many word 3-grams in common share a band, others do not."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviews.minhash import BANDS, WORDS_MIN, bands_of, grams_of, jaccard


def test_texts_of_any_script_have_bands() -> None:
    """Words are runs of letters and digits of Unicode; the bands depend on nothing else."""
    words = "Größe naïve 大 ÉTÉ 8 x y z"
    long, bands = bands_of([words, words.replace(" ", " - ").lower(), "short", words + " more"])
    assert long.tolist() == [0, 1, 3]
    assert bands.shape == (3, BANDS)
    assert bands[0].tolist() == bands[1].tolist() != bands[2].tolist()
    assert bands.tolist() == bands_of([words, words, words + " more"])[1].tolist()


@pytest.mark.parametrize(("similarity", "share"), [(0.5, 0.47), (0.8, 1.0), (0.05, 0.0)])
def test_bands_are_shared_as_often_as_is_said(similarity: float, share: float) -> None:
    """Of two texts with a Jaccard similarity of 0.5 in 47 cases of 100, of 0.8 in nearly all."""
    randomly = random.Random(7)
    found = []
    for _ in range(400):
        grams = 100  # of each text; the first `common` of them are the same
        common = round(2 * grams * similarity / (1 + similarity))
        first = [f"w{randomly.random()}" for _ in range(grams + 2)]
        second = [*first[: common + 2], *(f"w{randomly.random()}" for _ in range(grams - common))]
        one, other = " ".join(first).replace(".", ""), " ".join(second).replace(".", "")
        assert jaccard(grams_of(one), grams_of(other)) == pytest.approx(similarity, abs=0.01)
        _, bands = bands_of([one, other])
        found.append(bool((bands[0] == bands[1]).any()))
    assert np.mean(found) == pytest.approx(share, abs=0.08)


@given(st.text(), st.text())
def test_similarity_is_a_share(one: str, other: str) -> None:
    """From 0 to 1, the same both ways, 1 with itself; a text of too few words is like none."""
    grams = grams_of(one), grams_of(other)
    assert 0 <= jaccard(*grams) == jaccard(*reversed(grams)) <= 1
    assert jaccard(grams[0], grams[0]) == bool(grams[0])
    assert grams_of("word " * (WORDS_MIN - 1)) == set() != grams_of("word " * WORDS_MIN)
