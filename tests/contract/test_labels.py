"""Which class a rating is."""

import pytest

from contract.labels import LABELS, star_label


@pytest.mark.parametrize(
    ("stars", "name"),
    [
        *((0, "negative"), (1, "negative"), (2, "negative"), (2.5, "negative"), (3, "neutral"), (3.9, "neutral")),
        *((4, "positive"), (5, "positive"), (5.0, "positive")),
    ],
)
def test_stars_become_classes(stars: float, name: str) -> None:
    """0-2 stars are negative, 3 neutral, 4-5 positive; class ids are 0 neutral, 1 positive, 2 negative."""
    assert LABELS == ("neutral", "positive", "negative")
    assert star_label(stars) == LABELS.index(name)


@pytest.mark.parametrize("stars", [-1, 5.1, float("nan"), float("inf")])
def test_other_numbers_are_no_stars(stars: float) -> None:
    """A rating outside 0 to 5 is refused, not guessed."""
    with pytest.raises(ValueError, match="stars outside"):
        star_label(stars)
