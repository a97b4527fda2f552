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
