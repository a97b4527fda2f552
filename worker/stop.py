"""A stop that SIGTERM or SIGINT asks for, obeyed from the program's first line on.

PID 1, which a container's program is, ignores a signal that it has no handler for. So this imports next to
nothing, and `__main__` comes here before it imports the rest. What comes before Python runs, the kernel keeps for
us where the program was started with signals blocked, as the image does.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

_NUMBERS = (signal.SIGTERM, signal.SIGINT)


class StopAskedError(BaseException):
    """A stop was asked for while nothing was held; raised in the main thread wherever it is, as Ctrl-C is."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Stop:
    """Ends the program by an exception as long as it holds nothing, and then by a call; asked again, at once."""

    def __init__(self) -> None:
        self._number = 0
        self._then: Callable[[str], None] | None = None

    def listen(self) -> None:
        """Take SIGTERM and SIGINT from now on. Call it once."""
        # Python's handlers run in the main thread alone, and a signal that comes just before that thread begins to
        # wait does not wake it. What the kernel's handler writes arrives at once, whatever the main thread does.
        told, tells = os.pipe()
        os.set_blocking(tells, False)
        signal.set_wakeup_fd(tells, warn_on_full_buffer=False)
        threading.Thread(target=_end_when_asked_again, args=(told,), name="stop", daemon=True).start()
        for number in _NUMBERS:
            signal.signal(number, self._ask)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _NUMBERS)

    def hold(self, then: Callable[[str], None]) -> None:
        """From now on something is held: a stop calls `then` with the signal's name.

        Raises:
            StopAskedError: If a stop was asked for before, and what ran then has swallowed that.
        """
        self._then = then
        self.raise_if_asked()

    def raise_if_asked(self) -> None:
        """Look whether a stop was asked for.

        Raises:
            StopAskedError: If so.
        """
        if self._number:
            raise StopAskedError(self._number)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        if self._number:  # the other thread is about to end us
            return
        self._number = number
        if self._then is None:
            raise StopAskedError(number)
        self._then(signal.Signals(number).name)


def _end_when_asked_again(told: int) -> None:
    """Read the numbers of the signals from the pipe `told`, and end the process by the second stop."""
    asked = 0
    while True:
        for number in os.read(told, 64):
            asked += number in _NUMBERS
            if asked > 1:
                os._exit(128 + number)


def leave(code: int) -> NoReturn:
    """End this process as it is: what has to be closed is closed by now, and what still runs is given up.

    A thread that comes back from ONNX Runtime while Python finalises is ended by force inside C++, which answers
    with abort(): the process would end by SIGABRT and not with its code.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
            stream.flush()
    os._exit(code)
