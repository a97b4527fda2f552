"""What a user can do when a run breaks for lack of something."""

import errno
import os

from contract.errors import InputError

_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")
_DISK = ("no space left on device", "iostream error", "enforce fail at inline_container", "disk quota exceeded")
_OTHERS = ("connection closed by peer", "connection reset by peer", "socket closed")


def what_to_do(error: BaseException) -> str | None:
    """What happened and what helps, or None where the error is a fault of ours and deserves its traceback."""
    text = str(error).lower()
    if isinstance(error, MemoryError) or any(sign in text for sign in _MEMORY):
        return "out of memory: lower --micro-batch-size, which leaves the step as it is, or --tokens-max"
    if (isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}) or any(
        sign in text for sign in _DISK
    ):
        return "the disk is full: make room for three states of three times the model's size beside --output"
    if (
        int(os.environ.get("RANK", "0"))
        and isinstance(error, RuntimeError)
        and any(sign in text for sign in _OTHERS)
    ):
        return "another process of this run ended: see what it says"
    return str(error) if isinstance(error, (OSError, InputError)) else None
