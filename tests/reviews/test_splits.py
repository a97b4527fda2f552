"""Which part a text belongs to: decided by its content, once and for all, and by what stands in other parts."""

import hashlib
import random
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviews.corpus import Corpus, read_corpus
from reviews.duplicates import SIMILARITY
from reviews.minhash import grams_of, jaccard
from reviews.review import Review, Reviews, text_key
from reviews.splits import SPLITS, Split, letters_and_digits, split_of
from tests.review_files import write_lines

WORDS = [f"word{number}" for number in range(1000)]


def some_text(randomly: random.Random, words: int = 40) -> str:
    return " ".join(randomly.choices(WORDS, k=words))


def with_a_word_changed(text: str, randomly: random.Random) -> str:
    words = text.split()
    words[randomly.randrange(len(words))] = "changed"
    return " ".join(words)


def corpus_of(texts: list[str]) -> Corpus:
    return Corpus(Reviews.of(Review(text, number % 3, "any") for number, text in enumerate(texts)))


@given(st.text())
def test_the_rule_is_the_one_that_was_fixed(text: str) -> None:
    """Whatever is done to make it fast: the first two bytes of the hash of the lower-cased letters and digits."""
    kept = "".join(sign for sign in text.lower() if sign.isalnum())
    first, second = hashlib.sha256(kept.encode("utf-8", "surrogatepass")).digest()[:2]
    small = "validation" if second < 13 else "calibration" if second < 29 else "train"
    assert split_of(text) == ("test" if first % 5 == 0 else small)


@given(st.text())
def test_letters_and_digits_are_those_of_unicode(text: str) -> None:
    """ASCII takes another way to the same end."""
    assert letters_and_digits(text) == "".join(sign for sign in text if sign.isalnum())


few_words = st.lists(st.sampled_from(("good", "bad", "fine", "case")), min_size=1, max_size=12).map(" ".join)


@given(st.lists(few_words.flatmap(lambda text: st.sampled_from([text, text.upper(), f"{text}!"])), max_size=60))
def test_no_text_and_no_near_duplicate_stands_in_two_parts(texts: list[str]) -> None:
    """Between parts no text comes twice, however it is written, and no two have a similarity of 0.8."""
    corpus = corpus_of(texts)
    parts = {name: list(corpus.split(name).reviews) for name in SPLITS}
    keys = {name: {text_key(review.text) for review in part} for name, part in parts.items()}
    for one in SPLITS:
        for other in SPLITS[: SPLITS.index(one)]:
            assert not keys[one] & keys[other]
            for review in parts[one]:
                grams = grams_of(review.text)
                assert all(jaccard(grams, grams_of(far.text)) < SIMILARITY for far in parts[other])
    assert len(parts["train"]) == len(keys["train"])
    assert set().union(*keys.values()) <= {text_key(text) for text in texts}


def test_near_copies_of_the_test_part_are_not_trained_on() -> None:
    """One word of forty changed: the copy is left out of the lower part, and the account says so."""
    randomly = random.Random(1)
    texts = [some_text(randomly) for _ in range(300)]
    copies = [with_a_word_changed(text, randomly) for text in texts]
    corpus = corpus_of(texts + copies)

    for name in SPLITS:
        part = corpus.split(name)
        pairs = zip(texts, copies, strict=True)
        higher = {
            one: SPLITS[max(SPLITS.index(split_of(text)) for text in pair)] for pair in pairs for one in pair
        }
        expected = [text for text in texts + copies if split_of(text) == name == higher[text]]
        assert [review.text for review in part.reviews] == expected
        gone = sum(split_of(text) == name != higher[text] for text in texts + copies)
        assert part.apart == ({"nearly the same as one of another part": gone} if gone else {})
        assert part.data_sheet()["left_out_of_part"] == dict(part.apart)
        assert part.data_sheet()["part"] == name


def test_copies_within_a_part_stay_but_for_training(tmp_path: Path) -> None:
    """The first of copies is trained on; near duplicates within a part stay; short texts differ by one word."""
    randomly = random.Random(2)
    train = next(text for _ in range(999) if split_of(text := some_text(randomly)) == "train")
    near = next(text for _ in range(999) if split_of(text := with_a_word_changed(train, randomly)) == "train")
    test = next(text for _ in range(999) if split_of(text := some_text(randomly, 7)) == "test")
    lines = [{"text": text, "rating": 5} for text in (train, near, train.upper(), test, f"{test}.")]
    corpus = read_corpus([write_lines(tmp_path / "some.jsonl", lines)])

    assert [review.text for review in corpus.split("train").reviews] == [train, near]
    assert corpus.split("train").left_out() == ["1 review left out of the train part: copied within the part"]
    assert [review.text for review in corpus.split("test").reviews] == [test, f"{test}."]


def test_the_shares_are_as_they_are_told() -> None:
    """About 71 % train, 4 % validation, 5 % calibration and 20 % test."""
    counts = Counter(split_of(f"text {number}") for number in range(20_000))
    shares = {"train": 0.71, "validation": 0.04, "calibration": 0.05, "test": 0.2}
    assert {name: counts[name] / 20_000 for name in get_args(Split)} == pytest.approx(shares, abs=0.01)


def test_a_part_without_a_class_says_which_part(tmp_path: Path) -> None:
    """The error names the part, since the whole may have reviews of the class."""
    corpus = read_corpus([write_lines(tmp_path / "some.jsonl", [{"text": "x", "rating": 5}])])
    with pytest.raises(Exception, match=r"no neutral review \(3 stars\) in the test part of some.jsonl"):
        corpus.split("test").require_classes()
