"""Files that an interrupted run is resumed from: damage is noticed, since a wrong weight looks like any other."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from contract.errors import InputError


class DamagedError(InputError):
    """A file is not what was written."""


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file in hexadecimal; what was hashed is on the disk, and stays there if power fails.

    Raises:
        OSError: If it can't be read.
    """
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        return hashlib.file_digest(opened, "sha256").hexdigest()


def require_sum(file: Path, sha256: str | None) -> None:
    """Check a file.

    Raises:
        DamagedError: If its SHA-256 is another, or it can't be read.
    """
    try:
        same = sha256_of(file) == sha256
    except OSError as error:
        raise DamagedError(f"{file} can't be read ({error.strerror})") from error
    if not same:
        raise DamagedError(f"{file} is damaged: it is not what was written")


def write_checked(file: Path, value: Any) -> None:
    """Write JSON with its own sum, whole or not at all."""
    new = file.with_name(f"{file.name}.new")
    with new.open("w", encoding="utf-8") as opened:
        opened.write(json.dumps({"sha256": _sum(value), "value": value}, indent=2) + "\n")
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)


def read_checked(file: Path) -> Any:
    """What `write_checked` wrote.

    Raises:
        DamagedError: If it is something else, or can't be read.
    """
    try:
        read = json.loads(file.read_bytes())
        value = read["value"]
        same = read["sha256"] == _sum(value)
    except OSError as error:
        raise DamagedError(f"{file} can't be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedError(f"{file} is damaged: it is not what was written") from error
    if not same:
        raise DamagedError(f"{file} is damaged: it is not what was written")
    return value


def _sum(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
