"""What the command lines of `python -m export` share."""

import argparse
from typing import NoReturn

from contract.errors import UsageError
from contract.variants import VARIANTS


class Parser(argparse.ArgumentParser):
    """Raises what is wrong, so that every message leaves through one door."""

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
        raise UsageError(f"unknown variant {', '.join(unknown)}: {flag} takes {' and '.join(VARIANTS)}.")
    if not names:
        raise UsageError(f"{flag} names none: it takes {' and '.join(VARIANTS)}.")
    return names
