"""How long a start waits for brokers that are away: one time limit over all that it asks of them."""

import re
import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from kafka import errors
from kafka.errors import BrokerNotAvailableError, KafkaError, RetriableError, UnknownBrokerIdError

from worker.errors import KafkaUnfitError
from worker.settings import Settings

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")

_PASSING = (RetriableError, BrokerNotAvailableError, UnknownBrokerIdError)
_PAUSE_S = 0.5


class Patience:
    """Tries again what may pass, until `start_timeout_ms` from now; a stop meanwhile is an exception."""

    def __init__(self, settings: Settings) -> None:
        """Begin to count."""
        self._timeout_s = settings.start_timeout_ms / 1000
        self._ends_s = time.monotonic() + self._timeout_s

    @property
    def left_ms(self) -> float:
        """What is left, in milliseconds, at least a second: each attempt has a chance."""
        return max(1.0, self._ends_s - time.monotonic()) * 1000

    def keep_trying(self, what: str, attempt: Callable[[], Answer]) -> Answer:
        """The answer of the first attempt that a broker's absence does not make fail.

        Raises:
            KafkaUnfitError: If the time is over. Any other error of an attempt is raised at once.
        """
        told = False
        while True:
            try:
                return attempt()
            except KafkaError as error:
                if not passes(error):
                    raise
                if time.monotonic() >= self._ends_s:
                    raise KafkaUnfitError(
                        f"{what}: not within {self._timeout_s:.0f} s (WORKER_START_TIMEOUT_MS): {error!r}"
                    ) from error
                if not told:
                    log.warning("start_waits", what=what, error=repr(error), left_s=round(self.left_ms / 1000))
                told = True
            time.sleep(_PAUSE_S)


def passes(error: KafkaError) -> bool:
    """Whether an error may be of a broker's absence, or the client has wrapped such a one in a text of its own."""
    named = (getattr(errors, name, Exception) for name in re.findall(r"\w+Error", repr(error)))
    return isinstance(error, _PASSING) or any(issubclass(kind, _PASSING) for kind in named)
