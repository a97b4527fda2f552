"""What the model reads of a review, and that serving reads the same."""

import json
from pathlib import Path

import pytest

from contract.encoding import Encoding
from contract.errors import InputError
from contract.fields import Fields
from reviews.review import Review
from training.encoding import COUNTED_STARS, encode, read_encoding, write_encoding
from training.model import load_base
from worker.adapters.encoder import TokenizersEncoder


@pytest.mark.parametrize("template", ["text", "title+text"])
@pytest.mark.parametrize("truncation", ["head", "head+tail"])
@pytest.mark.parametrize("star_titles", ["read", "masked"])
def test_the_worker_encodes_alike(
    template: str, truncation: str, star_titles: str, base_model: Path, tmp_path: Path
) -> None:
    """Each golden pair, of titles and cut texts too, is what the worker's own encoder makes of its fields."""
    tokenizer, _ = load_base(str(base_model), 64)
    words = "the phone case is great and the cable broken "
    reviews = [Review(words * n, 1, "", title="okay " * (n % 4) or None) for n in range(1, 40)]
    encoding = Encoding.model_validate(
        {"template": template, "truncation": truncation, "tokens_max": 32, "star_titles": star_titles}
    )
    write_encoding(tmp_path, tokenizer, reviews, encoding, seed=1)
    tokenizer.backend_tokenizer.save(str(tmp_path / "tokenizer.json"))

    pairs = json.loads((tmp_path / "golden_pairs.json").read_text())
    theirs = Encoding.model_validate_json((tmp_path / "encoding.json").read_bytes())
    encoder = TokenizersEncoder(tmp_path / "tokenizer.json", theirs)
    fields = [Fields(pair["fields"]["text"], pair["fields"].get("title")) for pair in pairs]
    encoded = encoder.encode(fields)

    assert [ids for ids, _ in encoded] == [pair["ids"] for pair in pairs]
    swapped = "text" if template == "title+text" else "title+text"
    other = encoding.model_copy(update={"template": swapped})
    encoded = TokenizersEncoder(tmp_path / "tokenizer.json", other).encode(fields)
    assert [ids for ids, _ in encoded] != [pair["ids"] for pair in pairs], "an edited template shows"
    if template == "title+text":
        other = encoding.model_copy(update={"star_titles": "read" if star_titles == "masked" else "masked"})
        encoded = TokenizersEncoder(tmp_path / "tokenizer.json", other).encode(fields)
        assert [ids for ids, _ in encoded] != [pair["ids"] for pair in pairs], "so do edited star titles"
    assert set(COUNTED_STARS) <= {pair["fields"].get("title") for pair in pairs}
    assert any(len(pair["ids"]) == 32 for pair in pairs)
    assert read_encoding(tmp_path) == encoding


def test_a_blank_title_is_none(base_model: Path) -> None:
    """A title of spaces, or none, leaves the text alone."""
    tokenizer, _ = load_base(str(base_model), 64)
    encoding = Encoding(template="title+text")
    rows = encode(
        tokenizer, [Review("great", 1, "", title=title) for title in (None, "", " \n ", "fine")], encoding
    )
    assert rows[0] == rows[1] == rows[2] != rows[3]


def test_an_encoding_of_an_older_version_keeps_its_meaning(tmp_path: Path) -> None:
    """Before titles could be masked, those that count stars were read."""
    (tmp_path / "encoding.json").write_text(
        '{"format": 1, "template": "title+text", "truncation": "head", "tokens_max": 9}'
    )
    assert read_encoding(tmp_path).star_titles == "read"


def test_an_unknown_encoding_is_refused(tmp_path: Path) -> None:
    """A later version's encoding is not guessed at."""
    (tmp_path / "encoding.json").write_text(
        '{"format": 1, "template": "text", "truncation": "middle", "tokens_max": 9}'
    )
    with pytest.raises(InputError, match="does not know"):
        read_encoding(tmp_path)
