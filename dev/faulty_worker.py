"""`python -m worker run`, but the model fails on `dev.hostile.POISON` and dies on `dev.hostile.FATAL`."""

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract.errors import ReviewSentimentError
from contract.fields import Fields
from dev.hostile import FATAL, POISON
from worker.adapters.bundle import read_bundle
from worker.adapters.encoder import TokenizersEncoder
from worker.app import run
from worker.logs import configure_logging
from worker.ports import Classifier
from worker.settings import load_settings
from worker.stop import leave

_SLOW_FILE = os.environ.get("FAULTY_SLOW_FILE")
"""While this file exists, each forward pass takes half a second more."""


class _Faulty:
    """A classifier that raises on a row with the poison's tokens, and dies on one with the fatal text's."""

    def __init__(self, inner: Classifier, poison: Sequence[int], fatal: Sequence[int]) -> None:
        self._inner = inner
        self._poison, self._fatal = (" ".join(map(str, tokens)) for tokens in (poison, fatal))
        self.provider = inner.provider

    def logits(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """See `worker.ports.Classifier`."""
        if _SLOW_FILE and Path(_SLOW_FILE).exists():
            time.sleep(0.5)
        texts = [" ".join(map(str, row)) for row in rows]
        if any(self._fatal in text for text in texts):
            os.kill(os.getpid(), signal.SIGKILL)
        if any(self._poison in text for text in texts):
            raise RuntimeError("the model chokes on a poisonous text")
        return self._inner.logits(rows)


def main() -> int:
    """Run the worker."""
    try:
        settings = load_settings(sys.argv[1:])
        configure_logging(settings.log_level, settings.log_format)
        bundle = read_bundle(settings.bundle)
        encoder = TokenizersEncoder(bundle.tokenizer_file, bundle.manifest.encoding)
        poison, fatal = (item.ids[1:-1] for item in encoder.encode([Fields(POISON), Fields(FATAL)]))
        run(settings, wrap=lambda inner: _Faulty(inner, poison, fatal))
    except ReviewSentimentError as error:
        print(f"worker: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    leave(main())
