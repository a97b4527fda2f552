"""The commands in the pages: ours are ones that our programs take, others are marked as not run.

Bash itself reads each block, with functions in place of our programs that write down what they were given.
"""

import argparse
import contextlib
import importlib.util
import re
import runpy
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import patch

import pytest

from review_sentiment.completion import actions, parser

_ROOT = Path(__file__).parents[2]
_HISTORY = _ROOT / "CHANGELOG.md"
_PAGES = sorted({*_ROOT.glob("*.md"), *(_ROOT / "docs").rglob("*.md")} - {_HISTORY})
_MAKEFILE = (_ROOT / "Makefile").read_text()
_FENCE = re.compile(
    r"^(?P<marked><!-- not run: .+ -->\n+)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_OURS = "python", "make", "review-sentiment", "torchrun"
_RECORD = """
tell() { local IFS=$'\\x1f'; printf '%s\\n' "$*" >> told; }
command_not_found_handle() { tell "$@"; }
""" + "".join(f'{name}() {{ tell {name} "$@"; }}\n' for name in _OURS)


def blocks() -> Iterator[Any]:
    """Each block of commands, and whether it is marked as not run."""
    for page in _PAGES:
        text = page.read_text()
        for block in _FENCE.finditer(text):
            if block["language"] in {"sh", "bash"} or re.match(rf"({'|'.join(_OURS)}) ", block["text"]):
                line = text.count("\n", 0, block.start("text")) + 1
                name = f"{page.relative_to(_ROOT)}:{line}"
                yield pytest.param(block["text"], bool(block["marked"]), id=name)


def commands(script: str, folder: Path) -> list[list[str]]:
    """What bash would run, in words, variables and all."""
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "activate").touch()
    (folder / "told").touch()
    subprocess.run(
        ["/bin/bash", "-c", _RECORD + script], cwd=folder, env={"PATH": "/none"}, capture_output=True, check=False
    )
    return [line.split("\x1f") for line in (folder / "told").read_text().splitlines()]


def read(words: list[str], *, whole: bool = True) -> None:
    """Have a program of ours read its arguments and do nothing.

    Args:
        words: The command.
        whole: Whether what is required has to be there.

    Raises:
        AssertionError | SystemExit | UsageError: If it does not take them.
    """
    match words:
        case ["make", *rest]:
            for word in rest:
                known = f"$({word.split('=')[0]})" if "=" in word else f"\n{word}:"
                assert known in _MAKEFILE, f"no {word} in Makefile"
        case ["python", "-"]:
            pass  # a program of the page's own: test_pages.py runs it
        case ["torchrun", *rest]:
            read(["python", *rest[rest.index("-m") :]], whole=whole)
        case ["python", "-m", "worker" | "training" | "export" as program, *arguments]:
            _read_product([program, *arguments], whole=whole)
        case ["python", "-m", module, *arguments]:
            _read_tool(module, arguments, whole=whole)
        case ["review-sentiment", "--help"]:
            pass
        case ["review-sentiment", *arguments]:
            _read_product(arguments, whole=whole)
        case _:
            pytest.fail(f"{' '.join(words)}: not a command of ours")


def _read_product(arguments: list[str], *, whole: bool) -> None:
    tree = parser()
    given = [word for word in arguments if word != "…"]
    for action in actions(tree):
        action.required = action.required and whole and given == arguments
    tree.parse_args(given)


class ReadError(Exception):
    """Raised where a program has read its arguments and would go to work."""


def _read_tool(module: str, arguments: list[str], *, whole: bool) -> None:
    """One of development, by its own parser, which is called before anything else."""
    found = importlib.util.find_spec(module)
    assert found is not None, module
    source = importlib.util.find_spec(f"{module}.__main__") if found.submodule_search_locations else found
    assert source is not None
    reads = ".parse_args()" in Path(str(source.origin)).read_text()
    if not arguments and not (reads and whole):
        return
    assert reads, f"{module} takes no arguments"
    original = argparse.ArgumentParser.parse_args

    def stop(self: argparse.ArgumentParser) -> NoReturn:
        original(self)
        raise ReadError

    with (
        patch.object(argparse.ArgumentParser, "parse_args", stop),
        patch.object(sys, "argv", [module, *arguments]),
        contextlib.suppress(ReadError),
        warnings.catch_warnings(),
    ):
        # Where another test has imported the module, runpy makes a second one of it, which is as good here.
        warnings.filterwarnings("ignore", message=".*found in sys.modules", category=RuntimeWarning)
        runpy.run_module(module, run_name="__main__")


@pytest.mark.parametrize(("script", "marked"), list(blocks()))
def test_commands_are_taken_or_marked(script: str, marked: bool, tmp_path: Path) -> None:
    """A block of ours does not outlive a flag, and one with a program of others' says that no test runs it."""
    told = commands(script, tmp_path)
    foreign = sorted({words[0] for words in told if words[0] not in _OURS})
    assert bool(foreign) == marked, f"{foreign}: put `<!-- not run: why -->` above a block, and only there"
    assert told
    for words in told:
        if words[0] in _OURS:
            read(words)


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(_ROOT)))
def test_commands_in_the_text_are_taken(page: Path, tmp_path: Path) -> None:
    """Programs, commands and flags exist, though a sentence need not name all that is required."""
    text = _FENCE.sub("", page.read_text())
    found = re.findall(r"`((?:python -m|make|review-sentiment) [^`]+)`", text)
    for words in commands("\n".join(command.replace("\n", " ") for command in found), tmp_path):
        read(words, whole=False)
