"""The command line: `python -m training fit | evaluate`."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from training.errors import TrainingError


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 2 for what the user can mend, 130 for Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        metrics = _fit(options) if options.command == "fit" else _evaluate(options)
    except TrainingError as error:
        print(f"training: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "training: interrupted; the same command with --resume goes on from the last saved step",
            file=sys.stderr,
        )
        return 130
    print(_summary(metrics))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training")
    commands = parser.add_subparsers(dest="command", required=True)
    fit = commands.add_parser("fit", help="fine-tune a base model", formatter_class=_Defaults)
    fit.add_argument("--data", type=Path, nargs="+", required=True, help="review files: .json, .jsonl, also .gz")
    fit.add_argument("--validation", type=Path, nargs="+", help="measure on these instead of a held-out fifth")
    fit.add_argument("--base-model", required=True, help="a folder, or a name on the Hugging Face hub")
    fit.add_argument("--output", type=Path, required=True, help="folder of the checkpoint")
    fit.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    fit.add_argument("--epochs", type=float, default=2.0, help="passes over the data")
    fit.add_argument("--learning-rate", type=float, default=2e-5, help="peak, after the warm-up")
    fit.add_argument("--batch-size", type=int, default=8, help="rows of a step")
    fit.add_argument("--tokens-max", type=int, default=512, help="longer texts are cut, special tokens included")
    fit.add_argument("--weight-decay", type=float, default=0.01, help="not on biases and LayerNorm")
    fit.add_argument("--warmup-ratio", type=float, default=0.1, help="share of the steps")
    fit.add_argument("--seed", type=int, default=2018, help="of the split, the head and the order")
    fit.add_argument("--save-steps", type=int, default=500, help="steps between two resumable states")
    fit.add_argument("--threads", type=int, default=0, help="CPU threads; 0 is PyTorch's choice")
    evaluate = commands.add_parser("evaluate", help="measure a checkpoint", formatter_class=_Defaults)
    evaluate.add_argument("--checkpoint", type=Path, required=True, help="what `fit` wrote")
    evaluate.add_argument("--data", type=Path, nargs="+", required=True, help="review files")
    evaluate.add_argument("--json", type=Path, help="write the figures to this file too")
    return parser


class _Defaults(argparse.ArgumentDefaultsHelpFormatter):
    pass


def _fit(options: argparse.Namespace) -> dict[str, Any]:
    from training.data import read_corpus  # noqa: PLC0415 - usage errors need not wait for PyTorch
    from training.fit import Recipe, fit  # noqa: PLC0415

    recipe = Recipe(**{name: getattr(options, name) for name in Recipe.__dataclass_fields__})
    corpus = read_corpus(options.data)
    for reason, count in corpus.rejected.items():
        print(f"left out {count} line(s): {reason}, first {corpus.first_place[reason]}", file=sys.stderr)
    validation = read_corpus(options.validation) if options.validation else None
    return fit(corpus, options.base_model, options.output, recipe, validation=validation, resume=options.resume)


def _evaluate(options: argparse.Namespace) -> dict[str, Any]:
    from training.data import read_corpus  # noqa: PLC0415
    from training.evaluate import evaluate  # noqa: PLC0415

    metrics = evaluate(options.checkpoint, read_corpus(options.data))
    if options.json:
        options.json.write_text(json.dumps(metrics, indent=2) + "\n")
    return metrics


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
