"""New texts out of reviews, for a teacher to answer: it knows the reviews by heart, but not their parts."""

import random
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from reviews.review import UNLABELLED, Review

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_WORDS_MIN = 3


class Fragments(NamedTuple):
    """Parts of reviews, and of each the place of the review that it is a part of."""

    reviews: list[Review]
    parents: list[int]


def fragments(reviews: Sequence[Review], count: int, seed: int) -> Fragments:
    """Up to `count` different parts of each review, without a label: the whole's stars may not be the part's.

    A part is a run of sentences that lacks at least one; of a single sentence, a run of words. It has the review's
    title in one case of two.

    Args:
        reviews: What to take parts of.
        count: How many of each.
        seed: The same one gives the same parts.
    """
    randomly = random.Random(seed)  # noqa: S311 - variety, no secret
    made = [(part, parent) for parent, review in enumerate(reviews) for part in _parts(review, count, randomly)]
    return Fragments([part for part, _ in made], [parent for _, parent in made])


def _parts(review: Review, count: int, randomly: random.Random) -> Iterator[Review]:
    pieces = _SENTENCE_END.split(review.text)
    if len(pieces) == 1:
        pieces = review.text.split()
    if len(pieces) < 2:  # noqa: PLR2004 - there is no part of one word
        return
    for text in dict.fromkeys(_run(pieces, randomly) for _ in range(count)):
        if len(text.split()) >= _WORDS_MIN:
            title = review.title if randomly.random() < 0.5 else None  # noqa: PLR2004 - one case of two
            yield Review(text, UNLABELLED, review.category, None, title, review.source)


def _run(pieces: Sequence[str], randomly: random.Random) -> str:
    length = randomly.randint(1, len(pieces) - 1)
    start = randomly.randint(0, len(pieces) - length)
    return " ".join(pieces[start : start + length])
