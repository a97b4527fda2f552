"""What stands in the folder of a checkpoint."""

import json
from pathlib import Path

from tokenizers import Tokenizer

from training.encoding import HOSTILE


def test_a_checkpoint_is_whole(checkpoint: Path) -> None:
    """Everything that export, people and transformers need is there; nothing is left of the run beside it."""
    assert {file.name for file in checkpoint.iterdir()} == {
        "README.md", "config.json", "confusion.png", "encoding.json", "golden_pairs.json", "history.json",
        "loss.png", "metrics.json", "model.safetensors", "report.html", "tokenizer.json",
        "tokenizer_config.json", "training.json", "vocab.txt",
    }  # fmt: skip
    assert [file.name for file in checkpoint.parent.iterdir()] == ["checkpoint"]
    config = json.loads((checkpoint / "config.json").read_text())
    assert config["id2label"] == {"0": "neutral", "1": "positive", "2": "negative"}
    assert config["label2id"] == {"neutral": 0, "positive": 1, "negative": 2}
    assert json.loads((checkpoint / "encoding.json").read_text()) == {
        "format": 1, "template": "text", "star_titles": "masked", "truncation": "head", "tokens_max": 32,
    }  # fmt: skip
    assert all(file.stat().st_mode & 0o044 == 0o044 for file in checkpoint.iterdir())
    for picture in ("loss.png", "confusion.png"):
        assert (checkpoint / picture).read_bytes().startswith(b"\x89PNG")


def test_golden_pairs_are_reproduced(checkpoint: Path) -> None:
    """A plain tokenizer with the written rules gives the same ids for each of the pairs, the hostile ones too."""
    pairs = json.loads((checkpoint / "golden_pairs.json").read_text())
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    assert tokenizer.truncation is None
    assert tokenizer.padding is None
    tokenizer.enable_truncation(32)
    assert len(pairs) == 200
    assert any(len(pair["ids"]) == 32 for pair in pairs)
    assert set(HOSTILE) <= {pair["fields"]["text"] for pair in pairs}
    for pair in pairs:
        assert tokenizer.encode(pair["fields"]["text"]).ids == pair["ids"]
        assert 2 <= len(pair["ids"]) <= 32
        assert (pair["ids"][0], pair["ids"][-1]) == (2, 3)


def test_a_special_token_in_a_text_is_the_token(checkpoint: Path) -> None:
    """A literal "[SEP]" becomes the separator's own id, as Hugging Face's tokenizers do by default."""
    pairs = {
        pair["fields"]["text"]: pair["ids"] for pair in json.loads((checkpoint / "golden_pairs.json").read_text())
    }
    assert pairs["[CLS] [SEP] [MASK] [PAD] [UNK]"] == [2, 2, 3, 4, 0, 1, 3]
