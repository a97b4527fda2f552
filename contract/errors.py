"""The errors that every program of the project ends with; the message says what to do about it."""

import signal
from types import FrameType
from typing import NoReturn

from pydantic import ValidationError


class ReviewSentimentError(Exception):
    """A reason to stop; `exit_code` is what the process ends with."""

    exit_code = 1


class UsageError(ReviewSentimentError):
    """A flag, a setting or a combination of settings is wrong."""

    exit_code = 2


class InputError(UsageError):
    """Files, a folder or a model that were named can't be used, or a run with them can't go on."""


def in_a_line(error: Exception) -> str:
    """What is wrong with a document, in one line: of its fields, the first three that are wrong."""
    if not isinstance(error, ValidationError):
        return str(error)
    found = error.errors(include_url=False, include_context=False)
    said = [": ".join(filter(None, [".".join(map(str, it["loc"])), it["msg"]])) for it in found[:3]]
    return "; ".join([*said, f"and {len(found) - 3} more"] if len(found) > len(said) else said)


class EndedBySignalError(KeyboardInterrupt):
    """SIGINT or SIGTERM came: what is half done is removed or saved, and the exit code is 130.

    A class of its own, since Python ends a program of `python -m` with -2, whatever its exit code says, once a
    plain `KeyboardInterrupt` has passed through code compiled from a string: every dataclass that is imported.
    """


def end_by_signal(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    """Handle a signal by raising `EndedBySignalError`."""
    raise EndedBySignalError


def end_by_signals() -> None:
    """Have both signals that end a program raise `EndedBySignalError`; only the main thread may ask for it."""
    signal.signal(signal.SIGINT, end_by_signal)
    signal.signal(signal.SIGTERM, end_by_signal)
