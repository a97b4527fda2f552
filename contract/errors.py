"""The errors that every program of the project ends with; the message says what to do about it."""

import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from pydantic import ValidationError

_ENDED = 130


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


def end_by_signals() -> None:
    """Have SIGINT and SIGTERM raise `EndedBySignalError`; one that comes again ends the process at once, with 130.

    Only the main thread may ask for it.
    """
    _handle_by(_raise)


def _raise(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    _handle_by(_end_at_once)
    raise EndedBySignalError


def _end_at_once(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    os._exit(_ENDED)


def _handle_by(handler: Callable[[int, FrameType | None], NoReturn]) -> None:
    signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGTERM, handler)
