"""A peer whose process ends in `int8`, as one does whose kernels this processor can't run."""

import os
import sys

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.answering import Rows, answer
from tests.benchmarks.peers.fake_peer import first_tokens, ways_of


def _fatal(_: Rows) -> NDArray[np.float32]:
    print("Illegal instruction", file=sys.stderr, flush=True)  # noqa: T201
    os._exit(3)


if __name__ == "__main__":
    answer(lambda job: ways_of(job, fp32=first_tokens, int8=_fatal))
