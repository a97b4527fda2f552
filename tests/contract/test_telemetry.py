"""What is classified is nobody else's business: ONNX Runtime's own telemetry is off."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_IMPORT = re.compile(r"^\s*(import|from) onnxruntime", re.MULTILINE)


def users() -> set[str]:
    """The packages that import ONNX Runtime anywhere."""
    sources = (file for folder in _ROOT.glob("[a-z]*/") for file in folder.rglob("*.py"))
    return {file.relative_to(_ROOT).parts[0] for file in sources if _IMPORT.search(file.read_text())} - {"tests"}


@pytest.mark.parametrize("package", sorted(users() | {"worker"}))
def test_it_is_off_before_the_runtime_is_imported(package: str) -> None:
    """Importing the package is enough, and what the environment says does not count."""
    program = f"import os, sys, {package}; print(os.environ['ORT_DISABLE_TELEMETRY'], *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "ORT_DISABLE_TELEMETRY": "0", "PYTHONPATH": str(_ROOT)}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    value, *modules = done.stdout.split()

    assert value == "1"
    assert "onnxruntime" not in modules


def test_the_runtime_says_nothing_of_it_where_it_has_no_home() -> None:
    """It warned, past our log, that it could not keep an id of this device."""
    done = subprocess.run(
        [sys.executable, "-c", "import worker.adapters.classifier"], capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(_ROOT), "HOME": "/proc/none"},
    )  # fmt: skip

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
