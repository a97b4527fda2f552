"""Reading and splitting reviews: nothing is lost unseen, and nothing leaks from one part into the other."""

import gzip
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import InputError
from reviews.corpus import distinct, read_corpus, stratified_split, without_copies
from reviews.review import Review, text_key
from tests.review_files import write_lines

GOOD = {"reviewText": "good", "overall": 5}


def test_every_bad_line_is_counted_with_its_first_place(tmp_path: Path) -> None:
    """What can't be used is left out by reason; the first of each is named with file and line."""
    file = write_lines(
        tmp_path / "some.jsonl",
        [
            *(
                GOOD,
                "",
                "{",
                "[1]",
                {"overall": 5},
                {"reviewText": "\u200b \x07", "overall": 5},
                {"reviewText": "x"},
            ),
            *({"reviewText": "x", "overall": "5"}, {"reviewText": "x", "overall": True}),
            *(
                {"reviewText": "x", "overall": 6},
                '{"reviewText": "x\\ud800", "overall": 5}',
                "nonsense",
                "[" * 9999,
            ),
        ],
    )
    with file.open("ab") as lines:
        lines.write(b'{"reviewText": "\xff", "overall": 5}\n')

    corpus = read_corpus([file])

    assert [item.text for item in corpus.reviews] == ["good"]
    assert corpus.rejected == {
        "not JSON": 3, "not an object": 1, "no text": 2, "no stars": 3, "stars outside 0..5": 1,
        "a lone surrogate in the text": 1, "not UTF-8": 1,
    }  # fmt: skip
    lines_of_first = {reason: place.removeprefix(f"{file}:") for reason, place in corpus.first_place.items()}
    assert lines_of_first == {
        "not JSON": "3", "not an object": "4", "no text": "5", "no stars": "7", "stars outside 0..5": "10",
        "a lone surrogate in the text": "11", "not UTF-8": "14",
    }  # fmt: skip
    assert f"3 lines left out: not JSON, first {file}:3" in corpus.left_out()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.json", b"", "no lines at all"),
        ("bad.json", b"{\n", "1 line left out: not JSON, first .*bad.json:1"),
        ("false.json.gz", b"not gzip", "can't read .*Not a gzipped file"),
        ("cut.json.gz", gzip.compress(b"x" * 99, mtime=0)[:-9], "can't read .*end-of-stream"),
        ("broken.json.gz", gzip.compress(b"x" * 99, mtime=0)[:10] + b"\xff" * 20, "can't read .*invalid"),
    ],
)
def test_a_file_without_a_usable_line_is_an_error(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    """The message names the file, and the line where there is one."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_corpus([tmp_path / name])


@pytest.mark.parametrize(("name", "message"), [("absent.json", "No such file"), (".", "Is a directory")])
def test_a_file_that_is_none_is_an_error(tmp_path: Path, name: str, message: str) -> None:
    """So is one that is not there, or a folder."""
    with pytest.raises(InputError, match=message):
        read_corpus([tmp_path / name])


def test_a_missing_class_is_an_error(tmp_path: Path) -> None:
    """Without one of the classes nothing can be learnt of it; the message names the stars to look for."""
    corpus = read_corpus([write_lines(tmp_path / "happy.json", [GOOD, {"reviewText": "bad", "overall": 1}, "{"])])
    with pytest.raises(
        InputError, match=r"no neutral review \(3 stars\) in happy.json.*1 positive, 1 negative.*:3"
    ):
        corpus.require_classes()


some_texts = st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=60, max_size=200)


@given(some_texts, st.integers(0, 5))
def test_the_split_keeps_shares_and_copies_together(texts: list[tuple[int, bool]], seed: int) -> None:
    """Each class is in both parts by its share of different texts; copies, also in capitals, stay on one side."""
    items = [Review(f"Text {n}!" if shout else f"text  {n}", n % 3, "") for n, shout in texts]
    items += [Review(f"unique {n}", n % 3, "") for n in range(30)]

    train, held_out = stratified_split(items, seed=seed)

    assert Counter(train) + Counter(held_out) == Counter(items)
    assert not {text_key(item.text) for item in train} & {text_key(item.text) for item in held_out}
    different = Counter({text_key(item.text): item.label for item in items}.values())
    held_out_different = Counter({text_key(item.text): item.label for item in held_out}.values())
    for label, count in different.items():
        assert abs(held_out_different[label] - 0.2 * count) <= 1


def test_the_split_is_the_same_every_time() -> None:
    """The same seed gives the same parts, another one others."""
    items = [Review(f"text {n}", n % 3, "") for n in range(99)]
    train, held_out = map(list, stratified_split(items))
    assert [train, held_out] == list(map(list, stratified_split(items)))
    assert [train, held_out] != list(map(list, stratified_split(items, seed=1)))


def test_a_class_of_one_text_can_not_be_split() -> None:
    """Copies count once: two sides need two different texts."""
    items = [Review(f"text {n}", n % 2, "") for n in range(20)] + [Review("bad!", 2, ""), Review("BAD", 2, "")]
    with pytest.raises(InputError, match="only 1 different negative"):
        stratified_split(items)


def test_texts_of_signs_alone_are_told_apart() -> None:
    """The normalised text is what is left of letters and digits, or the text itself where none is left."""
    assert text_key("Great,  GREAT!") == text_key("great great")
    assert text_key("!!!") != text_key("???")


def test_without_copies_leaves_out_what_stands_in_the_other() -> None:
    """A text of the validation part is not trained on, however it is written."""
    items = [Review("Good one.", 1, ""), Review("another", 1, "")]
    assert list(without_copies(items, of=[Review("good ONE", 1, "")])) == items[1:]


def test_a_text_counts_once() -> None:
    """Of copies, also in capitals or with other punctuation, the first is measured."""
    reviews = [Review("Good one.", 1, "x", 5.0), Review("good ONE", 0, "y", 3.0), Review("other", 2, "x", 1.0)]
    assert list(distinct(reviews)) == [reviews[0], reviews[2]]


def test_texts_with_contradicting_stars_are_counted(tmp_path: Path) -> None:
    """A text whose copies have stars of another class, once however many; 4 and 5 stars are of one class."""
    rows = [
        ("fine", 1),
        ("FINE!", 3),
        ("fine", 5),
        ("good", 4),
        ("good", 5),
        ("bad", 1),
        ("so so", 3),
        ("So so.", 2),
    ]
    file = write_lines(tmp_path / "some.jsonl", [{"text": text, "rating": stars} for text, stars in rows])
    corpus = read_corpus([file])
    assert "2 texts with stars of more than one class" in corpus.remarks()
    assert corpus.data_sheet()["contradicting"] == 2
    without_stars = read_corpus([file], starred=False)
    assert (without_stars.contradicting, without_stars.remarks()) == (0, [])
