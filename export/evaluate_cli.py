"""The command line of `python -m export evaluate BUNDLE`."""

import argparse
import contextlib
import json
import math
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from contract.errors import InputError, UsageError
from contract.variants import VARIANTS
from evaluation.findings import reaches
from export.arguments import Parser, parse_variants
from export.evaluate import EvaluateOptions, evaluate
from export.labelled import Source
from export.progress import Progress
from export.report import plot, show
from reviews.files import replacing
from reviews.splits import EVERY_PART, PARTS

_EXIT_CODES = """\
exit codes: 0 done, 1 the bundle may be worse than that of --against or than --macro-f1-min asks for, 2 wrong usage
or input, 3 a folder is no bundle, or does not reproduce its golden texts here
"""


def parser() -> Parser:
    """The options of an evaluation."""
    parser = Parser(
        "evaluate", "Measure the graphs that serve, through the worker's encoder and classifier.", _EXIT_CODES
    )
    parser.add_argument("bundle", type=Path, help="what `python -m export bundle` wrote")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="review files to measure on")
    parser.add_argument(
        "--part", choices=PARTS, default=EVERY_PART,
        help="of --data, as `fit --split hash` parts it; default: %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--variant", default="all", help=f"{', '.join(VARIANTS)}, or several with commas; default: %(default)s"
    )
    parser.add_argument("--json", type=Path, help="write all figures to this file, and pictures beside it")
    parser.add_argument("--against", type=Path, help="a bundle to compare with: exit code 1 if this may be worse")
    parser.add_argument(
        "--tolerance", type=float, default=0.005, help="the loss of macro-F1 that --against puts up with"
    )
    parser.add_argument(
        "--macro-f1-min", type=float, metavar="SHARE",
        help="what is good enough: exit code 1 if the 95 %% interval of the variant that serves begins below",
    )  # fmt: skip
    parser.add_argument("--baselines", action="store_true", help="measure simple classifiers too")
    parser.add_argument(
        "--train-data", type=Path, nargs="+", default=[], help="review files for the TF-IDF baseline to learn from"
    )
    parser.add_argument("--threads", type=int, default=0, help="default: one a core")
    return parser


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the flags.

    Raises:
        UsageError: If one is missing, unknown or malformed.
    """
    flags = parser().parse_args(arguments)
    if not 0 <= flags.tolerance < math.inf:
        raise UsageError("--tolerance must be 0 or more.")
    if flags.macro_f1_min is not None and not 0 <= flags.macro_f1_min <= 1:
        raise UsageError("--macro-f1-min must be from 0 to 1.")
    if flags.threads < 0:
        raise UsageError("--threads takes a number of threads, or 0 for one a core.")
    if flags.train_data and not flags.baselines:
        raise UsageError("--train-data is what a baseline learns from: give --baselines too.")
    return flags


def evaluate_bundle(arguments: Sequence[str]) -> int:
    """Measure, show and write; 1 where the bundle may be worse than what it is compared with, or than asked for.

    Raises:
        ReviewSentimentError: If anything is wrong; it has the exit code.
    """
    flags = parse(arguments)
    try:
        options = EvaluateOptions(
            bundle=flags.bundle,
            source=Source(flags.data, flags.part, "--data", "--part"),
            variants=() if flags.variant == "all" else parse_variants(flags.variant, "--variant"),
            against=flags.against,
            tolerance=flags.tolerance,
            with_baselines=flags.baselines,
            train=tuple(flags.train_data),
            threads=flags.threads,
            macro_f1_min=flags.macro_f1_min,
        )
        # An answer that can't be written is better known before the work.
        with replacing(flags.json) if flags.json else contextlib.nullcontext() as new:
            result = evaluate(options, Progress(Console(stderr=True)))
            if new:
                new.write_text(json.dumps(result.record(), indent=2) + "\n")
                plot(result, flags.json)
    except (InputError, OSError) as error:
        raise UsageError(str(error)) from error
    show(result, Console())
    worse = result.against and not result.against.comparison.passed
    return 1 if worse or not reaches(result.variants[result.serves]) else 0
