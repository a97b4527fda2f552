"""The types of settings, with the bounds beyond which a library or the protocol fails."""

from typing import Annotated

from pydantic import Field

from contract.events import TOPIC_PATTERN
from worker.cores import THREADS_MAX

_DAY_MS = 24 * 60 * 60 * 1000  # clients and timers take no more than some weeks, and say so by a traceback
_BYTES_MAX = 2**48

Milliseconds = Annotated[int, Field(le=_DAY_MS)]
FractionalMilliseconds = Annotated[float, Field(le=_DAY_MS, allow_inf_nan=False)]
Count = Annotated[int, Field(le=2**31 - 1)]
Threads = Annotated[int, Field(ge=0, le=THREADS_MAX)]
Bytes = Annotated[int, Field(le=_BYTES_MAX)]
Topic = Annotated[str, Field(pattern=TOPIC_PATTERN)]


def plain(value: object, *, is_switch: bool) -> object:
    """A value as it was written.

    Raises:
        ValueError: If it is a truth value and the setting no switch, since pydantic makes 1 of TOML's `true`; or
            if it is text with bytes that are no UTF-8, which no log and no record could hold.
    """
    if isinstance(value, bool) and not is_switch:
        raise ValueError(f"{str(value).lower()} is no value of it; it is not a switch")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("it is not UTF-8") from None
    return value
