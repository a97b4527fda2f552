"""`review-sentiment worker | training | export …`, which is `python -m` of the same name.

Knows which before it imports anything: a worker has no PyTorch, and as PID 1 it must hear SIGTERM from its first
hundredths of a second on.
"""

import runpy
import sys

USAGE = 2

_USAGE = """\
usage: review-sentiment PROGRAM COMMAND ...

  worker     read review events from Kafka, publish them with their sentiment
  training   fine-tune a BERT on reviews, and measure it
  export     turn a checkpoint into a verified bundle for workers, and measure it

Each is `python -m PROGRAM` too, and takes --help; --version tells the version, and
--print-completion bash (or zsh, fish, ...) writes what the shell needs to complete all of it.

examples:
  review-sentiment training fit --data reviews_*.json.gz --base-model bert-base-uncased --output runs/checkpoint
  review-sentiment export bundle --checkpoint runs/checkpoint --output runs/bundle
  review-sentiment worker topics create --partitions 12
  review-sentiment worker check --bundle runs/bundle
  review-sentiment worker run --bundle runs/bundle
  review-sentiment worker contracts validate events.jsonl
"""


def main() -> int:
    """Hand over to a program; 2 for wrong usage."""
    match sys.argv[1:]:
        case ["worker" | "training" | "export" as program, *arguments]:
            sys.argv[1:] = arguments
            runpy.run_module(program, run_name="__main__", alter_sys=True)  # which ends as it wants
        case ["--version"]:
            from contract.version import VERSION  # noqa: PLC0415 - no other case needs it

            print(f"review-sentiment {VERSION}")
        case ["--print-completion", shell]:
            return _print_completion(shell)
        case ["-h" | "--help"]:
            print(_USAGE, end="")
        case _:
            print(_USAGE, end="", file=sys.stderr)
            return USAGE
    return 0


def _print_completion(shell: str) -> int:
    try:
        from review_sentiment.completion import SHELLS, script  # noqa: PLC0415 - no other case needs it
    except ModuleNotFoundError as error:
        print(f"review-sentiment: {error}: install the extra `completion`", file=sys.stderr)
        return USAGE
    if shell not in SHELLS:
        print(f"review-sentiment: --print-completion takes one of {', '.join(SHELLS)}", file=sys.stderr)
        return USAGE
    print(script(shell))
    return 0


if __name__ == "__main__":
    sys.exit(main())
