"""Commands as a user gives them: a run in a process of its own, and an evaluation in this one."""

import os
from pathlib import Path

from training.__main__ import main


def environment() -> dict[str, str]:
    """One thread, and messages between processes that do not leave the machine."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}


def evaluate(checkpoint: Path, reviews: tuple[Path, Path], *more: str) -> int:
    """The exit code of `evaluate` on the second file, without baselines."""
    return main(["evaluate", "--checkpoint", str(checkpoint), "--data", str(reviews[1]), "--no-baselines", *more])
