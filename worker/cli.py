"""The command line: `python -m worker run | check | contracts | config`."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import structlog

from contract.errors import ReviewSentimentError, UsageError
from contract.version import VERSION
from worker.environment import ignored
from worker.errors import KafkaUnfitError
from worker.logs import configure_logging, log_what_nobody_catches
from worker.settings import Settings, load_settings, settings_table
from worker.stop import Stop

_USAGE = """\
usage: python -m worker COMMAND [--SETTING VALUE]...

  run         serve until SIGTERM: read events, publish sentiment
  check       verify the bundle on this device and the topics, then exit
  contracts   write the JSON Schemas and the AsyncAPI document [--output FOLDER]
  config      show the settings in force; --markdown lists them all

Settings come from flags (python -m worker run --help), the environment (WORKER_..., KAFKA_...) and the
TOML file that WORKER_CONFIG names. --version tells the version. Exit codes: docs/operations.md.
"""


def main(arguments: list[str], stop: Stop) -> int:
    """Run a command; the exit code says how it ended."""
    commands: dict[str, Callable[[list[str]], None]] = {
        "run": lambda arguments: _run(arguments, stop),
        "check": _check,
        "contracts": _contracts,
        "config": _config,
    }
    if arguments == ["--version"]:
        print(f"review-sentiment {VERSION}")
        return 0
    if not arguments or arguments[0] not in commands:
        print(_USAGE, file=sys.stdout if arguments in (["-h"], ["--help"]) else sys.stderr)
        return 0 if arguments in (["-h"], ["--help"]) else UsageError.exit_code
    try:
        commands[arguments[0]](arguments[1:])
    except ReviewSentimentError as error:
        if structlog.is_configured():
            is_a_bug = error.exit_code == 1  # its place helps to fix it
            structlog.get_logger("worker").error(
                "worker_failed", error=str(error), kind=type(error).__name__, exit_code=error.exit_code,
                **({"exc_info": error} if is_a_bug else {}),
            )  # fmt: skip
        print(f"worker: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _settings(arguments: list[str]) -> Settings:
    settings = load_settings(arguments)
    configure_logging(settings.log_level, settings.log_format)
    log_what_nobody_catches()
    if names := ignored(os.environ, Settings.model_fields):
        structlog.get_logger("worker").warning("variables_ignored", names=names, reason="the worker has none such")
    return settings


def _run(arguments: list[str], stop: Stop) -> None:
    from worker.app import run  # noqa: PLC0415 - usage errors need not wait for ONNX Runtime

    run(_settings(arguments), stop=stop)


def _check(arguments: list[str]) -> None:
    from worker.adapters.kafka_client import examine_cluster  # noqa: PLC0415
    from worker.model import load_model  # noqa: PLC0415

    settings = _settings(arguments)
    model = load_model(settings)
    facts = examine_cluster(settings)
    if facts.narrow:
        raise KafkaUnfitError(facts.narrow)
    print(f"bundle {model.identity.name} {model.identity.version}: {model.variant} on {model.classifier.provider}")
    print(f"Kafka cluster {facts.cluster_id}: " + ", ".join(f"{t} ({n})" for t, n in facts.partitions.items()))


def _contracts(arguments: list[str]) -> None:
    from contract.schemas import write_contracts  # noqa: PLC0415

    match arguments:
        case []:
            folder = Path("docs/contracts")
        case ["--output", path]:
            folder = Path(path)
        case _:
            raise UsageError("python -m worker contracts takes --output FOLDER and nothing else")
    for file in write_contracts(folder):
        print(file)


def _config(arguments: list[str]) -> None:
    if arguments == ["--markdown"]:
        print(settings_table(), end="")
        return
    settings = load_settings(arguments)
    print(json.dumps(json.loads(settings.model_dump_json()), indent=2))
