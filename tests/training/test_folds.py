"""Which reviews a teacher has left out, and who may answer what."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from reviews.review import UNLABELLED, Review, Reviews
from training.folds import Fold, asked, learnt_by
from training.fragments import Fragments

LONG = (
    "this is a long review of the phone number {} that was sold to me as new and broke within ten days of its {}"
)
KNOWN = Reviews.of(
    Review(LONG.format(number, word) if number % 2 else f"short {number}", number % 3, "")
    for number in range(60)
    for word in ("arrival", "coming")
)
NOTHING = Fragments([], [])


def unlabelled(*texts: str) -> Reviews:
    return Reviews.of(Review(text, UNLABELLED, "") for text in texts)


@settings(max_examples=20)  # each looks for near duplicates again
@given(st.permutations(range(len(KNOWN))), st.integers(2, 5))
def test_folds_part_the_reviews(order: list[int], count: int) -> None:
    """Each review is in one fold, its copies and near duplicates too, in whatever order the texts come."""
    folds = [Fold(number, count) for number in range(1, count + 1)]
    held = np.stack([fold.holds(KNOWN) for fold in folds])
    assert (held.sum(axis=0) == 1).all()
    shuffled = Reviews.of([KNOWN[place] for place in order])
    assert (np.stack([fold.holds(shuffled) for fold in folds]) == held[:, order]).all()
    for fold in folds:
        assert len(set(KNOWN.groups[fold.holds(KNOWN)]) & set(KNOWN.groups[~fold.holds(KNOWN)])) == 0


def test_a_selection_has_the_folds_of_the_whole() -> None:
    """A near duplicate that is not selected still decides, as it did for the teacher."""
    fold = Fold(1, 3)
    assert (fold.holds(KNOWN[::7]) == fold.holds(KNOWN)[::7]).all()


def test_who_has_not_learnt_a_text_answers_it() -> None:
    """Each review, and its parts, by the teachers that left out its fold."""
    made = Fragments(list(unlabelled(*("a part of it" for _ in range(len(KNOWN))))), list(range(len(KNOWN))))
    folds = [Fold(1, 3), Fold(2, 3), Fold(3, 3)]
    who = asked(learnt_by(folds, KNOWN, KNOWN, unlabelled(), made))
    assert (who.sum(axis=1) == 1).all()
    for place, fold in enumerate(folds):
        assert (who[: len(KNOWN), place] == fold.holds(KNOWN)).all()
    assert (who[len(KNOWN) :] == who[: len(KNOWN)]).all()


def test_what_all_have_learnt_is_answered_by_all() -> None:
    """Two folds of three leave a third to the mean, and a teacher without a fold has learnt everything."""
    folds = [Fold(1, 3), Fold(2, 3), None]
    who = asked(learnt_by(folds, KNOWN, KNOWN, unlabelled(), NOTHING))
    third = Fold(3, 3).holds(KNOWN)
    assert who[third].all()
    assert (who[~third].sum(axis=1) == 1).all()
    assert not who[~third, 2].any()


def test_copies_elsewhere_are_learnt_too() -> None:
    """A near duplicate without stars, and a part that is a review too, have its teachers; new texts have all."""
    one = int(np.flatnonzero(Fold(1, 2).holds(KNOWN) & (np.arange(len(KNOWN)) % 4 == 2))[0])  # a long one
    two = next(
        place for place in np.flatnonzero(Fold(2, 2).holds(KNOWN)) if KNOWN[int(place)].text.startswith("short")
    )
    others = unlabelled(KNOWN[one].text.replace("arrival", "purchase"), "something new")
    copy = Review(KNOWN[int(two)].text.upper(), UNLABELLED, "")
    train = KNOWN.select([one])
    made = Fragments([copy, copy], [0, 2])  # of a review of the other fold, and of a new text
    who = asked(learnt_by([Fold(1, 2), Fold(2, 2)], KNOWN, train, others, made))
    assert who.tolist() == [
        [True, False],  # the review
        [True, False],  # its near duplicate
        [True, True],  # the new text
        [True, True],  # each teacher has learnt one of the two
        [False, True],
    ]
