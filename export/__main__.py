"""The command line: `python -m export bundle | evaluate`."""

import sys
from collections.abc import Callable, Sequence

from rich.console import Console

from contract.errors import ReviewSentimentError, UsageError, end_by_signals
from contract.version import VERSION

_USAGE = """\
usage: python -m export bundle --checkpoint CHECKPOINT --output BUNDLE    make a verified bundle
       python -m export evaluate BUNDLE --data FILE...                    measure the graphs that serve

Each has --help.
"""


def main(arguments: Sequence[str]) -> int:
    """Run a command; the exit code says how it ended."""
    if list(arguments) in (["-h"], ["--help"]):
        print(_USAGE, end="")
        return 0
    if list(arguments) == ["--version"]:
        print(f"review-sentiment {VERSION}")
        return 0
    try:
        return _command(arguments)(arguments[1:])
    except KeyboardInterrupt:
        _say("interrupted; nothing was written")
        return 130
    except OSError as error:
        _say(str(error))
        return UsageError.exit_code
    except ReviewSentimentError as error:
        _say(str(error))
        return error.exit_code


def _command(arguments: Sequence[str]) -> Callable[[Sequence[str]], int]:
    match arguments:
        case ["bundle", *_]:
            from export.bundle_cli import make_bundle  # noqa: PLC0415 - neither --help need wait for the other

            return make_bundle
        case ["evaluate", *_]:
            from export.evaluate_cli import evaluate_bundle  # noqa: PLC0415 - as above

            return evaluate_bundle
    if any(argument.startswith("--checkpoint") for argument in arguments):  # as it was in version 0.1
        raise UsageError("write `python -m export bundle --checkpoint ...`: the command names what it makes")
    raise UsageError(f"which command?\n{_USAGE}")


def _say(message: str) -> None:
    Console(stderr=True).print(f"export: {message}", style="bold red", markup=False, highlight=False)


if __name__ == "__main__":
    end_by_signals()
    sys.exit(main(sys.argv[1:]))
