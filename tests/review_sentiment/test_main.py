"""One name for three programs, that knows which before it imports anything."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from contract.version import VERSION

_ROOT = Path(__file__).parents[2]
_SCRIPT = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["scripts"]["review-sentiment"]
_HEAVY = {"torch", "transformers", "onnxruntime", "kafka", "numpy", "pydantic"}


def run(*arguments: str) -> tuple[int, str, str, set[str]]:
    """The console script as pip makes it: exit code, what it wrote, and which of the heavy modules it imported."""
    module, name = _SCRIPT.split(":")
    program = (  # a worker leaves at once, without our last line
        f"import os, sys\nos._exit = sys.exit\nfrom {module} import {name}\ntry:\n    code = {name}()\n"
        "except SystemExit as end:\n    code = end.code\n"
        f"print('imported', *set(sys.modules) & {_HEAVY}, file=sys.stderr)\nsys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    errors, _, imported = done.stderr.rpartition("imported")
    return done.returncode, done.stdout, errors, set(imported.split())


def test_help_has_examples_of_every_program() -> None:
    """And imports next to nothing, as the version does."""
    code, told, _, imported = run("--help")
    assert (code, imported) == (0, set())
    examples = re.findall(r"^  review-sentiment (\w+) \w+", told, re.MULTILINE)
    assert set(examples) == {"worker", "training", "export"}
    assert run("--version") == (0, f"review-sentiment {VERSION}\n", "", set())


@pytest.mark.parametrize("arguments", [(), ("wroker", "run")])
def test_an_unknown_program_is_refused_with_the_usage(arguments: tuple[str, ...]) -> None:
    """On standard error, with 2."""
    code, told, errors, imported = run(*arguments)
    assert (code, told, imported) == (2, "", set())
    assert errors.startswith("usage: review-sentiment PROGRAM")


def test_a_worker_imports_no_torch_and_ends_with_its_own_code() -> None:
    """Neither of the libraries of training, nor a runtime before its settings hold."""
    code, _, errors, imported = run("worker", "run", "--threads", "many")
    assert (code, "WORKER_THREADS" in errors) == (2, True)
    assert not imported & {"torch", "transformers", "onnxruntime", "kafka"}
    assert run("worker", "--version")[:2] == (0, f"review-sentiment {VERSION}\n")


@pytest.mark.parametrize("program", ["training", "export"])
def test_the_other_programs_get_their_arguments(program: str) -> None:
    """As `python -m` would give them."""
    assert run(program, "--version")[:2] == (0, f"review-sentiment {VERSION}\n")
    code, _, errors, _ = run(program, "no-such-command")
    assert (code, f"usage: python -m {program}" in errors) == (2, True)
