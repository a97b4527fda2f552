"""What is kept of long texts, and what a template reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.encoding import Encoding, apply_template, truncate
from contract.fields import Fields

TEXT, TITLED = Encoding(template="text"), Encoding(template="title+text")
ids_lists = st.lists(st.integers(), max_size=60)


@given(ids_lists, st.integers(1, 40), st.sampled_from(["head", "head+tail"]))
def test_what_fits_is_kept_whole_and_the_rest_is_filled_up(
    ids: list[int], tokens_max: int, truncation: str
) -> None:
    """No token is lost while there is room, and none of the room is wasted."""
    kept = truncate(ids, tokens_max, truncation)
    assert len(kept) == min(len(ids), tokens_max)
    assert len(ids) > tokens_max or kept == ids


@given(ids_lists, st.integers(1, 40))
def test_head_and_tail_keep_a_quarter_and_the_end(ids: list[int], tokens_max: int) -> None:
    """A quarter from the beginning, and the rest from the end, in order."""
    kept = truncate(ids, tokens_max, "head+tail")
    if len(ids) > tokens_max:
        head = tokens_max // 4
        assert kept[:head] == ids[:head]
        assert kept[head:] == ids[len(ids) - tokens_max + head :]


@pytest.mark.parametrize("title", [None, "", " \n ", "\u200b"])
def test_a_blank_title_leaves_the_text_alone(title: str | None) -> None:
    """Signs that can't be seen are no title."""
    assert apply_template(Fields("good", title), TITLED) == "good"
    assert apply_template(Fields("good", "Fine"), TITLED) == "Fine\ngood"
    assert apply_template(Fields("good", "Fine"), TEXT) == "good"


def test_a_title_that_gives_the_stars_away_is_none_where_it_is_masked() -> None:
    """An encoding that says nothing of such titles reads them, as it did before it could say so."""
    masked = Encoding(template="title+text", star_titles="masked")
    old = Encoding.model_validate({"format": 1, "template": "title+text", "truncation": "head", "tokens_max": 9})
    assert apply_template(Fields("good", "Five Stars"), masked) == "good"
    assert apply_template(Fields("good", "Five Stars, sturdy"), masked) == "Five Stars, sturdy\ngood"
    assert apply_template(Fields("good", "Five Stars"), old) == "Five Stars\ngood"


@given(st.lists(st.integers(), max_size=40), st.integers(1, 20))
def test_truncation_keeps_the_ends_it_promises(ids: list[int], tokens_max: int) -> None:
    """`head` keeps a prefix; `head+tail` a quarter of the budget from the front and the rest from the back."""
    head = truncate(ids, tokens_max, "head")
    both = truncate(ids, tokens_max, "head+tail")

    assert head == ids[:tokens_max]
    assert len(both) == min(len(ids), tokens_max)
    if len(ids) > tokens_max:
        assert both == ids[: tokens_max // 4] + ids[-(tokens_max - tokens_max // 4) :]
