"""What a shell completes after `review-sentiment`: programs, commands, options, and the files that these name."""

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

import shtab
from pydantic_settings import CliSettingsSource

from worker.cli import check_parser, topics_parser, validation_parser
from worker.redrive import parser as redrive_parser
from worker.settings import Settings
from worker.tune_command import parser as tune_parser

SHELLS = shtab.SUPPORTED_SHELLS


def script(shell: str) -> str:
    """The program that a shell has to read.

    All is in it (so shtab rather than argcomplete): Python and pydantic would take half a second at each TAB.
    """
    return shtab.complete(parser(), shell)


def parser() -> argparse.ArgumentParser:
    """Every program with its commands, by the parsers that read them, but for what is not installed."""
    root = argparse.ArgumentParser(prog="review-sentiment")
    root.add_argument("--version", action="store_true", help="tell the version")
    root.add_argument("--print-completion", choices=SHELLS, help="write what a shell needs to complete this")
    programs = root.add_subparsers(dest="program")
    _add_worker(programs.add_parser("worker", help="read review events, publish them with their sentiment"))
    with contextlib.suppress(ModuleNotFoundError):
        from training.__main__ import parser as training  # noqa: PLC0415 - a worker alone has none
        from training.recipe import Recipe  # noqa: PLC0415

        programs.add_parser(
            "training", help="fine-tune and measure a BERT", parents=[training(Recipe())], add_help=False
        )
    with contextlib.suppress(ModuleNotFoundError):
        from export import bundle_cli, evaluate_cli  # noqa: PLC0415 - as above

        export = programs.add_parser("export", help="make and measure bundles").add_subparsers(dest="command")
        export.add_parser("bundle", help="make a bundle", parents=[bundle_cli.parser()], add_help=False)
        export.add_parser("evaluate", help="measure one", parents=[evaluate_cli.parser()], add_help=False)
    for action in actions(root):
        if action.type is Path:
            action.complete = shtab.FILE  # type: ignore[attr-defined] # where shtab looks for it
        if action.choices and action.help == argparse.SUPPRESS:
            action.help = None  # `create` of `topics create`: shtab does not complete what --help leaves out
    return root


def _add_worker(worker: argparse.ArgumentParser) -> None:
    worker.add_argument("--version", action="store_true", help="tell the version")
    commands = worker.add_subparsers(dest="command")
    for name, meaning, own in (
        ("run", "serve until SIGTERM", []),
        ("check", "try all that `run` needs", [check_parser()]),
        ("topics", "create the three topics", [topics_parser()]),
        ("redrive", "send dead letters to the input topic again", [redrive_parser()]),
        ("tune", "measure how this machine serves fastest", [tune_parser()]),
    ):
        parents = [*own, _settings_parser()]
        commands.add_parser(name, help=meaning, parents=parents, add_help=False, conflict_handler="resolve")
    contracts = commands.add_parser("contracts", help="write the contract, or hold records to it")
    contracts.add_argument("--output", type=Path, help="folder to write to")
    contracts.add_subparsers().add_parser(
        "validate", help="which of these records would be dead letters",
        parents=[validation_parser(), _settings_parser()], add_help=False, conflict_handler="resolve",
    )  # fmt: skip
    config = commands.add_parser("config", help="show the settings", parents=[_settings_parser()], add_help=False)
    config.add_argument("--markdown", action="store_true", help="list them all")


def _settings_parser() -> argparse.ArgumentParser:
    """A flag for each setting. Pydantic checks their values later; what can be completed of them is said here."""
    parser: argparse.ArgumentParser = CliSettingsSource(Settings, cli_kebab_case=True).root_parser
    for action in parser._actions:  # noqa: SLF001 - argparse has no other door to them
        field = Settings.model_fields.get(action.dest)
        kinds = (field.annotation, *get_args(field.annotation)) if field else ()
        action.choices = [
            value for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)
        ] or None
        if Path in kinds:
            action.type = Path
    return parser


def actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every action of a parser and of its commands."""
    for action in parser._actions:  # noqa: SLF001 - as above
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            for command in action.choices.values():
                yield from actions(command)
