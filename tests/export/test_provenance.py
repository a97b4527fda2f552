"""Where a bundle comes from; that the manifest has it: test_pipeline."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import JsonValue

from contract.encoding import Encoding
from export.checkpoint import Checkpoint, Config
from export.provenance import accuracy_figures, default_name, default_version


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Tiny Model", "tiny-model"),
        ("runs/a_b.1", "a_b.1"),
        ("Größe!", "gr-e"),
        ("--.x.--", "x"),
        ("!!!", "model"),
    ],
)
def test_the_default_name_fits_into_labels_and_files(folder: str, name: str, tmp_path: Path) -> None:
    """Lower case, digits, dots, dashes and underscores, with a letter or digit at both ends."""
    assert default_name(tmp_path / folder) == name
    assert re.fullmatch(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?", name)


def test_the_default_version_sorts_by_day_and_tells_weights_apart() -> None:
    """The UTC date, then six digits of the weights' hash."""
    config = Config(
        model_type="bert", num_hidden_layers=1, num_attention_heads=1, hidden_size=1, max_position_embeddings=8,
        vocab_size=9, id2label={},
    )  # fmt: skip
    encoding = Encoding(format=1, template="text", truncation="head", tokens_max=8)
    checkpoint = Checkpoint(Path("c"), config, encoding, (), {}, {}, "abcdef0123")
    assert default_version(checkpoint, datetime(2026, 11, 3, 23, 59, tzinfo=UTC)) == "20261103.abcdef"
    assert re.fullmatch(r"\d{8}\.abcdef", default_version(checkpoint))


def test_nested_numbers_are_figures_and_nothing_else_is() -> None:
    """Names joined with dots; truth values, texts and lists are no figures."""
    metrics: dict[str, JsonValue] = {
        "rows": 3, "by_class": {"neutral": {"f1": 0.25}}, "whole": True, "note": "x", "confusion": [[1]],
        "none": None,
    }  # fmt: skip
    assert accuracy_figures(metrics) == {"rows": 3.0, "by_class.neutral.f1": 0.25}
