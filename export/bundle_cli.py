"""The command line of `python -m export bundle --checkpoint CHECKPOINT --output BUNDLE`."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from contract.errors import UsageError
from contract.variants import REFERENCE, VARIANTS
from export.arguments import Parser, parse_variants
from reviews.splits import PARTS

_EXIT_CODES = """\
exit codes: 0 done (a refused variant is left out and named; the reference serves in its place), 2 wrong usage or
input, 3 the checkpoint was refused: its encoding, fusion or parity does not hold, and there is no bundle
"""


def parser() -> Parser:
    """The options of an export."""
    parser = Parser("bundle", "Turn a checkpoint into a verified bundle of ONNX graphs.", _EXIT_CODES)
    parser.add_argument("--checkpoint", type=Path, required=True, help="what `python -m training fit` wrote")
    parser.add_argument("--output", type=Path, required=True, help="the bundle's folder, which must not exist")
    parser.add_argument("--overwrite", action="store_true", help="replace an older bundle")
    parser.add_argument(
        "--variants",
        help=f"of {','.join(VARIANTS)}; default: those that can be measured here; {REFERENCE.name} is always made",
    )
    parser.add_argument(
        "--name", default="", help="of the model, on every event; default: the checkpoint's folder"
    )
    parser.add_argument("--version", default="", help="default: UTC date and six digits of the weights' hash")
    parser.add_argument(
        "--texts", type=Path, nargs="+", default=[], metavar="FILE",
        help="reviews to measure on, as training takes them; none of them is written into the bundle",
    )  # fmt: skip
    _add_held_out(parser)
    parser.add_argument("--threads", type=int, default=0, help="default: one a core")
    return parser


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the flags of an export.

    Raises:
        UsageError: If one is missing, unknown or malformed.
    """
    flags = parser().parse_args(arguments)
    _check(flags)
    return flags


def _add_held_out(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "reviews with stars that did not train the model; none is written into the bundle"
    )
    group.add_argument(
        "--calibration", type=Path, nargs="+", default=[], metavar="FILE",
        help="fit each variant's temperature on these, as training takes them",
    )  # fmt: skip
    group.add_argument(
        "--calibration-part", choices=PARTS, default="calibration",
        help="which part of them, by the texts' hashes; default: %(default)s",
    )  # fmt: skip
    group.add_argument(
        "--precision", type=float,
        help="mark events as abstained below the confidence above which this share is right; default: never",
    )  # fmt: skip
    group.add_argument(
        "--test", type=Path, nargs="+", default=[], metavar="FILE",
        help="measure each variant's accuracy for the manifest on these; default: the reference's from training",
    )  # fmt: skip
    group.add_argument(
        "--test-part", choices=PARTS, default="test", help="which part of these; default: %(default)s"
    )


def _check(flags: argparse.Namespace) -> None:
    if flags.threads < 0:
        raise UsageError("--threads takes a number of threads, or 0 for one a core.")
    if flags.precision is not None and not flags.calibration:
        raise UsageError("--precision needs --calibration: reviews on which the threshold is chosen.")
    if flags.precision is not None and not (0 < flags.precision < 1 and math.isfinite(flags.precision)):
        raise UsageError("--precision is a share between 0 and 1, such as 0.95.")


def make_bundle(arguments: Sequence[str]) -> int:
    """Make a bundle; the exit code is 0.

    Raises:
        ReviewSentimentError: If anything is wrong; it has the exit code.
    """
    flags = parse(arguments)
    variants = () if flags.variants is None else parse_variants(flags.variants)
    from export.held_out import HeldOutOptions  # noqa: PLC0415 - usage errors need not wait for ONNX Runtime
    from export.pipeline import BundleOptions, export_bundle  # noqa: PLC0415
    from export.progress import Progress  # noqa: PLC0415

    progress = Progress(Console(stderr=True))
    options = BundleOptions(
        checkpoint=flags.checkpoint,
        output=flags.output.absolute(),
        variants=variants,
        name=flags.name,
        version=flags.version,
        texts=tuple(flags.texts),
        held_out=HeldOutOptions(
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
