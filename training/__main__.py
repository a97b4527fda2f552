"""The command line: `python -m training fit | evaluate`."""

import argparse
import json
import math
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from training.errors import TrainingError
from training.partial import partial_folder, saved_state, saved_step
from training.recipe import Recipe


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 1 for a model that is not as good, 2 for what the user can mend, 130 for Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        return _fit(options) if options.command == "fit" else _evaluate(options)
    except (TrainingError, OSError) as error:
        print(f"training: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"training: interrupted{_how_to_go_on(options)}", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training")
    commands = parser.add_subparsers(dest="command", required=True)
    shown = argparse.ArgumentDefaultsHelpFormatter
    fit = commands.add_parser("fit", help="fine-tune a base model", formatter_class=shown)
    fit.add_argument("--data", type=Path, nargs="+", required=True, help="review files: .json, .jsonl, also .gz")
    fit.add_argument("--validation", type=Path, nargs="+", help="measure on these instead of a held-out fifth")
    fit.add_argument("--base-model", required=True, help="a folder, or a name on the Hugging Face hub")
    fit.add_argument(
        "--split", choices=("stratified", "hash"), default="stratified",
        help="hold out a fifth, or by content: train, validation, calibration and test stay apart for good",
    )  # fmt: skip
    fit.add_argument("--output", type=Path, required=True, help="folder of the checkpoint")
    fit.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    for setting in fields(Recipe):
        name, meaning = f"--{setting.name.replace('_', '-')}", setting.metadata["help"]
        if isinstance(setting.default, bool):
            fit.add_argument(name, action=argparse.BooleanOptionalAction, default=setting.default, help=meaning)
        else:
            fit.add_argument(name, type=type(setting.default), default=setting.default, help=meaning)
    _add_evaluate(commands.add_parser("evaluate", help="measure a checkpoint", formatter_class=shown))
    return parser


def _add_evaluate(evaluate: argparse.ArgumentParser) -> None:
    evaluate.add_argument("--checkpoint", type=Path, required=True, help="what `fit` wrote")
    evaluate.add_argument("--data", type=Path, nargs="+", required=True, help="review files to measure on")
    evaluate.add_argument("--json", type=Path, help="write all figures to this file, and pictures beside it")
    evaluate.add_argument(
        "--calibration", type=Path, nargs="+", help="review files to fit the temperature on, instead of by halves"
    )
    evaluate.add_argument(
        "--against", type=Path, help="a checkpoint to compare with: exit code 1 if this one may be worse"
    )
    evaluate.add_argument(
        "--tolerance", type=float, default=0.005, help="the loss of macro-F1 that --against puts up with"
    )
    evaluate.add_argument(
        "--baselines", action=argparse.BooleanOptionalAction, default=True, help="measure simple classifiers too"
    )
    evaluate.add_argument(
        "--train-data", type=Path, nargs="+", help="review files for the TF-IDF baseline to learn from"
    )


def _fit(options: argparse.Namespace) -> int:
    recipe = Recipe(**{setting.name: getattr(options, setting.name) for setting in fields(Recipe)})
    corpus = _read(options.data)
    validation = _read(options.validation) if options.validation else None
    from training.fit import fit  # noqa: PLC0415 - wrong usage need not wait for PyTorch

    metrics = fit(
        corpus,
        options.base_model,
        options.output,
        recipe,
        validation=validation,
        by=options.split,
        resume=options.resume,
    )
    print(_summary(metrics))
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    if not 0 <= options.tolerance < math.inf:
        raise TrainingError("--tolerance must be 0 or more")
    if options.json:
        options.json.touch()  # an answer that can't be written is better known before the work
    corpus = _read(options.data)
    calibration = _read(options.calibration) if options.calibration else None
    train = _read(options.train_data) if options.train_data else None
    from rich.console import Console  # noqa: PLC0415 - as above

    from training.evaluate import evaluate  # noqa: PLC0415
    from training.plots import plot_evaluation  # noqa: PLC0415
    from training.tables import show  # noqa: PLC0415

    result = evaluate(
        options.checkpoint,
        corpus,
        calibration=calibration,
        against=options.against,
        train=train,
        with_baselines=options.baselines,
        tolerance=options.tolerance,
    )
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
        plot_evaluation(result, options.json)
    show(result, Console())
    return 0 if result.get("comparison", {"passed": True})["passed"] else 1


def _read(files: list[Path]) -> Any:
    from training.data import read_corpus  # noqa: PLC0415 - nor --help for scikit-learn

    corpus = read_corpus(files)
    for line in corpus.left_out():
        print(line, file=sys.stderr)
    return corpus


def _how_to_go_on(options: argparse.Namespace) -> str:
    if options.command != "fit":
        return ""
    state = saved_state(partial_folder(options.output))
    if state is None:
        return "; nothing was saved yet"
    return f", saved at step {saved_step(state)}; the same command with --resume goes on from there"


def _summary(metrics: dict[str, Any]) -> str:
    lines = [f"macro-F1 {metrics['macro_f1']:.3f}, accuracy {metrics['accuracy']:.3f} on {metrics['rows']} texts"]
    lines += [
        f"  {name:9} F1 {row['f1']:.3f}  precision {row['precision']:.3f}  recall {row['recall']:.3f}  "
        f"({row['rows']} texts)"
        for name, row in metrics["by_class"].items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
