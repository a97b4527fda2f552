"""How a review becomes token ids, written down so that serving can be held to it.

Special tokens in a text, such as a literal "[SEP]", become the special ids themselves: that is what Hugging
Face's tokenizers do by default, in training and in the worker alike, and the golden pairs hold both to it.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from contract.errors import TrainingError
from reviews.corpus import Review

ENCODING_FILE = "encoding.json"
GOLDEN_FILE = "golden_pairs.json"
TEMPLATES = ("text", "title+text")
TRUNCATIONS = ("head", "head+tail")
_FORMAT = 1
_GOLDEN_PAIRS = 200
_CHUNK_TEXTS = 1000  # tokenised at a time, so that a long text costs memory only for a while
_UNREAD_TITLES = 5  # golden pairs with a title where none is read: they tell one template from the other
_SPECIAL_TOKENS = 2  # [CLS] and [SEP]


@dataclass(frozen=True)
class Encoding:
    """How the fields of a review become token ids: the worker does the same, by `encoding.json`.

    Attributes:
        template: `text`, or `title+text`: the title on a line of its own before the text, where there is one.
        truncation: `head` keeps the first tokens; `head+tail` a quarter from the beginning and three quarters from
            the end (Sun et al. 2019, arXiv 1905.05583: 128 and 382 of 510).
        tokens_max: Tokens that are kept, the special ones included.
    """

    template: str = "text"
    truncation: str = "head"
    tokens_max: int = 512

    def fields(self, review: Review) -> dict[str, str]:
        """What is read of a review."""
        if self.template == "title+text" and review.title and not review.title.isspace():
            return {"title": review.title, "text": review.text}
        return {"text": review.text}

    def cut(self, ids: list[int]) -> list[int]:
        """The token ids that are kept, of ids without special ones."""
        kept = self.tokens_max - _SPECIAL_TOKENS
        if len(ids) <= kept:
            return ids
        first = kept if self.truncation == "head" else kept // 4
        return ids[:first] + ids[len(ids) - (kept - first) :] if first < kept else ids[:kept]


_WHOLE = Encoding("title+text")

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


def encode(tokenizer: Any, reviews: Sequence[Review], encoding: Encoding) -> list[list[int]]:
    """Token ids of each review with the special ones; not padded."""
    rows: list[list[int]] = []
    for start in range(0, len(reviews), _CHUNK_TEXTS):
        fields = [encoding.fields(review) for review in reviews[start : start + _CHUNK_TEXTS]]
        texts = ["\n".join(parts.values()) for parts in fields]
        tokenised = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        rows += [[tokenizer.cls_token_id, *encoding.cut(ids), tokenizer.sep_token_id] for ids in tokenised]
    return rows


def write_encoding(folder: Path, tokenizer: Any, reviews: Sequence[Review], encoding: Encoding, seed: int) -> None:
    """Write `encoding.json` and 200 golden pairs: hostile texts, some under titles, then some `reviews`."""
    record = {"format": _FORMAT, **asdict(encoding)}
    (folder / ENCODING_FILE).write_text(json.dumps(record, indent=2) + "\n")
    titled = [Review(text, 0, "", title=title) for text, title in zip(HOSTILE, HOSTILE[7:], strict=False)]
    if encoding.template == "text":
        titled = titled[-_UNREAD_TITLES:]
    hostile = [*(Review(text, 0, "") for text in HOSTILE), *titled]
    drawn = min(len(reviews), 4 * _GOLDEN_PAIRS)  # some may be copies
    order = random.Random(seed).sample(range(len(reviews)), drawn)  # noqa: S311 - a sample, no secret
    real = list(islice(dict.fromkeys(reviews[index] for index in order), _GOLDEN_PAIRS - len(hostile)))
    rows = encode(tokenizer, [*hostile, *real], encoding)
    fields = [*map(_WHOLE.fields, hostile), *map(encoding.fields, real)]
    pairs = [{"fields": one, "ids": ids} for one, ids in zip(fields, rows, strict=True)]
    (folder / GOLDEN_FILE).write_text(json.dumps(pairs) + "\n")


def read_encoding(folder: Path) -> Encoding:
    """The encoding that the checkpoint in `folder` was trained with.

    Raises:
        TrainingError: If its `encoding.json` is missing, or not one that this version encodes.
    """
    try:
        record = json.loads((folder / ENCODING_FILE).read_text())
        version = record["format"]
        encoding = Encoding(record["template"], record["truncation"], int(record["tokens_max"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{folder} is not a checkpoint that `python -m training fit` wrote: no usable {ENCODING_FILE}"
        ) from error
    if version != _FORMAT or encoding.template not in TEMPLATES or encoding.truncation not in TRUNCATIONS:
        raise TrainingError(
            f"{folder / ENCODING_FILE} asks for an encoding that this version does not know: {record}"
        )
    return encoding
