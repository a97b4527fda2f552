"""How a review becomes token ids, written down so that serving can be held to it.

Special tokens in a text, such as a literal "[SEP]", become the special ids themselves: that is what Hugging
Face's tokenizers do by default, in training and in the worker alike, and the golden pairs hold both to it.
"""

import json
import random
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from contract.encoding import ENCODING_FILE, Encoding, apply_template, fields_read, truncate
from contract.errors import InputError
from contract.fields import Fields
from reviews.review import Review

GOLDEN_FILE = "golden_pairs.json"
TEMPLATES: tuple[str, ...] = get_args(Encoding.model_fields["template"].annotation)
TRUNCATIONS: tuple[str, ...] = get_args(Encoding.model_fields["truncation"].annotation)
STAR_TITLES: tuple[str, ...] = get_args(Encoding.model_fields["star_titles"].annotation)
_LATER_FIELDS = {"star_titles"}  # checkpoints of older versions do not say them, and mean the default
_GOLDEN_PAIRS = 200
_CHUNK_TEXTS = 1000  # tokenised at a time, so that a long text costs memory only for a while
_UNREAD_TITLES = 5  # golden pairs with a title where none is read: they tell one template from the other
_SPECIAL_TOKENS = 2  # [CLS] and [SEP]


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

COUNTED_STARS = ("Five Stars", "one star.", "4/5 stars", "\u2605" * 5, "Five stars for comfort")
"""Titles that are a count of stars, and one that says more: with them an edited `star_titles` shows."""


def encode(tokenizer: Any, reviews: Sequence[Review], encoding: Encoding) -> list[list[int]]:
    """Token ids of each review with the special ones; not padded."""
    kept = encoding.tokens_max - _SPECIAL_TOKENS
    rows: list[list[int]] = []
    for start in range(0, len(reviews), _CHUNK_TEXTS):
        some = reviews[start : start + _CHUNK_TEXTS]
        texts = [apply_template(Fields(review.text, review.title), encoding) for review in some]
        tokenised = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        rows += [
            [tokenizer.cls_token_id, *truncate(ids, kept, encoding.truncation), tokenizer.sep_token_id]
            for ids in tokenised
        ]
    return rows


def write_encoding(folder: Path, tokenizer: Any, reviews: Sequence[Review], encoding: Encoding, seed: int) -> None:
    """Write `encoding.json` and 200 golden pairs: hostile texts, some under titles, then some `reviews`."""
    (folder / ENCODING_FILE).write_text(encoding.model_dump_json(indent=2) + "\n")
    titled = [Review(text, 0, "", title=title) for text, title in zip(HOSTILE, HOSTILE[7:], strict=False)]
    if encoding.template == "text":
        titled = titled[-_UNREAD_TITLES:]
    starred = [Review(f"it works {n}", 0, "", title=title) for n, title in enumerate(COUNTED_STARS)]
    hostile = [*(Review(text, 0, "") for text in HOSTILE), *titled, *starred]
    drawn = min(len(reviews), 4 * _GOLDEN_PAIRS)  # some may be copies
    order = random.Random(seed).sample(range(len(reviews)), drawn)  # noqa: S311 - a sample, no secret
    real = list(islice(dict.fromkeys(reviews[index] for index in order), _GOLDEN_PAIRS - len(hostile)))
    rows = encode(tokenizer, [*hostile, *real], encoding)
    fields = [
        *(_fields(review, Encoding(template="title+text")) for review in hostile),  # titles that are not read too
        *(_fields(review, encoding) for review in real),
    ]
    pairs = [{"fields": one, "ids": ids} for one, ids in zip(fields, rows, strict=True)]
    (folder / GOLDEN_FILE).write_text(json.dumps(pairs) + "\n")


def _fields(review: Review, encoding: Encoding) -> dict[str, str]:
    """What an encoding reads of a review, as the golden pairs have it."""
    read = fields_read(Fields(review.text, review.title), encoding)
    return {"text": read.text} if read.title is None else {"title": read.title, "text": read.text}


def read_encoding(folder: Path) -> Encoding:
    """The encoding that the checkpoint in `folder` was trained with.

    Raises:
        InputError: If its `encoding.json` is missing, or not one that this version encodes.
    """
    try:
        record = json.loads((folder / ENCODING_FILE).read_bytes())
    except (OSError, ValueError):
        record = None
    if not isinstance(record, dict) or not Encoding.model_fields.keys() - _LATER_FIELDS <= record.keys():
        raise InputError(
            f"{folder} is not a checkpoint that `python -m training fit` wrote: no usable {ENCODING_FILE}"
        )
    try:
        return Encoding.model_validate(record)
    except ValidationError as error:
        if {item["loc"] for item in error.errors()} == {("tokens_max",)}:
            raise InputError(
                f"{folder / ENCODING_FILE} asks for {record['tokens_max']} tokens, and a model reads 3 or more: "
                "the folder was changed after it was trained"
            ) from error
        raise InputError(
            f"{folder / ENCODING_FILE} asks for an encoding that this version does not know: {record}"
        ) from error
