"""From review files to labelled texts, with an account of every line that was left out."""

import ast
import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from sklearn.model_selection import train_test_split

from training.errors import TrainingError

LABELS = ("neutral", "positive", "negative")
"""In class-id order."""

_TEXT_FIELDS = ("reviewText", "text")
_STAR_FIELDS = ("overall", "rating")
_STARS_MAX = 5


@dataclass(frozen=True)
class Review:
    """A text with its class id (see `LABELS`) and where it came from."""

    text: str
    label: int
    category: str


@dataclass
class Corpus:
    """The usable reviews of some files, and what was left out: by reason, with the first place of each."""

    reviews: list[Review] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    first_place: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)  # name to sha256

    def data_sheet(self) -> dict[str, Any]:
        """What is worth knowing of the data, for the report."""
        return {
            "files": self.files,
            "reviews": len(self.reviews),
            "by_class": dict(Counter(LABELS[review.label] for review in self.reviews)),
            "by_category": dict(Counter(review.category for review in self.reviews)),
            "rejected": dict(self.rejected),
            "rejected_first": self.first_place,
        }


def star_label(stars: float) -> int:
    """The class id of a rating: 4-5 positive, 3 neutral, 0-2 negative; between them the lower class counts.

    Raises:
        ValueError: If the rating is not between 0 and 5.
    """
    if not 0 <= stars <= _STARS_MAX:
        raise ValueError("stars outside 0..5")
    name = "positive" if stars >= 4 else "neutral" if stars >= 3 else "negative"  # noqa: PLR2004
    return LABELS.index(name)


def read_corpus(files: Sequence[Path]) -> Corpus:
    """Read Amazon review files: JSON lines of 2014 (`reviewText`, `overall`) or 2023 (`text`, `rating`).

    Raises:
        TrainingError: If a file can't be read, or nothing in the files is usable.
    """
    corpus = Corpus()
    for file in files:
        try:
            corpus.files[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
            with _open(file) as lines:
                _read_lines(file, lines, corpus)
        except (OSError, EOFError, UnicodeDecodeError) as error:
            raise TrainingError(f"can't read {file}: {error}") from error
    if not corpus.reviews:
        places = ", ".join(f"{reason} ({place})" for reason, place in corpus.first_place.items()) or "no lines"
        raise TrainingError(
            f"nothing usable in {', '.join(map(str, files)) or 'no files'}: {places}. A line is a JSON object "
            "with `reviewText` or `text`, and `overall` or `rating` from 0 to 5."
        )
    return corpus


def split(reviews: Sequence[Review], validation_share: float = 0.2, seed: int = 2018) -> tuple[list[Review], ...]:
    """A stratified training and validation part; copies of a text stay on one side.

    Raises:
        TrainingError: If a class has fewer than two different texts.
    """
    labels = {text_key(review.text): review.label for review in reviews}
    counts = Counter(labels.values())
    for label, name in enumerate(LABELS):
        if counts[label] < 2:  # noqa: PLR2004 - one for each side
            raise TrainingError(
                f"only {counts[label]} different {name} text(s): each class needs at least two, one for each part"
            )
    _, held_out = train_test_split(
        sorted(labels),
        test_size=max(validation_share, len(LABELS) / len(labels)),
        stratify=[labels[key] for key in sorted(labels)],
        random_state=seed,
    )
    chosen = set(held_out)
    parts: tuple[list[Review], list[Review]] = ([], [])
    for review in reviews:
        parts[text_key(review.text) in chosen].append(review)
    return parts


def text_key(text: str) -> str:
    """Equal for texts that differ in case, spaces and punctuation only."""
    return "".join(filter(str.isalnum, text.casefold())) or text


def _open(file: Path) -> TextIO:
    return gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8")


def _read_lines(file: Path, lines: Iterable[str], corpus: Corpus) -> None:
    category = file.name.split(".")[0]
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            corpus.reviews.append(_review(line, category))
        except ValueError as error:
            corpus.rejected[str(error)] += 1
            corpus.first_place.setdefault(str(error), f"{file}:{number}")


def _review(line: str, category: str) -> Review:
    record = _parse(line)
    texts = [text for text in _values(record, _TEXT_FIELDS) if isinstance(text, str) and text.strip()]
    stars = [
        star
        for star in _values(record, _STAR_FIELDS)
        if isinstance(star, int | float) and not isinstance(star, bool)
    ]
    if not texts:
        raise ValueError("no text")
    if not stars:
        raise ValueError("no stars")
    return Review(texts[0], star_label(stars[0]), str(record.get("category", category)))


def _parse(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        try:  # the 2014 set was first published as Python literals
            record = ast.literal_eval(line.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            raise ValueError("not JSON") from None
    if not isinstance(record, dict):
        raise ValueError("not an object")  # noqa: TRY004 - counted with the other reasons
    return record


def _values(record: dict[str, Any], names: Iterable[str]) -> Iterator[Any]:
    return (record[name] for name in names if name in record)
