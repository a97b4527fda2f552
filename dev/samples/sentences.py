"""3,708 sentences of 300 Amazon reviews, each rated by 20 people (Hutto & Gilbert 2014, MIT licence)."""

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dev.samples.packages import ratings_file
from reviews.review import text_key

_NEUTRAL_BELOW = 0.5  # of the absolute mean rating; the paper does not state its own cut
_STARS = {"negative": 1, "neutral": 3, "positive": 5}


@dataclass(frozen=True)
class RatedSentence:
    """A sentence with the mean of its ratings from -4 to 4."""

    review_id: str
    sentence_id: str
    mean_rating: float
    text: str

    @property
    def label(self) -> str:
        """Neutral within half a point of zero, else the sign."""
        if abs(self.mean_rating) < _NEUTRAL_BELOW:
            return "neutral"
        return "positive" if self.mean_rating > 0 else "negative"


def rated_sentences() -> list[RatedSentence]:
    """All sentences, in the order of the file.

    Raises:
        SampleUnavailableError: If the package can't be fetched or is not the pinned one.
    """
    sentences = []
    for line in ratings_file().read_text(encoding="utf-8-sig").splitlines():
        identity, mean, text = line.split("\t", 2)
        sentences.append(RatedSentence(identity.split("_")[0], identity, float(mean), text.strip()))
    return sentences


def split_by_review(
    sentences: Iterable[RatedSentence], held_out: float = 0.25, seed: int = 2018
) -> tuple[list[RatedSentence], list[RatedSentence]]:
    """A training and a held-out part; no review, and no text, stands in both.

    Sentences of one review are alike, so a split by sentence would flatter the model.
    """
    sentences = list(sentences)
    reviews = sorted({sentence.review_id for sentence in sentences})
    random.Random(seed).shuffle(reviews)
    chosen = set(reviews[: round(len(reviews) * held_out)])
    training = [sentence for sentence in sentences if sentence.review_id not in chosen]
    known = {text_key(sentence.text) for sentence in training}
    tested = [s for s in sentences if s.review_id in chosen and text_key(s.text) not in known]
    return training, tested


def write_reviews(sentences: Iterable[RatedSentence], file: Path) -> None:
    """Write the sentences as Amazon review records of 2014: the label as 5, 3 or 1 stars."""
    with file.open("w") as lines:
        for sentence in sentences:
            record = {
                "reviewerID": sentence.sentence_id,
                "asin": f"review-{sentence.review_id}",
                "reviewText": sentence.text,
                "overall": float(_STARS[sentence.label]),
                "category": "rated-sentences",
            }
            lines.write(json.dumps(record) + "\n")
