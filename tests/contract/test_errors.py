"""How a program that a signal ends is told from one that was killed."""

import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import os
import signal
import sys

from contract.errors import end_by_signals

end_by_signals()
try:
    exec("os.kill(os.getpid(), {number}); [None for _ in range(1_000_000)]")  # as `import` of a dataclass does
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("number", ["signal.SIGINT", "signal.SIGTERM"])
def test_a_signal_ends_a_program_with_its_own_exit_code(number: str, tmp_path: Path) -> None:
    """130 also where the signal comes in code compiled from a string: Python makes -2 of a `KeyboardInterrupt`."""
    (tmp_path / "program.py").write_text(_PROGRAM.format(number=number), encoding="utf-8")
    command = [sys.executable, "-m", "program"]
    path = f"{tmp_path}:{Path(__file__).parents[2]}"
    ended = subprocess.run(command, env={"PYTHONPATH": path}, capture_output=True, check=False, timeout=60)
    assert ended.returncode == 130, ended.stderr
