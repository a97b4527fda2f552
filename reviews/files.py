"""Room on a disk, asked for before it is used, and files that are whole or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def reserve(file: Path, size_bytes: int) -> None:
    """Make a file of this size.

    To write beyond a full disk through a memory map kills the process; here it is an error.

    Raises:
        OSError: If there is no room.
    """
    with file.open("wb") as opened:
        os.posix_fallocate(opened.fileno(), 0, size_bytes)


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A new file beside `file`, which takes its place if all goes well and is removed if not.

    Raises:
        OSError: If there can be none, before anything is done.
    """
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise FileExistsError(f"{file} is no plain file that can be replaced: name another")  # such as /dev/stdout
    if not file.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {file.parent} for {file.name}: make it first")
    new = file.with_name(f".{file.name}.{os.getpid()}")
    new.touch()
    try:
        yield new
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)
