"""Fixtures of the worker's tests."""

import logging
from collections.abc import Callable, Iterator

import pytest
import structlog

from worker.cli import main
from worker.stop import Stop


@pytest.fixture
def run_command(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Runs a command of the worker in this process: its exit code, and what it wrote to either output."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(list(arguments), Stop())
        return (code, *capsys.readouterr())

    yield run
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()
