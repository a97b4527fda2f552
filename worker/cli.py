"""The command line: `python -m worker run | check | topics | redrive | tune | contracts | config`."""

import argparse
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import structlog

from contract.errors import ReviewSentimentError, UsageError
from contract.version import VERSION
from worker.environment import ignored, meant
from worker.errors import KafkaUnfitError
from worker.flags import Parser
from worker.logs import configure_logging, log_what_nobody_catches
from worker.settings import Settings, load_settings
from worker.settings_table import settings_table
from worker.stop import Stop

_USAGE = """\
usage: python -m worker COMMAND [--SETTING VALUE]...

  run         serve until SIGTERM: read events, publish sentiment
  check       try all that `run` needs (bundle, brokers, topics, group, rights), then exit [--json] [--strict]
  topics      create the three topics, with the limits that the worker asks for
  redrive     send dead letters to the input topic again, or tell which [--reason REASON]... [--send]
  tune        measure how this machine serves the bundle fastest [--texts FILE] [--output FILE]
  contracts   write the JSON Schemas and the AsyncAPI document [--output FOLDER]
              validate FILE|-: which of these records would be dead letters, and why
  config      show the settings in force; --markdown lists them all

Settings come from flags (python -m worker run --help), the environment (WORKER_..., KAFKA_...) and the
TOML file that WORKER_CONFIG names. --version tells the version. Exit codes: docs/operations.md.
"""

_CONTRACTS_USAGE = """\
usage: python -m worker contracts [--output FOLDER]   write the JSON Schemas and the AsyncAPI document
       python -m worker contracts validate FILE|-     which records would be dead letters, and why [--help]
"""


def main(arguments: list[str], stop: Stop) -> int:
    """Run a command; the exit code says how it ended."""
    commands: dict[str, Callable[[list[str]], int | None]] = {
        "run": lambda arguments: _run(arguments, stop),
        "check": _check,
        "topics": _topics,
        "redrive": _redrive,
        "tune": _tune,
        "contracts": _contracts,
        "config": _config,
    }
    if arguments == ["--version"]:
        print(f"review-sentiment {VERSION}")
        return 0
    if arguments in ([], ["-h"], ["--help"]):
        print(_USAGE, file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else UsageError.exit_code
    command, *rest = arguments
    try:
        if command not in commands:
            hint = meant(command, commands) or " (python -m worker --help lists them)"
            raise UsageError(f"there is no command {command}{hint}")
        return commands[command](rest) or 0
    except ReviewSentimentError as error:
        if command == "run" and not structlog.is_configured():  # it is the settings that are wrong
            configure_logging(*(Settings.model_fields[name].default for name in ("log_level", "log_format")))
        if structlog.is_configured():
            is_a_bug = error.exit_code == 1  # its place helps to fix it
            structlog.get_logger("worker").error(
                "worker_failed", error=str(error), kind=type(error).__name__, exit_code=error.exit_code,
                **({"exc_info": error} if is_a_bug else {}),
            )  # fmt: skip
        print(f"worker: {error}", file=sys.stderr)
        return error.exit_code


def _settings(arguments: list[str], *, command: str, usage: str = "", needs_bundle: bool = True) -> Settings:
    settings = load_settings(arguments, command=command, usage=usage, needs_bundle=needs_bundle)
    # What a worker logs is its output; any other command has another one, which programs may read.
    configure_logging(settings.log_level, settings.log_format, sys.stdout if command == "run" else sys.stderr)
    log_what_nobody_catches()
    if names := ignored(os.environ, Settings.model_fields):
        structlog.get_logger("worker").warning("variables_ignored", names=names, reason="the worker has none such")
    return settings


def _run(arguments: list[str], stop: Stop) -> None:
    settings = _settings(arguments, command="run")
    from worker.app import run  # noqa: PLC0415 - usage errors need not wait for ONNX Runtime

    run(settings, stop=stop)


def check_parser() -> argparse.ArgumentParser:
    """The options of `check` that are no settings."""
    parser = Parser(
        "check",
        description="Try all that `run` needs, without joining the group or writing anything.",
        epilog="""\
✓ fine   ! a worker runs, but less is promised than could be   ? can't be looked at   ✗ `run` would fail

examples:
  python -m worker check                                # takes the settings of `run`, as flags too
  python -m worker check --json --strict | jq .checks   # 0, or the code with which `run` would end
""",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="a JSON document instead of the table")
    parser.add_argument("--strict", action="store_true", help="fail where there is a warning (!) too")
    return parser


def _check(arguments: list[str]) -> None:
    from worker.preflight.checks import CheckFailedError, document, failures, table  # noqa: PLC0415

    parser = check_parser()
    options, flags = parser.parse_known_args(arguments)
    settings = _settings(flags, command="check", usage=parser.format_usage())
    from worker.preflight.run import preflight  # noqa: PLC0415 - as for `run`

    checks = preflight(settings)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # other locales have no ✓
    print(json.dumps(document(checks, strict=options.strict), indent=2) if options.json else table(checks))
    if failed := failures(checks, strict=options.strict):
        raise CheckFailedError(failed)


def _tune(arguments: list[str]) -> None:
    from worker.tune_command import parser, tune  # noqa: PLC0415 - as for `run`

    own = parser()
    options, flags = own.parse_known_args(arguments)
    print(
        tune(
            _settings(flags, command="tune", usage=own.format_usage()),
            options.texts,
            options.seconds,
            options.output,
        )
    )


def topics_parser() -> argparse.ArgumentParser:
    """The options of `topics create` that are no settings."""
    from worker.topics import DEFAULT, MESSAGE_BYTES_MAX  # noqa: PLC0415

    parser = Parser(
        "topics create",
        description="Create those of the three topics that there are not yet. Names and brokers are settings.",
        epilog="""\
examples:
  python -m worker topics create --partitions 12 --replication-factor 3 --config min.insync.replicas=2
  python -m worker topics create --partitions 12 --dry-run                # for somebody who has the rights
  python -m worker topics create --input-topic orders --partitions 6      # any setting of `run` is a flag here
""",
    )  # fmt: skip
    parser.add_argument("create", choices=["create"], help=argparse.SUPPRESS)
    parser.add_argument("--partitions", type=_positive, help="of each topic; the input topic's where there is one")
    parser.add_argument("--replication-factor", type=_positive, default=DEFAULT, help="the brokers' unless given")
    parser.add_argument(
        "--message-bytes-max", type=_positive, default=MESSAGE_BYTES_MAX,
        help="largest batch of the input topic; the others take what is added to it (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--config", type=_pair, action="append", default=[], metavar="NAME=VALUE", help="of all; repeatable"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the commands of kafka-topics.sh instead")
    return parser


def _topics(arguments: list[str]) -> None:
    from worker.adapters.kafka_creation import create_missing  # noqa: PLC0415
    from worker.topics import Wishes  # noqa: PLC0415

    parser = topics_parser()
    options, flags = parser.parse_known_args(arguments)
    settings = _settings(flags, command="topics create", usage=parser.format_usage(), needs_bundle=False)
    wishes = Wishes(
        options.partitions, options.replication_factor, options.message_bytes_max, dict(options.config)
    )
    topics = create_missing(settings, wishes, dry_run=options.dry_run)
    for name, partitions in topics.existing.items():
        print(f"{'# ' if options.dry_run else ''}there was {name}: {partitions} partitions")
    for topic in topics.missing:
        print(topic.command(settings) if options.dry_run else f"created {topic.name}: {topic.described()}")
    if topics.remark:
        raise KafkaUnfitError(topics.remark)


def _redrive(arguments: list[str]) -> None:
    from worker.redrive import parser, redrive  # noqa: PLC0415 - as for `run`

    own = parser()
    options, flags = own.parse_known_args(arguments)
    settings = _settings(flags, command="redrive", usage=own.format_usage(), needs_bundle=False)
    for line in redrive(settings, frozenset(options.reason), send=options.send):
        print(line, flush=True)


def _positive(text: str) -> int:
    number = int(text)
    if not 0 < number < 2**31:
        raise argparse.ArgumentTypeError(f"{text} is out of range")
    return number


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _contracts(arguments: list[str]) -> int | None:
    if arguments[:1] == ["validate"]:
        return _validate(arguments[1:])
    from contract.schemas import write_contracts  # noqa: PLC0415

    match arguments:
        case []:
            folder = Path("docs/contracts")
        case ["--output", path]:
            folder = Path(path)
        case ["-h"] | ["--help"]:
            print(_CONTRACTS_USAGE, end="")
            return None
        case _:
            raise UsageError("python -m worker contracts takes --output FOLDER, or validate FILE")
    for file in write_contracts(folder):
        print(file)
    return None


def validation_parser() -> argparse.ArgumentParser:
    """What `contracts validate` takes beside settings."""
    from worker.validation import NOT_SEEN  # noqa: PLC0415

    parser = Parser(
        "contracts validate",
        description="Tell which records a worker would put aside as dead letters, and why; ends with 1 if any. "
        "Each line is the value of one record. Needs no Kafka and no bundle. Any setting of `run` is a flag here, "
        "after FILE.",
        epilog=f"""\
not seen, since they don't depend on the value alone: {", ".join(NOT_SEEN)};
nor whether a text is longer than the model reads, which makes no dead letter but `truncated`

examples:
  python -m worker contracts validate events.jsonl
  zcat events.jsonl.gz | python -m worker contracts validate - --text-field comment --input-bytes-max 50000
""",
    )  # fmt: skip
    parser.add_argument("file", metavar="FILE", help="JSON lines; - for standard input")
    return parser


def _validate(arguments: list[str]) -> int:
    from worker.validation import Tally, dead_lines  # noqa: PLC0415

    parser = validation_parser()
    options, flags = parser.parse_known_args(arguments)
    settings = _settings(flags, command="contracts validate", usage=parser.format_usage(), needs_bundle=False)
    tally = Tally()
    try:
        with sys.stdin.buffer if options.file == "-" else Path(options.file).open("rb") as lines:
            for number, (reason, detail) in dead_lines(
                lines, tally, text_field=settings.text_field, bytes_max=settings.input_bytes_max
            ):
                print(f"{options.file}:{number}: {reason}: {detail}")
        print(tally.told(), flush=True)
    except BrokenPipeError:  # the reader has seen enough; Python would complain when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise UsageError(f"can't read {options.file}: {error.strerror}") from error
    return 1 if tally.reasons else 0


def _config(arguments: list[str]) -> None:
    if arguments == ["--markdown"]:
        print(settings_table(), end="")
        return
    settings = load_settings(arguments, command="config", needs_bundle=False)
    in_force = json.loads(settings.model_dump_json())
    if "bundle" not in settings.model_fields_set:
        in_force["bundle"] = None
    print(json.dumps(in_force, indent=2))
