"""How texts become token ids, written down so that serving can be held to it."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ENCODING_FILE = "encoding.json"
GOLDEN_FILE = "golden_pairs.json"
_GOLDEN_PAIRS = 200

_HOSTILE = (
    " ",
    "\u0301",
    "ok",
    "!!!",
    "a" * 3000,
    "word " * 5000,
    "no-space," * 2000,
    "Tabs\tand\nnew\r\nlines\u2028and\u00a0spaces",
    "control\x00\x01\x07characters\x7f",
    "zero\u200bwidth\u200djoiner\ufeff",
    "Caf\u00e9 na\u00efve \u00c5ngstr\u00f6m, co\u0302te\u0301, \u0130stanbul, stra\u00dfe",
    "\u2605\u2605\u2605\u2605\u2606 4/5 \u20ac19.99 \u00bd price \u2014 \u201cquoted\u201d \u2026",
    "\U0001f600\U0001f44d\U0001f3fd \U0001f1e9\U0001f1ea \u2764\ufe0f love it",
    "\u975e\u5e38\u597d\u7684\u4ea7\u54c1 mixed \u65e5\u672c\u8a9e and \ud55c\uad6d\uc5b4",
    "\u0645\u0646\u062a\u062c \u0631\u0627\u0626\u0639 \u05de\u05d5\u05e6\u05e8",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u0e44\u0e17\u0e22",
    "[CLS] [SEP] [MASK] [PAD] [UNK]",
    "not[SEP]separated [sep] ##ing",
    "<p>HTML &amp; entities</p> <script>alert(1)</script>",
    "it's don't won't I'd 'tis rock'n'roll",
    "e-mail@example.com http example 10,000.00 -40C 3.5mm 1080p",
    "MiXeD CaSe SHOUTING quietly",
    "$" * 600,
    "\u4e2d" * 700,
)


def encode(tokenizer: Any, text: str, tokens_max: int) -> list[int]:
    """Token ids with the special ones, cut at the end to `tokens_max`."""
    ids: list[int] = tokenizer(text, truncation=True, max_length=tokens_max)["input_ids"]
    return ids


def write_encoding(folder: Path, tokenizer: Any, texts: Sequence[str], tokens_max: int, seed: int) -> None:
    """Write `encoding.json` and 200 golden pairs: hostile texts first, then real ones."""
    encoding = {"format": 1, "template": "text", "truncation": "head", "tokens_max": tokens_max}
    (folder / ENCODING_FILE).write_text(json.dumps(encoding, indent=2) + "\n")
    wanted = _GOLDEN_PAIRS - len(_HOSTILE)
    real = random.Random(seed).sample(list(texts), min(wanted, len(texts)))  # noqa: S311 - a sample, no secret
    pairs = [{"fields": {"text": text}, "ids": encode(tokenizer, text, tokens_max)} for text in (*_HOSTILE, *real)]
    (folder / GOLDEN_FILE).write_text(json.dumps(pairs) + "\n")
