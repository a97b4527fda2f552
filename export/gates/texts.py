"""The texts that parity is measured on: real ones where given, the golden pairs', and compositions of these."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, cycle
from pathlib import Path

from contract.errors import InputError, UsageError
from contract.fields import Fields
from export.labelled import read_reviews

TEXTS_MIN = 500
"""On fewer texts a flip rate of 0.2 % and an agreement of 98 % could not be told from chance."""
FILE_TEXTS_MAX = 200
"""More texts from --texts would cost minutes on a BERT-base and change no decision."""
_COMPOSED_MIN = 100
"""Golden pairs may all be short; these make sure that the goldens reach up to the longest input."""
_LONG_SHARE = 0.05
_ATTEMPTS_PER_TEXT = 50

HOSTILE = (
    "ok",
    "!!!",
    "?" * 700,
    "a" * 3000,
    "no-space," * 400,
    "not good not bad " * 300,
    "Tabs\tand\nnew\r\nlines\u2028and\u00a0spaces",
    "control\x00\x01\x07characters\x7f and zero\u200bwidth\ufeff",
    "Cafe\u0301 na\u00efve \u00c5ngstr\u00f6m \u0130stanbul stra\u00dfe",
    "\u2605\u2605\u2605\u2605\u2606 4/5 \u20ac19.99 \u00bd \u2014 \u201cquoted\u201d \u2026",
    "\U0001f600\U0001f44d\U0001f3fd \U0001f1e9\U0001f1ea \u2764\ufe0f love it",
    "\u975e\u5e38\u597d\u7684\u4ea7\u54c1 \u0645\u0646\u062a\u062c \u0631\u0627\u0626\u0639",
    "\u0939\u093f\u0928\u094d\u0926\u0940",
    "[CLS] [SEP] [MASK] [PAD] [UNK] not[SEP]separated ##ing",
    "<p>HTML &amp; entities</p> it's don't 10,000.00 -40C",
)
"""What real topics hold and test sets do not."""


@dataclass(frozen=True)
class ParityTexts:
    """Texts to measure on; only those of `shareable` may be written into the bundle.

    Those of --texts and --calibration may be customers', which have no business in an artefact that travels.
    """

    shareable: tuple[Fields, ...]
    private: tuple[Fields, ...]

    @property
    def all(self) -> tuple[Fields, ...]:
        """The shareable texts, then the private ones."""
        return self.shareable + self.private


def collect_texts(
    golden: Sequence[Fields],
    files: Sequence[Path],
    held_out: Sequence[Fields] = (),
    *,
    warn: Callable[[str], None] = lambda _: None,
) -> ParityTexts:
    """At least `TEXTS_MIN` different texts; the same input gives the same texts.

    Args:
        golden: Of the checkpoint.
        files: What --texts names.
        held_out: More texts that are not to be written into the bundle.
        warn: Is told of lines of the files that can't be used, or are odd.

    Raises:
        UsageError: If a file can't be read, or the golden texts are too few and too alike to compose from.
    """
    private = list(dict.fromkeys((*_read_files(files, warn), *held_out)))
    kept = list(dict.fromkeys(chain(golden, map(Fields, HOSTILE))))
    wanted = max(_COMPOSED_MIN, TEXTS_MIN - len(kept) - len(private))
    composed = _compose(golden, wanted, known={fields.text for fields in kept})
    return ParityTexts((*kept, *composed), tuple(private))


def _compose(golden: Sequence[Fields], count: int, known: set[str]) -> list[Fields]:
    """New texts out of golden ones: beginnings, joined ones, shuffled words; one in twenty very long.

    Each has the title of a golden one in turn, so that a template with titles is measured with and without them.
    """
    randomly = random.Random(20261123)  # noqa: S311 - reproducible variety, no secret
    sources = [fields.text.split(" ") for fields in golden if fields.text.strip()]
    titles = cycle(dict.fromkeys(fields.title for fields in golden))
    composed: list[Fields] = []
    for _ in range(count * _ATTEMPTS_PER_TEXT if sources else 0):
        text = _one_composition(sources, randomly)
        if text.strip() and text not in known:
            known.add(text)
            composed.append(Fields(text, next(titles)))
        if len(composed) == count:
            return composed
    raise UsageError(
        f"the {len(golden)} golden pairs are too few or too alike to compose {count} texts for the parity check: "
        "train with more data, or name review files with --texts."
    )


def _one_composition(sources: Sequence[list[str]], randomly: random.Random) -> str:
    kind = randomly.random()
    if kind < _LONG_SHARE:
        words = list(chain.from_iterable(randomly.choices(sources, k=randomly.randint(4, 12))))
    else:
        words = list(chain.from_iterable(randomly.choices(sources, k=randomly.randint(1, 2))))
        words = words[: max(1, round(len(words) * randomly.random()))]
    if kind > 1 - _LONG_SHARE:
        randomly.shuffle(words)
    return " ".join(words[:600])


def _read_files(files: Sequence[Path], warn: Callable[[str], None]) -> Iterator[Fields]:
    """The first reviews of each file."""
    if not files:
        return
    try:
        corpus = read_reviews(files, "--texts", warn=warn, starred=False)
    except InputError as error:
        raise UsageError(f"--texts: {error}") from error
    share, start = -(-FILE_TEXTS_MAX // len(files)), 0
    for file in corpus.files:
        count = file.reviews or 0
        for review in corpus.reviews[start : start + min(count, share)]:
            yield Fields(review.text, review.title)
        start += count
