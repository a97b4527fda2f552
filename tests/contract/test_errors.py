"""How an error is told, and how a program that a signal ends is told from one that was killed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from contract.errors import in_a_line

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


_TIDYING = """
import os
import signal
import sys

from contract.errors import end_by_signals

end_by_signals()
try:
    os.kill(os.getpid(), signal.SIGINT)
    [None for _ in range(1_000_000)]
finally:
    os.kill(os.getpid(), {number})  # while what is half done is removed, wherever that is
    [None for _ in range(1_000_000)]
    print("went on")
"""


def _end_of(program: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    (folder / "program.py").write_text(program, encoding="utf-8")
    path = f"{folder}:{Path(__file__).parents[2]}"
    command = [sys.executable, "-m", "program"]
    return subprocess.run(command, env={"PYTHONPATH": path}, capture_output=True, check=False, timeout=60)


@pytest.mark.parametrize("number", ["signal.SIGINT", "signal.SIGTERM"])
def test_a_signal_ends_a_program_with_its_own_exit_code(number: str, tmp_path: Path) -> None:
    """130 also where the signal comes in code compiled from a string: Python makes -2 of a `KeyboardInterrupt`."""
    ended = _end_of(_PROGRAM.format(number=number), tmp_path)
    assert ended.returncode == 130, ended.stderr


@pytest.mark.parametrize("number", ["signal.SIGINT", "signal.SIGTERM"])
def test_a_second_signal_ends_a_program_at_once(number: str, tmp_path: Path) -> None:
    """With the exit code of the first, and without a traceback, also while it tidies up."""
    ended = _end_of(_TIDYING.format(number=number), tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")


def test_what_is_wrong_with_a_document_is_one_short_line() -> None:
    """The last line that an operator sees has the message; a thousand wrong entries are not told one by one."""
    with pytest.raises(ValidationError) as error:
        TypeAdapter(dict[str, int]).validate_python({f"k{number}": "x" for number in range(1000)})
    told = in_a_line(error.value)
    assert told.startswith("k0: Input should be a valid integer")
    assert told.endswith("; and 997 more")
    assert "\n" not in told
    assert len(told) < 400
    with pytest.raises(ValueError, match="Expecting value") as undecoded:
        json.loads("")
    assert in_a_line(undecoded.value).startswith("Expecting value")
