"""The three classes: their ids, the order of ids from bad to good, and the stars that stand for each."""

LABELS = ("neutral", "positive", "negative")
"""In class-id order. A checkpoint or a bundle with another order would serve wrong labels, and is refused."""

ORDER = tuple(LABELS.index(name) for name in ("negative", "neutral", "positive"))
"""Class ids from bad to good."""

STARS_OF_LABEL = ("3", "4 or 5", "0 to 2")
"""The ratings of each class for people, in class-id order; `star_label` is the rule."""

_STARS_MAX = 5


def star_label(stars: float) -> int:
    """The class id of a rating: 4-5 positive, 3 neutral, 0-2 negative; between them the lower class counts.

    Raises:
        ValueError: If the rating is not between 0 and 5.
    """
    if not 0 <= stars <= _STARS_MAX:
        raise ValueError("stars outside 0..5")
    name = "positive" if stars >= 4 else "neutral" if stars >= 3 else "negative"  # noqa: PLR2004
    return LABELS.index(name)
