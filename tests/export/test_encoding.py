"""Titles and head+tail truncation from the golden pairs to the worker's answers."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from contract.fields import Fields
from export.__main__ import main
from export.checkpoint import read_checkpoint
from tests.export.conftest import TOKENS_MAX, review_text
from tests.export.serving import worker_answers
from worker.adapters.bundle import read_bundle

TITLES = ("great phone", "broke", None, "  ", "okay")


def rewrite_encoding(checkpoint: Path, template: str, truncation: str) -> None:
    """Give a checkpoint another encoding, with golden pairs made by the tokenizer alone."""
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    tokenizer.no_truncation()
    randomly, pairs = random.Random(9), []
    for number in range(60):
        text, title = review_text(number % 3, randomly), TITLES[number % len(TITLES)]
        whole = f"{title}\n{text}" if template == "title+text" and title and title.strip() else text
        before, *ids, after = tokenizer.encode(whole).ids
        if len(ids) > (room := TOKENS_MAX - 2):
            ids = ids[:room] if truncation == "head" else ids[: room // 4] + ids[room // 4 - room :]
        fields = {"text": text} if title is None else {"text": text, "title": title}
        pairs.append({"fields": fields, "ids": [before, *ids, after]})
    encoding = {"format": 1, "template": template, "truncation": truncation, "tokens_max": TOKENS_MAX}
    (checkpoint / "encoding.json").write_text(json.dumps(encoding))
    (checkpoint / "golden_pairs.json").write_text(json.dumps(pairs))


def export(checkpoint: Path, output: Path) -> int:
    flags = ["--variants", "fp32", "--threads", "1"]
    return main(["bundle", "--checkpoint", str(checkpoint), "--output", str(output), *flags])


@pytest.mark.parametrize("truncation", ["head", "head+tail"])
@pytest.mark.parametrize("template", ["text", "title+text"])
def test_every_encoding_is_exported_and_served(
    own_checkpoint: Path, tmp_path: Path, template: str, truncation: str
) -> None:
    """The worker reproduces each golden pair, and an event's title counts where the template has it."""
    rewrite_encoding(own_checkpoint, template, truncation)
    assert export(own_checkpoint, tmp_path / "b") == 0
    bundle = read_bundle(tmp_path / "b")
    assert (bundle.manifest.encoding.template, bundle.manifest.encoding.truncation) == (template, truncation)
    text = "it is a cable " * 20 + "awful hate broke " * 12
    events: list[dict[str, Any]] = [{"text": text}, {"text": text, "title": "great"}, {"text": "it"}]
    events.append({"text": "it", "title": "great love"})
    long, titled, short, short_titled = worker_answers(tmp_path / "b", "fp32", events)
    assert (long["tokens"], long["truncated"], titled["tokens"]) == (TOKENS_MAX, True, TOKENS_MAX)
    assert short_titled["tokens"] - short["tokens"] == (2 if template == "title+text" else 0)
    if truncation == "head+tail":
        assert long["label"] == "negative", "what is telling stands at the end"


def test_goldens_hold_titles(own_checkpoint: Path, tmp_path: Path) -> None:
    """With the template title+text a worker's warm-up checks texts with titles and without."""
    rewrite_encoding(own_checkpoint, "title+text", "head+tail")
    assert export(own_checkpoint, tmp_path / "b") == 0
    titled = [golden.title for golden in read_bundle(tmp_path / "b").goldens]
    assert titled.count(None) >= 16
    assert sum(title is not None for title in titled) >= 16


def test_goldens_hold_a_title_that_counts_stars(own_checkpoint: Path, tmp_path: Path) -> None:
    """So a worker that does not know that such titles are masked refuses the bundle at its warm-up."""
    rewrite_encoding(own_checkpoint, "title+text", "head")
    tokenizer = Tokenizer.from_file(str(own_checkpoint / "tokenizer.json"))
    tokenizer.no_truncation()
    file, encoding = own_checkpoint / "golden_pairs.json", own_checkpoint / "encoding.json"
    pair = {"fields": {"text": "it works", "title": "Five Stars"}, "ids": tokenizer.encode("it works").ids}
    file.write_text(json.dumps([*json.loads(file.read_text()), pair]))
    assert export(own_checkpoint, tmp_path / "b") == 3, "an encoding that reads them"
    encoding.write_text(json.dumps(json.loads(encoding.read_text()) | {"star_titles": "masked"}))
    assert export(own_checkpoint, tmp_path / "b") == 0
    assert "Five Stars" in [golden.title for golden in read_bundle(tmp_path / "b").goldens]
    bare, starred = worker_answers(tmp_path / "b", "fp32", [{"text": "it"}, {"text": "it", "title": "One Star"}])
    assert bare["probabilities"] == starred["probabilities"]


def test_golden_pairs_keep_their_titles(own_checkpoint: Path) -> None:
    """A pair without a title has none, and what else a later version says of its fields is passed over."""
    pair = {"fields": {"text": "it works", "title": "great", "stars": 5}, "ids": [2, 3]}
    bare = {"fields": {"text": "it works"}, "ids": [2, 3], "more": 1}
    (own_checkpoint / "golden_pairs.json").write_text(json.dumps([pair, bare]))
    assert read_checkpoint(own_checkpoint).golden_fields() == [Fields("it works", "great"), Fields("it works")]


def test_a_title_that_training_did_not_see_is_refused(
    own_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Golden pairs encoded without titles, under an encoding with them: exit code 3."""
    rewrite_encoding(own_checkpoint, "text", "head")
    encoding = json.loads((own_checkpoint / "encoding.json").read_text())
    (own_checkpoint / "encoding.json").write_text(json.dumps(encoding | {"template": "title+text"}))
    assert export(own_checkpoint, tmp_path / "b") == 3
    assert "of 60 golden pairs otherwise than training did" in " ".join(capsys.readouterr().err.split())
