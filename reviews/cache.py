"""What is made once and kept on disk: whole or not at all, and found again by what it was made of."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from contract.errors import InputError

_temporary: list[tempfile.TemporaryDirectory[str]] = []  # removed when the process ends


def cache_folder() -> Path | None:
    """The folder that REVIEW_SENTIMENT_CACHE names, or `review-sentiment` in the user's; None without a home.

    Not one in /tmp, whose name would be for any other user to take.
    """
    if named := os.environ.get("REVIEW_SENTIMENT_CACHE"):
        return Path(named)
    if caches := os.environ.get("XDG_CACHE_HOME"):
        return Path(caches) / "review-sentiment"
    try:
        return Path.home() / ".cache" / "review-sentiment"
    except RuntimeError:  # a container's user whom no passwd knows
        return None


def fingerprint(*settings: Any) -> str:
    """A name for what is made of these, which have to be JSON."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:32]


def kept(kind: str, name: str | None, make: Callable[[Path], None]) -> Path:
    """A folder that `make` has filled, now or in a run before.

    Another process that wants the same waits and then finds it. What a killed run left is removed by the next one.

    Args:
        kind: What the folder holds; a folder of the cache.
        name: What `fingerprint` gave; None if it can't be kept, and then the folder lasts as long as the process.
        make: Fills an empty folder.

    Raises:
        InputError: If the disk is full.
    """
    folder = cache_folder()
    if folder is None or name is None or not _writable(folder / kind):
        temporary = tempfile.TemporaryDirectory(prefix="review-sentiment-")
        _temporary.append(temporary)
        _fill(Path(temporary.name), make)
        return Path(temporary.name)
    parent = folder / kind
    whole, partial = parent / name, parent / f"{name}.partial"
    if whole.is_dir():
        return whole
    with FileLock(_lock(partial)):
        if not whole.is_dir():
            _sweep(parent)
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            _fill(partial, make)
            partial.rename(whole)
    return whole


@contextlib.contextmanager
def intact(entry: Path) -> Iterator[None]:
    """Read what was kept, a file or a folder.

    Raises:
        InputError: If it is damaged: a disk that fails, or power that did.
    """
    try:
        yield
    except (ValueError, EOFError, KeyError, TypeError, OSError) as error:
        raise InputError(f"{entry} in the cache is damaged ({error}): remove it to have it made again") from error


def _fill(folder: Path, make: Callable[[Path], None]) -> None:
    try:
        make(folder)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise InputError(
                f"no room left in {folder.parent}: make some, or let REVIEW_SENTIMENT_CACHE name a folder on "
                "another disk. Nothing half done is left there."
            ) from error
        raise


def _sweep(parent: Path) -> None:
    """Remove what killed runs have left; who still works holds the lock."""
    for partial in parent.glob("*.partial"):
        try:
            with FileLock(_lock(partial), timeout=0):
                shutil.rmtree(partial, ignore_errors=True)
        except Timeout:
            continue


def _lock(partial: Path) -> Path:
    return partial.with_suffix(".lock")


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise InputError(f"no room left to make {folder}") from error
        return False
    return os.access(folder, os.W_OK)
