"""Room on a disk, asked for before it is used."""

import os
from pathlib import Path


def reserve(file: Path, size_bytes: int) -> None:
    """Make a file of this size.

    To write beyond a full disk through a memory map kills the process; here it is an error.

    Raises:
        OSError: If there is no room.
    """
    with file.open("wb") as opened:
        os.posix_fallocate(opened.fileno(), 0, size_bytes)
