"""The command line: `python -m training fit | distill | evaluate`."""

import argparse
import contextlib
import json
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from contract.errors import InputError, end_by_signals
from contract.version import VERSION
from evaluation.figures import Figures, written
from reviews.files import replacing
from reviews.splits import EVERY_PART, PARTS
from training.distillation import DistillationRecipe
from training.failures import what_to_do
from training.recipe import ARTICLE, ARTICLE_BASE_MODEL, RECIPES, Recipe
from training.resume import claimed, partial_folder, saved_state, saved_step
from training.selection import EVERYTHING, Selection, named_weight


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 1 for a model that is not as good, 2 for what the user can fix, 130 for Ctrl-C."""
    options = parser(_recipe(arguments)).parse_args(arguments)
    try:
        _require_text(vars(options).values())
        with contextlib.nullcontext() if options.command == "evaluate" else claimed(options.output):
            return {"fit": _fit, "distill": _distill, "evaluate": _evaluate}[options.command](options)
    except InputError as error:
        print(f"training: {error}", file=sys.stderr)
        return 2
    except Exception as error:
        told = what_to_do(error)  # the disk and the memory have many ways to say that they are full
        if told is None:
            raise
        print(f"training: {told}{_how_to_go_on(options)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"training: interrupted{_how_to_go_on(options) or '; nothing was saved yet'}", file=sys.stderr)
        return 130


def _require_text(values: Iterable[Any]) -> None:
    """Names of files go into records and pages, which are UTF-8; Python keeps other bytes as lone surrogates."""
    for value in values:
        if isinstance(value, list):
            _require_text(value)
        elif any("\ud800" <= letter <= "\udfff" for letter in str(value)):
            raise InputError(f"{str(value)!r} is not UTF-8: give it another name")


def _recipe(arguments: Sequence[str] | None) -> Recipe:
    """The recipe that `--recipe` names, read before the rest since it sets the other defaults (in --help too)."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--recipe", nargs="?")
    return RECIPES.get(parser.parse_known_args(arguments)[0].recipe, Recipe())  # an unknown name is refused later


def parser(recipe: Recipe) -> argparse.ArgumentParser:
    """All commands and options, with the defaults of this recipe."""
    parser = argparse.ArgumentParser(prog="python -m training")
    parser.add_argument("--version", action="version", version=f"review-sentiment {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True)
    shown = argparse.ArgumentDefaultsHelpFormatter
    fit = commands.add_parser("fit", help="fine-tune a base model", formatter_class=shown)
    base_model = ARTICLE_BASE_MODEL if recipe is ARTICLE else None
    where = "a folder, or a name on the Hugging Face hub"
    fit.add_argument("--base-model", required=base_model is None, default=base_model, help=where)
    _add_run(fit, recipe)
    _add_settings(fit, EVERYTHING, only=("leave_out",))
    distill = commands.add_parser("distill", help="fine-tune by a larger model's answers", formatter_class=shown)
    distill.add_argument(
        "--teacher", type=Path, nargs="+", required=True, metavar="CHECKPOINT",
        help="what `fit` wrote, from the same data; the mean of several teaches, or those that left a review's "
        "fold out",
    )  # fmt: skip
    distill.add_argument("--student", required=True, help="the base model: a folder, or a name on the hub")
    distill.add_argument("--unlabelled", type=Path, nargs="+", help="review files whose stars are not looked at")
    _add_settings(distill, DistillationRecipe())
    _add_run(distill, recipe)
    _add_evaluate(commands.add_parser("evaluate", help="measure a checkpoint", formatter_class=shown))
    return parser


def _add_run(command: argparse.ArgumentParser, recipe: Recipe) -> None:
    command.add_argument(
        "--data", type=Path, nargs="+", required=True, help="review files: .json, .jsonl, also .gz"
    )
    _add_categories(command)
    command.add_argument("--validation", type=Path, nargs="+", help="measure on these instead of a held-out part")
    command.add_argument(
        "--split", choices=("stratified", "hash"), default="stratified",
        help="hold out a fifth, or by content: train, validation, calibration and test stay apart for good",
    )  # fmt: skip
    command.add_argument("--output", type=Path, required=True, help="folder of the checkpoint")
    command.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    command.add_argument("--name", help="what report and model card call the model, instead of the folder's name")
    command.add_argument(
        "--base-model-name", metavar="OWNER/NAME", help="of the base model on the hub, where a folder was given"
    )
    command.add_argument("--license", help="of the model, as the hub writes it: apache-2.0, mit, other, ...")
    command.add_argument("--baselines", action="store_true", help="measure simple classifiers too, for the report")
    _add_macro_f1_min(command)
    command.add_argument(
        "--recipe",
        choices=RECIPES,
        default="default",
        help="defaults of the settings below; a flag given wins",
    )
    _add_settings(command, EVERYTHING, only=("source_weights", "source_cap"))
    _add_settings(command, recipe)


def _add_macro_f1_min(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--macro-f1-min", type=float, metavar="SHARE", help="what is good enough, for the report to judge by"
    )


def _add_categories(command: argparse.ArgumentParser) -> None:
    command.add_argument("--categories", nargs="+", default=[], help="only reviews of these categories of --data")


def _add_settings(
    command: argparse.ArgumentParser, defaults: Recipe | DistillationRecipe | Selection, only: Sequence[str] = ()
) -> None:
    for setting in fields(defaults):
        if only and setting.name not in only:
            continue
        name, meaning = f"--{setting.name.replace('_', '-')}", setting.metadata["help"]
        default = getattr(defaults, setting.name)
        if isinstance(default, bool):
            command.add_argument(name, action=argparse.BooleanOptionalAction, default=default, help=meaning)
            continue
        several = isinstance(default, tuple)
        command.add_argument(
            name,
            type=named_weight if several else type(default),
            nargs="+" if several else None,
            default=argparse.SUPPRESS if default in ((), "") else default,  # --help need not show nothing
            metavar=setting.metadata["metavar"],
            help=meaning,
        )


def _add_evaluate(evaluate: argparse.ArgumentParser) -> None:
    evaluate.add_argument("--checkpoint", type=Path, required=True, help="what `fit` wrote")
    evaluate.add_argument("--data", type=Path, nargs="+", required=True, help="review files to measure on")
    _add_categories(evaluate)
    evaluate.add_argument(
        "--part", choices=PARTS, default=EVERY_PART, help="of --data, as `fit --split hash` parts it"
    )
    evaluate.add_argument("--json", type=Path, help="write all figures to this file, and pictures beside it")
    evaluate.add_argument("--report", type=Path, help="write one HTML page to this file")
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
    _add_macro_f1_min(evaluate)


def _fit(options: argparse.Namespace) -> int:
    recipe, material = _settings(options, Recipe), _material(options)
    from training.fit import fit  # noqa: PLC0415 - wrong usage need not wait for PyTorch

    print(_summary(fit(base_model=options.base_model, output=options.output, recipe=recipe, **material)))
    return 0


def _distill(options: argparse.Namespace) -> int:
    recipe, distillation, material = (
        _settings(options, Recipe),
        _settings(options, DistillationRecipe),
        _material(options),
    )
    unlabelled = _read(options.unlabelled, starred=False) if options.unlabelled else None
    from training.distill import distill  # noqa: PLC0415 - as above

    metrics = distill(
        teachers=options.teacher, student=options.student, output=options.output, recipe=recipe,
        distillation=distillation, unlabelled=unlabelled, **material,
    )  # fmt: skip
    print(_summary(metrics))
    return 0


def _settings(options: argparse.Namespace, kind: type) -> Any:
    names = [setting.name for setting in fields(kind) if hasattr(options, setting.name)]
    given = {name: getattr(options, name) for name in names}
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})


def _material(options: argparse.Namespace) -> dict[str, Any]:
    stated = {"name": options.name, "base_model": options.base_model_name, "license": options.license}
    _require_share(options.macro_f1_min)
    from training.standards import Standards  # noqa: PLC0415 - as above

    return {
        "standards": Standards(options.macro_f1_min, options.baselines),
        "stated": {name: value for name, value in stated.items() if value},
        "corpus": _read(options.data, options.categories),
        "validation": _read(options.validation) if options.validation else None,
        "by": options.split,
        "selection": _settings(options, Selection),
        "resume": options.resume,
    }


def _require_share(macro_f1_min: float | None) -> None:
    if macro_f1_min is not None and not 0 <= macro_f1_min <= 1:
        raise InputError("--macro-f1-min must be from 0 to 1")


def _evaluate(options: argparse.Namespace) -> int:
    _require_share(options.macro_f1_min)
    if not 0 <= options.tolerance < math.inf:
        raise InputError("--tolerance must be 0 or more")
    with contextlib.ExitStack() as stack:  # an answer that can't be written is better known before the work
        files = {
            name: stack.enter_context(replacing(file))
            for name, file in (("json", options.json), ("report", options.report))
            if file
        }
        return _evaluate_into(files, options)


def _evaluate_into(files: dict[str, Path], options: argparse.Namespace) -> int:
    corpus = _read(options.data, options.categories)
    if options.part != EVERY_PART:
        corpus = corpus.split(options.part)
    calibration = _read(options.calibration) if options.calibration else None
    train = _read(options.train_data) if options.train_data else None
    from rich.console import Console  # noqa: PLC0415 - as above

    from evaluation.findings import reaches  # noqa: PLC0415
    from evaluation.plots import plot_evaluation  # noqa: PLC0415
    from evaluation.tables import show  # noqa: PLC0415
    from training.evaluate import evaluate, seen_before  # noqa: PLC0415
    from training.report.page import write_evaluation_report  # noqa: PLC0415

    if doubt := seen_before(options.checkpoint, corpus):
        print(doubt, file=sys.stderr)
    evaluation = evaluate(
        options.checkpoint, corpus, calibration=calibration, against=options.against, train=train,
        with_baselines=options.baselines, tolerance=options.tolerance, macro_f1_min=options.macro_f1_min,
    )  # fmt: skip
    if options.json:
        files["json"].write_text(json.dumps(written(evaluation), indent=2) + "\n")
        plot_evaluation(evaluation, options.json)
    if options.report:
        write_evaluation_report(files["report"], evaluation)
    show(evaluation, Console())
    worse = evaluation.comparison and not evaluation.comparison.passed
    return 1 if worse or not reaches(evaluation) else 0


def _read(files: list[Path], categories: Sequence[str] = (), *, starred: bool = True) -> Any:
    from reviews.corpus import read_corpus  # noqa: PLC0415 - nor --help for scikit-learn

    corpus = read_corpus(files, categories=categories, starred=starred)
    for line in corpus.remarks():
        print(line, file=sys.stderr)
    return corpus


def _how_to_go_on(options: argparse.Namespace) -> str:
    state = None if options.command == "evaluate" else saved_state(partial_folder(options.output))
    if state is None:
        return ""
    return f", saved at step {saved_step(state)}; the same command with --resume goes on from there"


def _summary(figures: Figures) -> str:
    lines = [f"macro-F1 {figures.macro_f1:.3f}, accuracy {figures.accuracy:.3f} on {figures.rows} texts"]
    lines += [
        f"  {name:9} F1 {row.f1:.3f}  precision {row.precision:.3f}  recall {row.recall:.3f}  ({row.rows} texts)"
        for name, row in figures.by_class.items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    end_by_signals()
    sys.exit(main())
