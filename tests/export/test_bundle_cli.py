"""The command line of `python -m export bundle`."""

from pathlib import Path

import pytest

from export.__main__ import main
from export.bundle_cli import parse
from tests.export.running import export, told


@pytest.mark.parametrize(
    "flags", [[], ["--checkpoint", "c"], ["--checkpoint", "c", "--output", "o", "--nonsense"]]
)
def test_wrong_flags_are_wrong_usage(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A missing or unknown flag: exit code 2 and no traceback."""
    assert main(flags) == 2
    assert capsys.readouterr().err.startswith("export: ")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--precision", "0.9"], "--precision needs --calibration"),
        (["--calibration", "c.json", "--precision", "1"], "a share between 0 and 1"),
        (["--calibration", "c.json", "--precision", "nan"], "a share between 0 and 1"),
        (["--calibration", "c.json", "--precision", "most"], "invalid float value"),
        (["--calibration", "c.json", "--calibration-part", "some"], "invalid choice"),
        (["--threads", "-1"], "--threads takes a number"),
    ],
)
def test_flags_that_make_no_sense_are_wrong_usage(
    flags: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and what is wrong, before anything is read or written."""
    assert export(tmp_path / "absent", tmp_path / "b", *flags) == 2
    assert says in told(capsys)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_said_is_left_to_the_machine_and_the_defaults() -> None:
    """Of the reviews that trained nothing each flag has its own part."""
    flags = parse(["--checkpoint", "c", "--output", "o"])
    assert flags.variants is None, "those that can be measured where it runs"
    assert (flags.calibration_part, flags.test_part, flags.precision) == ("calibration", "test", None)
