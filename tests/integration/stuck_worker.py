"""A worker whose model hangs in its forward pass for as long as the file that STUCK_FILE names exists."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract.errors import ReviewSentimentError
from worker.app import run
from worker.logs import configure_logging
from worker.ports import Classifier
from worker.settings import load_settings
from worker.stop import leave

VARIABLE = "STUCK_FILE"


class _Stuck:
    def __init__(self, inner: Classifier, file: Path) -> None:
        self._inner, self._file = inner, file
        self.provider = inner.provider

    def logits(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        while self._file.exists():
            time.sleep(0.02)
        return self._inner.logits(rows)


def main() -> int:
    settings = load_settings(sys.argv[1:])
    configure_logging(settings.log_level, settings.log_format)
    try:
        run(settings, wrap=lambda inner: _Stuck(inner, Path(os.environ[VARIABLE])))
    except ReviewSentimentError as error:
        sys.stderr.write(f"worker: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    leave(main())
