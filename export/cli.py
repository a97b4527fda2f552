"""The command line: `python -m export --checkpoint CHECKPOINT --output BUNDLE`."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from export.variants import FILES
from worker.errors import UsageError, WorkerError

_EPILOG = """\
exit codes: 0 done (a refused int8 is left out and named; the bundle then serves fp32), 2 wrong usage or input,
3 the checkpoint was refused: its encoding, fusion or parity does not hold, and there is no bundle
"""


class _Parser(argparse.ArgumentParser):
    """Raises what is wrong, so that every message leaves through one door."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}. See python -m export --help.")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the flags.

    Raises:
        UsageError: If one is missing, unknown or malformed.
    """
    parser = _Parser(
        prog="python -m export",
        description="Turn a checkpoint into a verified bundle of ONNX graphs.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--checkpoint", type=Path, required=True, help="what `python -m training fit` wrote")
    parser.add_argument("--output", type=Path, required=True, help="the bundle's folder, which must not exist")
    parser.add_argument("--overwrite", action="store_true", help="replace an older bundle")
    parser.add_argument("--variants", default=",".join(FILES), help="default: %(default)s; fp32 is always made")
    parser.add_argument(
        "--name", default="", help="of the model, on every event; default: the checkpoint's folder"
    )
    parser.add_argument("--version", default="", help="default: UTC date and six digits of the weights' hash")
    parser.add_argument(
        "--texts", type=Path, nargs="+", default=[], metavar="FILE",
        help="reviews to measure on, JSON lines (.gz too); none of them is written into the bundle",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, default=0, help="default: one a core")
    return parser.parse_args(arguments)


def parse_variants(wanted: str) -> tuple[str, ...]:
    """The variants named in a list with commas.

    Raises:
        UsageError: If one is unknown.
    """
    names = tuple(name.strip() for name in wanted.split(",") if name.strip())
    if unknown := [name for name in names if name not in FILES]:
        raise UsageError(f"unknown variant {', '.join(unknown)}: --variants takes {' and '.join(FILES)}.")
    if not names:
        raise UsageError(f"--variants names none: it takes {' and '.join(FILES)}.")
    return names


def main(arguments: Sequence[str]) -> int:
    """Export; the exit code says how it ended."""
    try:
        return _export(parse(arguments))
    except WorkerError as error:
        Console(stderr=True).print(f"export: {error}", style="bold red", markup=False, highlight=False)
        return error.exit_code


def _export(flags: argparse.Namespace) -> int:
    variants = parse_variants(flags.variants)
    if flags.threads < 0:
        raise UsageError("--threads takes a number of threads, or 0 for one a core.")
    from export.pipeline import Options, export_bundle  # noqa: PLC0415 - usage errors need not wait for ONNX Runtime
    from export.progress import Progress  # noqa: PLC0415

    progress = Progress(Console(stderr=True))
    options = Options(
        checkpoint=flags.checkpoint,
        output=flags.output.absolute(),
        variants=variants,
        name=flags.name,
        version=flags.version,
        texts=tuple(flags.texts),
        threads=flags.threads,
        overwrite=flags.overwrite,
    )
    progress.table(export_bundle(options, progress), str(flags.output))
    return 0
