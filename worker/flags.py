"""The command line's flags: one for each setting, and what is wrong with those that are none."""

import argparse
import re
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from pydantic_settings import BaseSettings, CliSettingsSource, SettingsError

from contract.errors import UsageError
from worker.environment import meant


class Parser(argparse.ArgumentParser):
    """Raises what is wrong, so that every message leaves through one door."""

    def __init__(self, command: str = "", **options: Any) -> None:
        """Make the parser of `python -m worker COMMAND`; the options are those of argparse."""
        super().__init__(
            prog=f"python -m worker {command}", allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter, **options,
        )  # fmt: skip

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found wrong."""
        raise UsageError(f"{message}. See {self.prog} --help.")


def given(
    settings: type[BaseSettings], arguments: Sequence[str], *, command: str, usage: str
) -> tuple[dict[str, Any], list[str]]:
    """The settings that flags give, by name, and what is wrong with arguments that are none.

    Args:
        settings: What may be set.
        arguments: The command line, without the command and its own flags.
        command: The command, for its --help.
        usage: Names the command's own flags, which may be what was meant.

    Raises:
        ValueError: If a flag has no value; what the others give can't be told then.
    """
    cli: CliSettingsSource[Any] = CliSettingsSource(
        settings, cli_kebab_case=True, cli_prog_name=f"python -m worker {command}", cli_exit_on_error=False
    )
    try:
        parsed, unknown = cli.root_parser.parse_known_args(arguments)
    except SettingsError as error:
        raise ValueError(str(error).removeprefix("error parsing CLI: ")) from error
    known = re.findall(r"--[a-z-]+", cli.root_parser.format_usage() + usage)
    return cli(parsed_args=parsed)(), list(_strangers(unknown, known))


def _strangers(words: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    """Each by its name alone: the value may be a secret."""
    is_value = False
    for word in words:
        name, equals, _ = word.partition("=")
        if word.startswith("-"):
            yield f"{name}: there is no such flag{meant(name, known)}"
        elif not is_value:
            yield f"{word}: it belongs to no flag"
        is_value = word.startswith("-") and not equals
