"""What the command lines of `python -m export` share."""

from pathlib import Path

import pytest

from contract.errors import UsageError
from export.arguments import Parser, parse_variants
from tests.export.running import export, told


@pytest.mark.parametrize("variants", ["fp64", "fp32,packed", ","])
def test_unknown_variants_are_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], variants: str
) -> None:
    """The error names those that exist."""
    assert export(tmp_path / "absent", tmp_path / "b", "--variants", variants) == 2
    assert "fp32, int8, fp16 and fp16.packed" in told(capsys)


def test_variants_come_once_and_in_the_order_named() -> None:
    """Spaces, empty places and repetitions are forgiven."""
    assert parse_variants(" int8, fp32,,int8 ") == ("int8", "fp32")


def test_what_argparse_finds_wrong_is_raised() -> None:
    """So that every message leaves through one door, and names the command that helps; no flag is guessed."""
    parser = Parser("bundle", "Make it.", "exit codes: 0 done")
    parser.add_argument("--output")
    assert "exit codes: 0 done" in parser.format_help()
    with pytest.raises(UsageError, match=r"unrecognized arguments: --out b. See python -m export bundle --help"):
        parser.parse_args(["--out", "b"])
