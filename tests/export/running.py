"""Running `python -m export` from a test."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from export.__main__ import main
from export.progress import Progress
from export.variants import RECIPES


def export(checkpoint: Path, output: Path, *more: object) -> int:
    """`bundle` with one thread; returns its exit code."""
    return main(
        ["bundle", "--checkpoint", str(checkpoint), "--output", str(output), "--threads", "1", *map(str, more)]
    )


def evaluate(bundle: Path, data: Path, *more: object) -> int:
    """`evaluate` with one thread; returns its exit code."""
    return main(["evaluate", str(bundle), "--data", str(data), "--threads", "1", *map(str, more)])


def told(capsys: pytest.CaptureFixture[str]) -> str:
    """What was said on stderr, in one line."""
    return " ".join(capsys.readouterr().err.split())


def hold_to(monkeypatch: pytest.MonkeyPatch, name: str, **limits: Any) -> None:
    """Hold a variant to other limits for the time of a test."""
    recipe = RECIPES[name]
    monkeypatch.setitem(RECIPES, name, replace(recipe, gates=replace(recipe.gates, **limits)))


def quiet() -> Progress:
    """A progress that nobody sees."""
    return Progress(Console(quiet=True))
