"""A worker that is killed by every forward pass of more than one row, as by a limit of its memory."""

import os
import signal
import sys
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from worker.app import run
from worker.logs import configure_logging
from worker.ports import Classifier
from worker.settings import load_settings


class _Heavy:
    def __init__(self, inner: Classifier) -> None:
        self._inner = inner
        self.provider = inner.provider

    def logits(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        time.sleep(0.5)  # in which more is read, and what is settled before is committed
        if len(rows) > 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._inner.logits(rows)


if __name__ == "__main__":
    settings = load_settings(sys.argv[1:])
    configure_logging(settings.log_level, settings.log_format)
    run(settings, wrap=_Heavy)
