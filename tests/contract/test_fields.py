"""What counts as a text, and as a title that tells the stars."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.fields import gives_stars_away, is_blank


@given(st.text())
def test_blank_means_nothing_to_read(text: str) -> None:
    """A text with any letter or digit is not blank; white space alone is."""
    if any(char.isalnum() for char in text):
        assert not is_blank(text)
    if not text.strip():
        assert is_blank(text)


@pytest.mark.parametrize(
    "title",
    [
        *(
            "Five Stars",
            "One Star",
            "five stars",
            "FOUR STARS",
            "3 stars",
            "Four stars.",
            "5 star",
            "5-star",
            "4star..",
        ),
        *(
            "5stars",
            "Two star!",
            " Five Stars... ",
            '"5 Stars!"',
            "zero stars",
            "10 stars !!",
            "10+ stars",
            "1 Star?",
        ),
        *("4.5 stars!!!", "5.0 stars", "4 1/2 stars", "3 1/2 stars.", "3½ stars", "three and a half stars"),
        *("★★★★★", "★★★☆☆", "⭐️⭐️⭐️⭐️", "★ ★ ★", "*****", "5 ★", "zero ★", "5*"),
        *("4/5", "4/5 stars", "3 out of 5", "5 stars out of 5", "10/10", "4 out of 5!", "4.5/5"),
    ],
)
def test_a_count_of_stars_gives_them_away(title: str) -> None:
    """In words, figures or signs, whatever the case and the punctuation around it."""
    assert gives_stars_away(title)


@pytest.mark.parametrize(
    "title",
    [
        *("", " ", "...", "!!!", "5", "five", "stars", "Great", "Star Wars", "Five Stars for comfort"),
        *(
            "5 star product",
            "Almost five stars",
            "five star wall mount",
            "Not A 5 Star Keyboard!",
            "Why not FIVE stars?",
        ),
        *(
            "4 stars BUT beware...",
            "2 out of 3 do not work",
            "One out of two",
            "1/2 the price",
            "Hindsight is 20/20",
        ),
        *(
            "AR-15/22 Flash Hider",
            "9/11",
            "20/20",
            "starbucks card",
            "one star is one too many",
            "I'd give it 5 stars",
        ),
        "five stars " * 4,
    ],
)
def test_one_more_word_is_a_title(title: str) -> None:
    """What says anything besides the count is left to the model, and so is what counts something else."""
    assert not gives_stars_away(title)


@given(st.text("5 */.starfiveouth½-\n", max_size=45))
def test_any_title_is_judged(title: str) -> None:
    """However odd; spaces around it change nothing."""
    assert gives_stars_away(title) in {True, False}
    if len(title) < 30:
        assert gives_stars_away(f" {title}\n") == gives_stars_away(title)
