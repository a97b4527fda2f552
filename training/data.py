"""From review files to labelled texts, with an account of every line that was left out."""

import ast
import gzip
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from sklearn.model_selection import train_test_split

from training.errors import TrainingError

LABELS = ("neutral", "positive", "negative")
"""In class-id order."""

_TEXT_FIELDS = ("text", "reviewText")  # in the worker's order: both must read the same text of a record
_STAR_FIELDS = ("overall", "rating")
_STARS_MAX = 5
_STARS_OF_CLASS = ("3", "4 or 5", "0 to 2")


@dataclass(frozen=True)
class Review:
    """A text with its class id (see `LABELS`), where it came from, and its rating if it had one."""

    text: str
    label: int
    category: str
    stars: float | None = None
    title: str | None = None


@dataclass
class Corpus:
    """The usable reviews of some files, and what was left out: by reason, with the first place of each."""

    reviews: list[Review] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    first_place: dict[str, str] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)  # name, sha256, reviews

    def left_out(self) -> list[str]:
        """A phrase for each reason why lines were left out."""
        return [
            f"{count} line{'s' * (count > 1)} left out: {reason}, first {self.first_place[reason]}"
            for reason, count in self.rejected.items()
        ]

    def require_classes(self) -> None:
        """Check that there is a review of each class, without which neither training nor figures mean anything.

        Raises:
            TrainingError: If a class is missing.
        """
        counts = Counter(review.label for review in self.reviews)
        for label, name in enumerate(LABELS):
            if not counts[label]:
                found = ", ".join(f"{count} {LABELS[other]}" for other, count in counts.items())
                names = ", ".join(file["name"] for file in self.files)
                raise TrainingError(
                    f"no {name} review ({_STARS_OF_CLASS[label]} stars) in {names}, only {found}: add files that "
                    f"have some. {_sentence(self.left_out())}".strip()
                )

    def data_sheet(self) -> dict[str, Any]:
        """What is worth knowing of the data, for the report."""
        return {
            "files": self.files,
            "reviews": len(self.reviews),
            "by_class": dict(Counter(LABELS[review.label] for review in self.reviews)),
            "by_category": dict(Counter(review.category for review in self.reviews)),
            "rejected": dict(self.rejected),
            "rejected_first": {reason: Path(place).name for reason, place in self.first_place.items()},
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
        before = len(corpus.reviews)
        try:
            with file.open("rb") as raw:
                sha256 = hashlib.file_digest(raw, "sha256").hexdigest()
            with _open(file) as lines:
                _read_lines(file, lines, corpus)
        except (OSError, EOFError, zlib.error) as error:
            raise TrainingError(f"can't read {file}: {getattr(error, 'strerror', None) or error}") from error
        corpus.files.append({"name": file.name, "sha256": sha256, "reviews": len(corpus.reviews) - before})
    if not corpus.reviews:
        raise TrainingError(
            f"nothing usable in {', '.join(map(str, files))}: {_sentence(corpus.left_out()) or 'no lines at all.'}"
            " A line is a JSON object with `reviewText` or `text`, and `overall` or `rating` from 0 to 5."
        )
    return corpus


def split(
    reviews: Sequence[Review], validation_share: float = 0.2, seed: int = 2018
) -> tuple[list[Review], list[Review]]:
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


def without_copies(reviews: Iterable[Review], of: Iterable[Review]) -> list[Review]:
    """The reviews whose text does not stand in `of` too."""
    known = {text_key(review.text) for review in of}
    return [review for review in reviews if text_key(review.text) not in known]


def text_key(text: str) -> str:
    """Equal for texts that differ in case, spaces and punctuation only."""
    return "".join(filter(str.isalnum, text.casefold())) or text


def _open(file: Path) -> gzip.GzipFile | BinaryIO:
    return gzip.GzipFile(file) if file.suffix == ".gz" else file.open("rb")


def _read_lines(file: Path, lines: Iterable[bytes], corpus: Corpus) -> None:
    stem = file.name.split(".")[0]
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            corpus.reviews.append(_review(_parse(line), stem))
        except ValueError as error:
            corpus.rejected[str(error)] += 1
            corpus.first_place.setdefault(str(error), f"{file}:{number}")


def _parse(line: bytes) -> dict[str, Any]:
    try:
        text = line.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        try:  # the 2014 set was first published as Python literals
            record = ast.literal_eval(text)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            raise ValueError("not JSON") from None
    if not isinstance(record, dict):
        raise ValueError("not an object")  # noqa: TRY004 - counted with the other reasons
    return record


def _review(record: dict[str, Any], stem: str) -> Review:
    texts = [text for name in _TEXT_FIELDS if isinstance(text := record.get(name), str) and _has_signs(text)]
    stars = [
        star
        for name in _STAR_FIELDS
        if isinstance(star := record.get(name), int | float) and not isinstance(star, bool)
    ]
    if not texts:
        raise ValueError("no text")
    if not stars:
        raise ValueError("no stars")
    if any("\ud800" <= sign <= "\udfff" for sign in texts[0]):
        raise ValueError("a lone surrogate in the text")  # JSON can write one; UTF-8 and tokenizers can't
    category = record.get("category")
    category = category if isinstance(category, str) and category else stem
    return Review(texts[0], star_label(stars[0]), category, float(stars[0]))


def _has_signs(text: str) -> bool:
    """Whether there is more than white space and control characters; the worker refuses such texts too."""
    return any(sign.isprintable() and not sign.isspace() for sign in text)


def _sentence(parts: Sequence[str]) -> str:
    return "; ".join(parts) + "." if parts else ""
