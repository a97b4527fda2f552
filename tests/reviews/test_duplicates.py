"""Copies and near duplicates come together, others do not."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviews.corpus import stratified_split
from reviews.duplicates import SIMILARITY, firsts, near_groups
from reviews.minhash import grams_of, jaccard
from reviews.review import Review, Reviews, key_of


def groups_of(texts: list[str], scratch: Path | None = None) -> list[int]:
    keys = np.array([key_of(text) for text in texts], dtype=np.uint64)
    groups: list[int] = near_groups(keys, lambda places: (texts[place] for place in places), scratch).tolist()
    return groups


def linked(texts: list[str]) -> list[int]:
    """The first text of each text's group, by comparing all with all."""
    groups = list(range(len(texts)))
    grams = [grams_of(text) for text in texts]
    for one in range(len(texts)):
        for other in range(one):
            same = key_of(texts[one]) == key_of(texts[other])
            if same or jaccard(grams[one], grams[other]) >= SIMILARITY:
                first, second = sorted((groups[one], groups[other]))
                groups = [first if group == second else group for group in groups]
    return groups


few_words = st.lists(st.sampled_from(["good", "bad", "fine"]), min_size=1, max_size=14).map(" ".join)


@given(st.lists(few_words, max_size=40))
def test_groups_are_copies_and_what_is_nearly_the_same(texts: list[str]) -> None:
    """As comparing all with all finds them, chains included, but for the few that MinHash misses (none here)."""
    assert groups_of(texts) == linked(texts)


@pytest.mark.parametrize("on_disk", [False, True])
def test_nearly_all_near_duplicates_are_found(on_disk: bool, tmp_path: Path) -> None:
    """One word of forty changed (a similarity of 0.81 to 0.95): of 3000 pairs all but a few, and no others."""
    randomly = random.Random(3)
    words = [f"word{number}" for number in range(5000)]
    texts = [" ".join(randomly.choices(words, k=40)) for _ in range(3000)]
    copies = []
    for text in texts:
        changed = text.split()
        changed[randomly.randrange(40)] = "changed"
        copies.append(" ".join(changed))
    groups = groups_of(texts + copies, tmp_path if on_disk else None)
    assert groups[:3000] == list(range(3000))
    assert sum(group != place for place, group in enumerate(groups[3000:])) <= 3
    assert list(tmp_path.iterdir()) == []


def test_many_of_one_kind_end_soon() -> None:
    """A template of thousands of variants is one group, without comparing all with all."""
    body = " ".join(f"word{number}" for number in range(60))
    assert set(groups_of([f"{body} {number}" for number in range(3000)])) == {0}


def test_short_texts_are_compared_as_copies_only() -> None:
    """Below 8 words one word decides too much; with letters and digits alike, they are copies."""
    assert groups_of(["a b c d e f g", "a b c d e f g h", "A-B-C-D-E-F-G!", "a b c d e f g h i"]) == [0, 1, 0, 1]
    assert groups_of([]) == []


def test_the_firsts_of_keys_rise() -> None:
    """The place of each key's first, in order."""
    assert firsts(np.array([3, 1, 3, 2, 1], dtype=np.uint64)).tolist() == [0, 1, 3]


@given(st.integers(0, 9))
def test_a_split_keeps_near_duplicates_together(seed: int) -> None:
    """No two of a similarity of 0.8 stand on two sides."""
    body = " ".join(f"word{number}" for number in range(40))
    items = [
        Review(f"{group} {group} {body} {group} {group * 2 + 1} {number}", group % 3, "")
        for group in range(12)
        for number in range(3)
    ]
    items = [
        Review(item.text.replace("word", f"of{place // 3}x"), item.label, "") for place, item in enumerate(items)
    ]
    train, held_out = stratified_split(items, seed=seed)
    assert {item.text.split()[0] for item in train}.isdisjoint(item.text.split()[0] for item in held_out)
    assert len(Reviews.of(items)) == len(train) + len(held_out)
