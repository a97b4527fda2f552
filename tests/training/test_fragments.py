"""Parts of reviews for a teacher to answer."""

from hypothesis import given
from hypothesis import strategies as st

from reviews.review import UNLABELLED, Review
from training.fragments import fragments

_TEXTS = st.lists(st.text("ab. !", min_size=1, max_size=60), min_size=1, max_size=8)


@given(_TEXTS, st.integers(0, 4), st.integers(0, 3))
def test_fragments_are_parts_without_a_label(texts: list[str], count: int, seed: int) -> None:
    """Each is made of words of its review in their order, is not all of a long one, and tells nobody's stars."""
    reviews = [Review(text, 1, "toys", 5.0, "fine", "shop") for text in texts]
    made = fragments(reviews, count, seed)
    assert made == fragments(reviews, count, seed)
    assert len(made.reviews) == len(made.parents) <= count * len(reviews)
    for part, parent in zip(*made, strict=True):
        assert set(part.text.split()) <= set(reviews[parent].text.split())
        assert (part.label, part.stars, part.category, part.source) == (UNLABELLED, None, "toys", "shop")
        assert part.title in {"fine", None}
        assert any(part.text in " ".join(text.split()) or part.text in text for text in texts) or " " in part.text
        assert len(part.text.split()) >= 3


def test_a_fragment_lacks_a_sentence() -> None:
    """Of two sentences a part is one; of many, some run of them that is not the whole."""
    review = Review("It broke at once. I want my money back! Never again will I buy this.", 2, "", 1.0)
    texts = {part.text for seed in range(20) for part in fragments([review], 2, seed).reviews}
    assert len(texts) == 5  # three alone, two pairs
    assert review.text not in texts
    assert "It broke at once. I want my money back!" in texts
