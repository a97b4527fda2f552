"""A worker whose model fails on texts that contain `dev.hostile.POISON`; otherwise `python -m worker run`."""

import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dev.hostile import POISON
from worker.adapters.bundle import read_bundle
from worker.adapters.encoder import TokenizersEncoder
from worker.app import run
from worker.core.encoding import Fields
from worker.errors import WorkerError
from worker.logs import configure_logging
from worker.ports import Classifier
from worker.settings import load_settings


class _Poisonable:
    """A classifier that raises when a row holds the poison's tokens."""

    def __init__(self, inner: Classifier, poison: Sequence[int]) -> None:
        self._inner = inner
        self._poison = " ".join(map(str, poison))
        self.provider = inner.provider

    def logits(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """See `worker.ports.Classifier`."""
        if any(self._poison in " ".join(map(str, row)) for row in rows):
            raise RuntimeError("the model chokes on a poisonous text")
        return self._inner.logits(rows)


def main() -> int:
    """Run the worker."""
    try:
        settings = load_settings(sys.argv[1:])
        configure_logging(settings.log_level, settings.log_format)
        bundle = read_bundle(settings.bundle)
        encoder = TokenizersEncoder(bundle.tokenizer_file, bundle.manifest.encoding)
        poison = encoder.encode([Fields(POISON)])[0].ids[1:-1]
        run(settings, wrap=lambda inner: _Poisonable(inner, poison))
    except WorkerError as error:
        print(f"worker: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
