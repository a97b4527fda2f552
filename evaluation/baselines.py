"""What a model has to beat: one answer to all, a lexicon, and a linear model on words."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from contract.errors import InputError
from contract.labels import LABELS
from reviews.corpus import without_copies
from reviews.review import Review

Ids = NDArray[np.int64]

_VADER_CUT = 0.05  # of the compound score, as VADER's authors recommend


def baselines(reviews: Sequence[Review], train: Sequence[Review] | None) -> tuple[dict[str, Ids], list[str]]:
    """The answers of each baseline to the reviews, class ids of shape (rows,), and why one is left out.

    Args:
        reviews: What to answer.
        train: What TF-IDF learns from; texts that are to be answered are left out of it.

    Raises:
        InputError: If `train` is left without a review of some class.
    """
    answers, left_out = {"majority class": _majority(reviews)}, []
    vader = _vader(reviews)
    if vader is None:
        left_out.append("VADER is left out: install vaderSentiment to have it")
    else:
        answers["VADER"] = vader
    if train is None:
        left_out.append("TF-IDF + logistic regression is left out: give --train-data to have it")
    else:
        answers["TF-IDF + logistic regression"] = _tfidf(reviews, without_copies(train, of=reviews))
    return answers, left_out


def _majority(reviews: Sequence[Review]) -> Ids:
    """The most frequent class of these very reviews: the best that one answer to all can do for accuracy."""
    counts = np.bincount([review.label for review in reviews], minlength=len(LABELS))
    return np.full(len(reviews), counts.argmax())


def _vader(reviews: Sequence[Review]) -> Ids | None:
    """VADER's answers by the sign of its compound score (Hutto & Gilbert 2014); None where it is not installed."""
    try:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer  # noqa: PLC0415 - may be absent
    except ImportError:
        return None
    analyser = SentimentIntensityAnalyzer()
    compound = np.array([analyser.polarity_scores(review.text)["compound"] for review in reviews])
    names = np.where(compound >= _VADER_CUT, "positive", np.where(compound <= -_VADER_CUT, "negative", "neutral"))
    return np.array([LABELS.index(name) for name in names])


def _tfidf(reviews: Sequence[Review], train: Sequence[Review]) -> Ids:
    """Logistic regression on TF-IDF of words and pairs of words, classes weighed alike."""
    labels = [review.label for review in train]
    if lacking := [name for label, name in enumerate(LABELS) if label not in set(labels)]:
        raise InputError(
            f"no {' and no '.join(lacking)} review of --train-data is left without the texts of --data: give "
            "more, or leave it out"
        )
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2 if len(train) >= 1000 else 1),  # noqa: PLR2004
        LogisticRegression(class_weight="balanced", max_iter=1000),
    )
    try:
        model.fit((review.text for review in train), labels)
    except ValueError as error:  # not a word of two letters in all of it
        raise InputError(f"TF-IDF can't learn from --train-data: {error}") from error
    return np.asarray(model.predict(review.text for review in reviews))
