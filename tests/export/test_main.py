"""`python -m export`: which command runs, and how it ends."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contract.errors import UsageError
from export.__main__ import main
from export.errors import CheckpointRefusedError
from tests.export.running import told


def test_the_command_of_the_version_before_says_what_to_write(capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts that were written for it end with 2 and a hint; no command at all, with the usage."""
    assert main(["--checkpoint", "c", "--output", "b"]) == 2
    assert "python -m export bundle --checkpoint" in told(capsys)
    assert main([]) == 2
    assert "usage: python -m export bundle" in told(capsys)


def test_a_service_that_ends_an_export_leaves_nothing(checkpoint: Path, tmp_path: Path) -> None:
    """SIGTERM is what a container is stopped with: the half-made bundle is removed, and that is said."""
    command = [
        sys.executable,
        "-m",
        "export",
        "bundle",
        "--checkpoint",
        str(checkpoint),
        "--output",
        str(tmp_path / "b"),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as exporting:
        while not list(tmp_path.glob(".b.*.incomplete")):
            assert exporting.poll() is None
            time.sleep(0.01)
        exporting.send_signal(signal.SIGTERM)
        _, said = exporting.communicate(timeout=60)
    assert exporting.returncode == 130
    assert "nothing was written" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_the_commands(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """On stdout, and it is no error."""
    assert main([flag]) == 0
    said = capsys.readouterr().out
    assert "python -m export bundle" in said
    assert "python -m export evaluate" in said


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (KeyboardInterrupt(), 130, "export: interrupted; nothing was written"),
        (OSError("disk [full]"), 2, "export: disk [full]"),
        (UsageError("a flag"), 2, "export: a flag"),
        (CheckpointRefusedError("no fusion"), 3, "export: no fusion"),
    ],
)
def test_the_exit_code_tells_how_it_ended(
    error: BaseException,
    code: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """2 for wrong input, 3 for a refused checkpoint, 130 for an interruption; a line says why, taken as it is."""

    def fail(_: object) -> int:
        raise error

    monkeypatch.setattr("export.bundle_cli.make_bundle", fail)
    assert main(["bundle"]) == code
    assert told(capsys) == says
