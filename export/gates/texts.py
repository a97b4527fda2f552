"""The texts that parity is measured on: real ones where given, the golden pairs', and compositions of these."""

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, cycle, islice
from pathlib import Path

from contract.errors import UsageError
from contract.fields import TEXT_FIELDS, TITLE_FIELDS, Fields, first_text, has_lone_surrogate

TEXTS_MIN = 500
"""On fewer texts a flip rate of 0.2 % and an agreement of 98 % could not be told from chance."""
FILE_TEXTS_MAX = 1000
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


def collect_texts(golden: Sequence[Fields], files: Sequence[Path], held_out: Sequence[Fields] = ()) -> ParityTexts:
    """At least `TEXTS_MIN` different texts; the same input gives the same texts.

    Args:
        golden: Of the checkpoint.
        files: What --texts names.
        held_out: More texts that are not to be written into the bundle.

    Raises:
        UsageError: If a file can't be read, or the golden texts are too few and too alike to compose from.
    """
    private = list(dict.fromkeys((*_read_files(files), *held_out)))
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


def _read_files(files: Sequence[Path]) -> list[Fields]:
    if not files:
        return []
    share = -(-FILE_TEXTS_MAX // len(files))
    found = list(dict.fromkeys(chain.from_iterable(islice(_read_file(file), share) for file in files)))
    if not found:
        raise UsageError(
            f"no review text in {', '.join(map(str, files))}: --texts takes JSON lines with a field "
            f"{' or '.join(TEXT_FIELDS[:2])}."
        )
    return found


def _read_file(file: Path) -> Iterator[Fields]:
    try:
        with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield from _read_line(file, number, line)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} of --texts can't be read: {error}") from error


def _read_line(file: Path, number: int, line: str) -> Iterator[Fields]:
    """The fields of one review, or nothing where it has no text that the worker would score."""
    try:
        review = json.loads(line)
    except json.JSONDecodeError as error:
        raise UsageError(f"{file}, line {number}, of --texts is not a JSON object a line: {error}") from error
    if not isinstance(review, dict):
        raise UsageError(f"{file}, line {number}, of --texts is not a JSON object a line.")
    usable = {name: value for name, value in review.items() if not _has_lone_surrogate(value)}
    text = first_text(usable, TEXT_FIELDS)
    if text is not None:
        yield Fields(text, first_text(usable, TITLE_FIELDS))


def _has_lone_surrogate(value: object) -> bool:
    """The worker refuses such an event."""
    return isinstance(value, str) and has_lone_surrogate(value)
