"""Scoring texts in batches gives what scoring them one by one gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.fields import Fields
from export.scoring import score
from tests.fakes import FakeClassifier, FakeEncoder
from worker.errors import ModelFailedError


@settings(max_examples=20)
@given(st.integers(1, 1200), st.integers(0, 99))
def test_answers_stand_in_the_order_of_the_texts(count: int, seed: int) -> None:
    """Whatever their lengths and however many; progress is told up to the last."""
    lengths = np.random.default_rng(seed).integers(1, 60, count)
    texts = [Fields(chr(97 + place % 26) * int(length)) for place, length in enumerate(lengths)]
    told: list[int] = []
    logits = score(FakeEncoder(), FakeClassifier(), texts, tokens_max=64, done=told.append)
    assert logits.argmax(axis=1).tolist() == [ord(fields.text[0]) % 3 for fields in texts]
    assert told[-1] == count
    assert told == sorted(told)


def test_batches_stay_within_the_workers_limits() -> None:
    """At most 64 rows and 4096 tokens, or one text of more."""
    classifier = FakeClassifier()
    score(FakeEncoder(5000), classifier, [Fields("a" * 200)] * 50 + [Fields("b")] * 200 + [Fields("c" * 5000)],
          tokens_max=5000)  # fmt: skip
    sizes = [(len(batch), len(batch) * max(map(len, batch))) for batch in classifier.batches]
    assert all(rows <= 64 and tokens <= 5000 for rows, tokens in sizes)
    assert sum(rows for rows, _ in sizes) == 251


def test_answers_that_are_no_numbers_end_it() -> None:
    """NaN would make figures of nothing."""
    with pytest.raises(ModelFailedError, match="NaN or infinity"):
        score(FakeEncoder(), FakeClassifier(), [Fields("a"), Fields("b?")], tokens_max=64)
