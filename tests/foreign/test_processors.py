"""A bundle that was made here serves on older processors, which QEMU imitates."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.processors import EMULATOR, PROCESSORS, answers
from worker.adapters.bundle import read_bundle

pytestmark = pytest.mark.foreign


@pytest.mark.skipif(shutil.which(EMULATOR) is None, reason=f"no {EMULATOR}: install the package qemu-user")
@pytest.mark.parametrize("processor", PROCESSORS)
def test_golden_answers_are_those_of_the_processor_that_exported(bundle: Path, processor: str) -> None:
    """Without AVX-512, and without AVX2: within what a worker allows nearly all texts."""
    read = read_bundle(bundle)
    for name in read.servable("cpu"):
        own = np.array([golden.own[name] for golden in read.goldens])
        off = np.abs(np.array(answers(bundle, name, processor)) - own).max(axis=1)
        limit = read.variant(name).own_golden_delta_max
        assert limit
        assert (off > limit).sum() <= len(off) // 8
