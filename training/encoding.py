"""How texts become token ids, written down so that serving can be held to it.

Special tokens in a text, such as a literal "[SEP]", become the special ids themselves: that is what Hugging
Face's tokenizers do by default, in training and in the worker alike, and the golden pairs hold both to it.
"""

import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from training.errors import TrainingError

ENCODING_FILE = "encoding.json"
GOLDEN_FILE = "golden_pairs.json"
_GOLDEN_PAIRS = 200
_CHUNK_TEXTS = 1000  # tokenised at a time, so that a long text costs memory only for a while

HOSTILE = (
    # nothing, or nothing that is left after normalisation
    " ",
    "\u0301",
    "\u200b\u200d\ufeff",
    "\x00\x01\x07\x7f",
    "\n\t\r\n",
    # very short, very long, no place to cut
    "ok",
    "!!!",
    ".",
    "word " * 5000,
    "a" * 3000,
    "a" * 100,
    "a" * 101,
    "no-space," * 2000,
    "$" * 600,
    "\u4e2d" * 700,
    # white space and signs that can't be seen
    "Tabs\tand\nnew\r\nlines\u2028and\u00a0spaces\u3000here",
    "  leading, trailing  and   double   spaces  ",
    "control\x00\x01\x07characters\x7f in\x08side",
    "zero\u200bwidth\u200djoiner\ufeff soft\u00adhyphen",
    "left\u202eright\u202c marks\u200e \u200f",
    # letters beyond ASCII
    "Caf\u00e9 na\u00efve \u00c5ngstr\u00f6m, \u0130stanbul, stra\u00dfe, \u0152uvre",
    "Cafe\u0301 nai\u0308ve co\u0302te\u0301 z\u0351\u036b\u0343a\u0300\u0301\u0302l\u0489go",
    "\ufb01ne \uff26\uff35\uff2c\uff2c \u2460 \u2122 \u00bd \u00b2",
    "\u0645\u0646\u062a\u062c \u0631\u0627\u0626\u0639 \u05de\u05d5\u05e6\u05e8 \u05de\u05e2\u05d5\u05dc\u05d4",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u0e44\u0e17\u0e22 \u1019\u103c\u1014\u103a\u1019\u102c",
    "\u975e\u5e38\u597d\u7684\u4ea7\u54c1 mixed \u65e5\u672c\u8a9e\u306e and \ud55c\uad6d\uc5b4",
    "\u041f\u0440\u0435\u043a\u0440\u0430\u0441\u043d\u043e \u03ba\u03b1\u03bb\u03cc\u03c2 \u03a3\u03a3",
    "\U00020000\U0002a6d6 rare ideographs \ue000 private",
    # pictures and punctuation
    "\U0001f600\U0001f44d\U0001f3fd \U0001f1e9\U0001f1ea \u2764\ufe0f love it \U0001f468\u200d\U0001f469",
    "\u2605\u2605\u2605\u2605\u2606 4/5 \u20ac19.99 \u2014 \u201cquoted\u201d \u2026 :-) <3",
    "?!?!?! -- ... //// ((( )))",
    # what reviews are full of
    "it's don't won't I'd 'tis rock'n'roll \u2019twas",
    "e-mail@example.com v2.0 10,000.00 -40C 3.5mm 1080p #1",
    "MiXeD CaSe SHOUTING quietly",
    "soooooooo goooooood!!!!!!!!",
    "<p>HTML &amp; entities</p><br /><script>alert(1)</script>",
    '{"json": "in \\"text\\""} \\n C:\\path',
    # the tokenizer's own words
    "[CLS] [SEP] [MASK] [PAD] [UNK]",
    "not[SEP]separated [sep] [ SEP ] [MASK][MASK]",
    "##ing un ##able [unused1]",
)
"""What real topics hold and validation sets do not."""


def encode(tokenizer: Any, texts: Sequence[str], tokens_max: int) -> list[list[int]]:
    """Token ids of each text with the special ones, cut at the end to `tokens_max`; not padded."""
    rows: list[list[int]] = []
    for start in range(0, len(texts), _CHUNK_TEXTS):
        chunk = list(texts[start : start + _CHUNK_TEXTS])
        rows += tokenizer(chunk, truncation=True, max_length=tokens_max)["input_ids"]
    return rows


def write_encoding(folder: Path, tokenizer: Any, texts: Iterable[str], tokens_max: int, seed: int) -> None:
    """Write `encoding.json` and 200 golden pairs: the hostile texts, then a sample of `texts`."""
    encoding = {"format": 1, "template": "text", "truncation": "head", "tokens_max": tokens_max}
    (folder / ENCODING_FILE).write_text(json.dumps(encoding, indent=2) + "\n")
    real = list(dict.fromkeys(texts))
    wanted = min(_GOLDEN_PAIRS - len(HOSTILE), len(real))
    chosen = [*HOSTILE, *random.Random(seed).sample(real, wanted)]  # noqa: S311 - a sample, no secret
    rows = encode(tokenizer, chosen, tokens_max)
    pairs = [{"fields": {"text": text}, "ids": ids} for text, ids in zip(chosen, rows, strict=True)]
    (folder / GOLDEN_FILE).write_text(json.dumps(pairs) + "\n")


def read_tokens_max(folder: Path) -> int:
    """The length that the checkpoint in `folder` was trained with.

    Raises:
        TrainingError: If its `encoding.json` is missing, or not one that this version encodes.
    """
    try:
        encoding = json.loads((folder / ENCODING_FILE).read_text())
        known = encoding["format"], encoding["template"], encoding["truncation"]
        tokens_max = int(encoding["tokens_max"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{folder} is not a checkpoint that `python -m training fit` wrote: no usable {ENCODING_FILE}"
        ) from error
    if known != (1, "text", "head"):
        raise TrainingError(
            f"{folder / ENCODING_FILE} asks for an encoding that this version does not know: {known}"
        )
    return tokens_max
