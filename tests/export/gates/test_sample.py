"""The worker's encoder is held to what training saw."""

import json
from pathlib import Path

import pytest

from contract.errors import UsageError
from contract.fields import Fields
from export.gates.sample import encode_sample
from tests.export.running import export, told
from tests.export.tiny_checkpoint import rewrite_encoding
from tests.fakes import FakeEncoder


def test_other_tokens_than_training_saw_are_refused(
    own_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One golden pair that the worker's encoder does not reproduce: exit code 3, no folder."""
    pairs = json.loads((own_checkpoint / "golden_pairs.json").read_text())
    pairs[7]["ids"][1] += 1
    (own_checkpoint / "golden_pairs.json").write_text(json.dumps(pairs))
    assert export(own_checkpoint, tmp_path / "b", "--variants", "fp32") == 3
    assert "1 of 63 golden pairs" in told(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_a_title_that_training_did_not_see_is_refused(
    own_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Golden pairs encoded without titles, under an encoding with them: exit code 3."""
    rewrite_encoding(own_checkpoint, "text", "head")
    encoding = json.loads((own_checkpoint / "encoding.json").read_text())
    (own_checkpoint / "encoding.json").write_text(json.dumps(encoding | {"template": "title+text"}))
    assert export(own_checkpoint, tmp_path / "b", "--variants", "fp32") == 3
    assert "of 60 golden pairs otherwise than training did" in told(capsys)


def test_tokens_that_the_model_does_not_know_are_refused() -> None:
    """Another model's tokenizer would read beyond the embedding table."""
    texts = [Fields("ab"), Fields("z")]
    sample = encode_sample(FakeEncoder(), texts[:1], texts[1:], vocabulary=ord("z") + 1)
    assert (sample.texts, sample.shareable) == (tuple(texts), 1)
    assert sample.rows == [[1, ord("a"), ord("b"), 2], [1, ord("z"), 2]]
    with pytest.raises(UsageError, match="gives token 122, but the model knows 122"):
        encode_sample(FakeEncoder(), texts[:1], texts[1:], vocabulary=ord("z"))
