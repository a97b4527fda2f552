"""The worker's encoder against the tokenizer as Hugging Face uses it, and its short cut for long texts."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.encoding import Encoding, truncate
from contract.fields import Fields
from dev.samples import minilm_folder
from worker.adapters.encoder import TokenizersEncoder

TOKENIZER = minilm_folder() / "tokenizer.json"


def encoder(tokens_max: int = 32, template: str = "text", truncation: str = "head") -> TokenizersEncoder:
    encoding = Encoding.model_validate({"tokens_max": tokens_max, "template": template, "truncation": truncation})
    return TokenizersEncoder(TOKENIZER, encoding)


SHORT, WHOLE = encoder(), encoder(tokens_max=10**6)


@given(st.lists(st.text(st.characters(codec="utf-8")).map(lambda text: text * 40), min_size=1, max_size=4))
def test_truncation_keeps_the_first_tokens_of_the_whole(texts: list[str]) -> None:
    """However long or odd the text: the head of the whole encoding, framed, with the word whether it is cut."""
    fields = [Fields(text) for text in texts]

    for short, whole in zip(SHORT.encode(fields), WHOLE.encode(fields), strict=True):
        assert short.ids == [*whole.ids[:-1][:31], whole.ids[-1]]
        assert short.truncated == (len(whole.ids) > 32)


@pytest.mark.parametrize(
    "text", ["so good " * 5000, "a" * 5000, "\x00 " * 5000 + "good", "\u0301 " * 4000 + "end"]
)
def test_the_short_cut_for_long_texts_changes_nothing(text: str) -> None:
    """Also where the beginning of a long text has few tokens or none, the result is that of the whole."""
    short, whole = SHORT.encode([Fields(text)])[0], WHOLE.encode([Fields(text)])[0]

    assert short.ids[:-1] == whole.ids[:-1][:31]


PIECES = st.sampled_from([
    "good ", "a" * 300, ".", "...!?", "[SEP]", "[MASK] ", "\u4e2d\u6587", "\u0301", "caf\u00e9 ", "\x00", "\n",
    "\u2014", "\u00a3", "\U0001f600", "soooo-good", "  ", "$9.99,", "\u3042", "\u00ad", "x",
])  # fmt: skip
LONG = st.lists(st.tuples(PIECES, st.integers(1, 80)), min_size=1, max_size=8).map(
    lambda pieces: "".join(piece * times for piece, times in pieces)
)


@given(st.lists(LONG, min_size=1, max_size=3))
def test_the_ends_of_a_long_text_give_the_ids_of_the_whole(texts: list[str]) -> None:
    """For either truncation, wherever a text could be cut; and the word whether anything was left out is true."""
    fields = [Fields(text) for text in texts]
    for truncation in ("head", "head+tail"):
        short = encoder(tokens_max=16, truncation=truncation).encode(fields)
        for (ids, truncated), whole in zip(short, WHOLE.encode(fields), strict=True):
            inner = whole.ids[1:-1]
            assert ids[1:-1] == truncate(inner, 14, truncation)
            assert truncated == (len(inner) > 14)


@pytest.mark.parametrize("truncation", ["head", "head+tail"])
@pytest.mark.parametrize("text", [".", "a", "\u4e2d", "a.", "\U0001f600", "a" * 5000 + "."])
def test_a_megabyte_costs_no_more_than_what_is_kept_of_it(
    truncation: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the text, the tokenizer is given a few times what fits, unless most of that is no token."""
    whole, sizes = TokenizersEncoder._ids, []

    def counting(self: TokenizersEncoder, part: str) -> list[int]:
        sizes.append(len(part))
        return whole(self, part)

    monkeypatch.setattr(TokenizersEncoder, "_ids", counting)
    (encoded,) = encoder(tokens_max=256, truncation=truncation).encode([Fields(text * (990_000 // len(text)))])
    assert max(sizes) <= (1_000_000 if text in ("a", "\U0001f600", "a" * 5000 + ".") else 20_000)
    assert len(encoded.ids) <= 256


def test_a_window_is_tokenised_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many texts of however many tokens: a few at a time, in their order, each as if it were alone."""
    few = encoder(tokens_max=256)
    tokens: list[int] = []

    class Counting:
        def encode_batch_fast(self, texts: list[str], **options: bool) -> object:
            found = whole.encode_batch_fast(texts, **options)
            tokens.append(sum(len(item.ids) for item in found))
            return found

        def __getattr__(self, name: str) -> object:
            return getattr(whole, name)

    whole = few._tokenizer
    monkeypatch.setattr(few, "_tokenizer", Counting())
    texts = [f"{number} " + "." * (4000 if number % 7 else 60_000) for number in range(512)]
    encoded = few.encode([Fields(text) for text in texts])

    assert max(tokens) <= 2**20
    assert [few.encode([Fields(text)])[0] for text in texts[::50]] == encoded[::50]


def test_head_and_tail_keep_both_ends() -> None:
    """A quarter of the budget comes from the front, the rest from the back."""
    both = encoder(tokens_max=10, truncation="head+tail").encode([Fields("one two " * 20 + "the end")])[0]
    whole = WHOLE.encode([Fields("one two " * 20 + "the end")])[0].ids

    assert both.ids == [*whole[:3], *whole[-7:]]
    assert both.truncated


def test_the_title_is_read_only_where_the_template_has_it() -> None:
    """`text` ignores a title, `title+text` puts it first, and a missing one changes nothing."""
    plain, titled = encoder(), encoder(template="title+text")

    assert plain.encode([Fields("works", "Great")]) == plain.encode([Fields("works")])
    assert titled.encode([Fields("works", "Great")]) == plain.encode([Fields("Great works")])
    assert titled.encode([Fields("works", None)]) == plain.encode([Fields("works")])


def test_a_tokenizer_that_is_not_berts_is_refused(tmp_path: Path) -> None:
    """One that adds no [CLS] and [SEP] can't be served."""
    bare = json.loads(TOKENIZER.read_text())
    bare["post_processor"] = None
    (tmp_path / "tokenizer.json").write_text(json.dumps(bare))

    with pytest.raises(ValueError, match="special tokens"):
        TokenizersEncoder(tmp_path / "tokenizer.json", Encoding())
