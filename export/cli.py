"""The command line: `python -m export --checkpoint CHECKPOINT --output BUNDLE`, and `… evaluate BUNDLE`."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from contract.errors import UsageError, WorkerError
from export.variants import FILES
from reviews.splits import PARTS

_EPILOG = """\
`python -m export evaluate BUNDLE` measures a finished bundle: see python -m export evaluate --help.

exit codes: 0 done (a refused int8 is left out and named; the bundle then serves fp32), 2 wrong usage or input,
3 the checkpoint was refused: its encoding, fusion or parity does not hold, and there is no bundle
"""
_PARTS = (*PARTS, "all")


class Parser(argparse.ArgumentParser):
    """Raises what is wrong, so that every message leaves through one door."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found wrong."""
        raise UsageError(f"{message}. See {self.prog} --help.")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the flags of an export.

    Raises:
        UsageError: If one is missing, unknown or malformed.
    """
    parser = Parser(
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
    _add_held_out(parser)
    parser.add_argument("--threads", type=int, default=0, help="default: one a core")
    flags = parser.parse_args(arguments)
    _check(flags)
    return flags


def parse_variants(wanted: str, flag: str = "--variants") -> tuple[str, ...]:
    """The variants named in a list with commas.

    Raises:
        UsageError: If one is unknown.
    """
    names = tuple(dict.fromkeys(name.strip() for name in wanted.split(",") if name.strip()))
    if unknown := [name for name in names if name not in FILES]:
        raise UsageError(f"unknown variant {', '.join(unknown)}: {flag} takes {' and '.join(FILES)}.")
    if not names:
        raise UsageError(f"{flag} names none: it takes {' and '.join(FILES)}.")
    return names


def main(arguments: Sequence[str]) -> int:
    """Export or evaluate; the exit code says how it ended."""
    try:
        if list(arguments[:1]) == ["evaluate"]:
            from export.evaluate_cli import evaluate_bundle  # noqa: PLC0415 - neither --help need wait for the other

            return evaluate_bundle(arguments[1:])
        return _export(parse(arguments))
    except KeyboardInterrupt:
        Console(stderr=True).print("export: interrupted; nothing was written", style="bold red")
        return 130
    except OSError as error:
        Console(stderr=True).print(f"export: {error}", style="bold red", markup=False, highlight=False)
        return UsageError.exit_code
    except WorkerError as error:
        Console(stderr=True).print(f"export: {error}", style="bold red", markup=False, highlight=False)
        return error.exit_code


def _add_held_out(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "reviews with stars that did not train the model; none is written into the bundle"
    )
    group.add_argument(
        "--calibration", type=Path, nargs="+", default=[], metavar="FILE",
        help="fit each variant's temperature on these, as training takes them",
    )  # fmt: skip
    group.add_argument(
        "--calibration-part", choices=_PARTS, default="calibration",
        help="which part of them, by the texts' hashes; default: %(default)s",
    )  # fmt: skip
    group.add_argument(
        "--precision", type=float,
        help="mark events as abstained below the confidence above which this share is right; default: never",
    )  # fmt: skip
    group.add_argument(
        "--test", type=Path, nargs="+", default=[], metavar="FILE",
        help="measure each variant's accuracy figures for the manifest on these; default: fp32's from training",
    )  # fmt: skip
    group.add_argument(
        "--test-part", choices=_PARTS, default="test", help="which part of these; default: %(default)s"
    )


def _check(flags: argparse.Namespace) -> None:
    if flags.threads < 0:
        raise UsageError("--threads takes a number of threads, or 0 for one a core.")
    if flags.precision is not None and not flags.calibration:
        raise UsageError("--precision needs --calibration: reviews on which the threshold is chosen.")
    if flags.precision is not None and not (0 < flags.precision < 1 and math.isfinite(flags.precision)):
        raise UsageError("--precision is a share between 0 and 1, such as 0.95.")


def _export(flags: argparse.Namespace) -> int:
    variants = parse_variants(flags.variants)
    from export.held_out import Wanted  # noqa: PLC0415 - usage errors need not wait for ONNX Runtime
    from export.pipeline import Options, export_bundle  # noqa: PLC0415
    from export.progress import Progress  # noqa: PLC0415

    progress = Progress(Console(stderr=True))
    options = Options(
        checkpoint=flags.checkpoint,
        output=flags.output.absolute(),
        variants=variants,
        name=flags.name,
        version=flags.version,
        texts=tuple(flags.texts),
        held_out=Wanted(
            calibration=tuple(flags.calibration),
            calibration_part=flags.calibration_part,
            precision=flags.precision,
            test=tuple(flags.test),
            test_part=flags.test_part,
        ),
        threads=flags.threads,
        overwrite=flags.overwrite,
    )
    progress.table(export_bundle(options, progress), str(flags.output))
    return 0
