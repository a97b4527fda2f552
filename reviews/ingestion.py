"""From review files of any size to Arrow files in the cache: one pass over the lines, then one over the texts."""

import gzip
import hashlib
import io
import json
import time
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from datasets import Dataset
from datasets.arrow_writer import ArrowWriter

from contract.errors import InputError
from reviews.cache import fingerprint, intact, kept
from reviews.duplicates import near_groups
from reviews.progress import Progress
from reviews.reading import read_line
from reviews.review import BATCH, FEATURES, Review, Reviews, table_of

_FORMAT = 4  # to be raised whenever the same files give other reviews, splits or groups
_REVIEWS, _GROUPS, _ACCOUNT = "reviews.arrow", "groups.npy", "account.json"
_MB = 1_000_000


@dataclass
class Tally:
    """How many lines there are of a kind, and the first: the index of its file, and its number."""

    lines: int = 0
    file: int = 0
    line: int = 0


@dataclass
class Account:
    """What was seen in some files."""

    sha256: list[str] = field(default_factory=list)
    reviews: list[int] = field(default_factory=list)  # of each file
    rejected: dict[str, Tally] = field(default_factory=dict)
    odd: dict[str, Tally] = field(default_factory=dict)  # of lines that are used


def ingest(files: Sequence[Path], *, starred: bool = True) -> tuple[Reviews, Account]:
    """All usable reviews of some files, in order; from the cache if these files were read before.

    Args:
        files: What to read.
        starred: Whether a review needs stars; else all are unlabelled.

    Raises:
        InputError: If a file can't be read, or the cache's disk is full.
    """
    sums = [_sha256(file) for file in files]
    # Case and letters are those of a version of Unicode, and they decide splits and copies.
    settings = [_FORMAT, unicodedata.unidata_version, [file.name for file in files], sums]
    name = fingerprint(settings if starred else [*settings, "unlabelled"])
    folder = kept("reviews", name, lambda folder: _make(files, sums, folder, starred=starred))
    with intact(folder):
        raw = json.loads((folder / _ACCOUNT).read_text())
        rejected, odd = ({why: Tally(**tally) for why, tally in raw[kind].items()} for kind in ("rejected", "odd"))
        account = Account(raw["sha256"], raw["reviews"], rejected, odd)
        if not any(account.reviews):
            return Reviews.of([]), account
        groups, rows = np.load(folder / _GROUPS, mmap_mode="r"), Dataset.from_file(str(folder / _REVIEWS))
        if not len(groups) == len(rows) == sum(account.reviews):
            raise ValueError(f"{len(rows)} reviews where {sum(account.reviews)} were written")
    return Reviews(rows, groups=groups, fingerprint=name), account


def _make(files: Sequence[Path], sums: list[str], folder: Path, *, starred: bool) -> None:
    account = Account(sha256=sums)
    with Progress() as progress:
        _write_reviews(files, folder, account, progress, starred=starred)
        if any(account.reviews):
            _write_groups(folder, progress)
    (folder / _ACCOUNT).write_text(json.dumps(asdict(account)))


def _write_reviews(
    files: Sequence[Path], folder: Path, account: Account, progress: Progress, *, starred: bool
) -> None:
    started_s, done_bytes = time.monotonic(), 0
    progress.begin("reading", sum(file.stat().st_size for file in files) // _MB + 1)
    with ArrowWriter(path=str(folder / _REVIEWS), features=FEATURES) as writer:
        for index, file in enumerate(files):
            account.reviews.append(0)
            with _opened(file) as (raw, lines):
                for batch in _batches(file, index, lines, account, starred=starred):
                    writer.write_table(table_of(batch))
                    account.reviews[-1] += len(batch)
                    rate = sum(account.reviews) / (time.monotonic() - started_s)
                    progress.reach((done_bytes + raw.tell()) // _MB, f"MB, {rate:,.0f} reviews/s")
            done_bytes += file.stat().st_size
        if any(account.reviews):
            writer.finalize()
    progress.rate("read", sum(account.reviews), "reviews", time.monotonic() - started_s)


def _write_groups(folder: Path, progress: Progress) -> None:
    started_s = time.monotonic()
    reviews = Reviews(Dataset.from_file(str(folder / _REVIEWS)))
    progress.begin("copies", len(reviews))
    groups = near_groups(
        reviews.keys, lambda places: reviews.select(places).texts(), scratch=folder, reached=progress.reach
    )
    np.save(folder / _GROUPS, groups)
    progress.rate("compared", len(reviews), "reviews", time.monotonic() - started_s)


def _batches(
    file: Path, index: int, lines: BinaryIO, account: Account, *, starred: bool
) -> Iterator[list[Review]]:
    stem, batch = file.name.split(".")[0], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            review, odd = read_line(line, stem, starred=starred)
        except ValueError as error:
            account.rejected.setdefault(str(error), Tally(0, index, number)).lines += 1
            continue
        for why in odd:
            account.odd.setdefault(why, Tally(0, index, number)).lines += 1
        batch.append(review)
        if len(batch) == BATCH:
            yield batch
            batch = []
    yield batch


@contextmanager
def _opened(file: Path) -> Iterator[tuple[BinaryIO, Any]]:
    """The file, which tells how far it was read, and its lines."""
    with _reading(file), file.open("rb") as raw:
        yield raw, io.BufferedReader(gzip.GzipFile(fileobj=raw)) if file.suffix == ".gz" else raw


def _sha256(file: Path) -> str:
    if file.is_fifo():
        raise InputError(f"can't read {file}: it is a pipe, and files are read twice: write it to a file first")
    with _reading(file), file.open("rb") as raw:
        return hashlib.file_digest(raw, "sha256").hexdigest()


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Name the file in errors of reading; errors of writing the cache have to pass as they are."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"can't read {file}: {error}") from error
    except OSError as error:
        if error.filename is None or Path(error.filename) != file:
            raise
        raise InputError(f"can't read {file}: {error.strerror}") from error
