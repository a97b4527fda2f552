"""The golden texts that a worker checks before it joins its group."""

import json
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from contract.fields import Fields
from export.gates.golden import choose_goldens
from export.gates.texts import HOSTILE
from tests.export.running import export
from tests.export.serving import worker_answers
from tests.export.tiny_checkpoint import TOKENS_MAX, rewrite_encoding
from worker.adapters.bundle import read_bundle


def test_goldens_are_spread(exported: Path) -> None:
    """The goldens reach from the shortest to the longest input and cover more than one label."""
    goldens = read_bundle(exported).goldens
    lengths = [len(golden.ids) for golden in goldens]
    assert min(lengths) <= 4
    assert max(lengths) == TOKENS_MAX
    assert len({golden.probabilities.index(max(golden.probabilities)) for golden in goldens}) == 3
    assert len({golden.text for golden in goldens}) == 64


def test_goldens_hold_titles(own_checkpoint: Path, tmp_path: Path) -> None:
    """With the template title+text a worker's warm-up checks texts with titles and without."""
    rewrite_encoding(own_checkpoint, "title+text", "head+tail")
    assert export(own_checkpoint, tmp_path / "b", "--variants", "fp32") == 0
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
    flags = ("--variants", "fp32")
    assert export(own_checkpoint, tmp_path / "b", *flags) == 3, "an encoding that reads them"
    encoding.write_text(json.dumps(json.loads(encoding.read_text()) | {"star_titles": "masked"}))
    assert export(own_checkpoint, tmp_path / "b", *flags) == 0
    assert "Five Stars" in [golden.title for golden in read_bundle(tmp_path / "b").goldens]
    bare, starred = worker_answers(tmp_path / "b", "fp32", [{"text": "it"}, {"text": "it", "title": "One Star"}])
    assert bare["probabilities"] == starred["probabilities"]


def test_hostile_texts_come_first_and_a_rare_label_gets_all_it_has() -> None:
    """The rest is shared among the other labels, each from its shortest to its longest text."""
    hostile = [Fields(text) for text in HOSTILE]
    others = [Fields(f"text {number}", None if number % 2 else "title") for number in range(200)]
    labels = [0] * len(hostile) + [2 if number in {60, 130} else number % 2 for number in range(200)]
    rows = [[1, 2]] * len(hostile) + [[1] * (3 + number) for number in range(200)]

    goldens = choose_goldens([*others, *hostile], [*rows[len(hostile) :], *rows[: len(hostile)]],
                             np.eye(3)[labels[len(hostile) :] + labels[: len(hostile)]], count=45)  # fmt: skip

    assert [golden.text for golden in goldens[: len(HOSTILE)]] == list(HOSTILE)
    chosen = goldens[len(HOSTILE) :]
    of_label = [[golden for golden in chosen if golden.probabilities[label] == 1] for label in range(3)]
    assert [len(some) for some in of_label] == [14, 14, 2]
    assert {golden.text for golden in of_label[2]} == {"text 60", "text 130"}
    assert {"text 0", "text 198"} <= {golden.text for golden in of_label[0]}, "the shortest and the longest"
    assert all(len(golden.ids) == 3 + int(golden.text.split()[1]) for golden in chosen)
    assert {golden.title for golden in chosen} == {None, "title"}
