"""What of the settings and of errors may be shown: never a secret, never a review's text."""

import re
from typing import NamedTuple

from pydantic import SecretStr

from worker.environment import variable
from worker.settings import Settings

HIDDEN = "***"
_SECRET_NAME = re.compile(r"password|secret|token(?!s)|credential")
_LOGIN = re.compile(r"\S*:\S*@")  # in a URL or before a host; greedy, since a password may hold any of this


class Shown(NamedTuple):
    """A setting as it may be shown."""

    name: str
    value: str
    is_default: bool


def shown(settings: Settings) -> list[Shown]:
    """All settings under their names in the environment; those that were set come first."""
    found = []
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        is_default = not field.is_required() and value == field.default
        found.append(Shown(variable(name), _shown(name, value), is_default))
    return sorted(found, key=lambda item: item.is_default)


def _shown(name: str, value: object) -> str:
    if value is None:
        return "unset"
    if isinstance(value, SecretStr) or (_SECRET_NAME.search(name) and not name.endswith("_file")):
        return HIDDEN
    if isinstance(value, bool):
        return str(value).lower()
    return _LOGIN.sub(f"{HIDDEN}@", str(value))
