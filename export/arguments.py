"""What the command lines of `python -m export` share."""

import argparse
from typing import NoReturn

from contract.errors import UsageError
from contract.variants import VARIANTS

_ALL = " and ".join((", ".join([*VARIANTS][:-1]), [*VARIANTS][-1]))


class Parser(argparse.ArgumentParser):
    """Raises what is wrong, so that every message leaves through one door."""

    def __init__(self, command: str, description: str, exit_codes: str) -> None:
        """Make the parser of `python -m export COMMAND`."""
        super().__init__(
            prog=f"python -m export {command}",
            description=description,
            epilog=exit_codes,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found wrong."""
        raise UsageError(f"{message}. See {self.prog} --help.")


def parse_variants(wanted: str, flag: str = "--variants") -> tuple[str, ...]:
    """The variants named in a list with commas.

    Raises:
        UsageError: If one is unknown.
    """
    names = tuple(dict.fromkeys(name.strip() for name in wanted.split(",") if name.strip()))
    if unknown := [name for name in names if name not in VARIANTS]:
        raise UsageError(f"unknown variant {', '.join(unknown)}: {flag} takes {_ALL}.")
    if not names:
        raise UsageError(f"{flag} names none: it takes {_ALL}.")
    return names
