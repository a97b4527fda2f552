"""The environment's names: which are settings, which Kubernetes adds for a Service, and which nobody reads."""

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource

PREFIX = "WORKER_"
CONFIG_VARIABLE = "WORKER_CONFIG"

_KAFKA = "KAFKA_"
_CONNECTION = ("KAFKA_BOOTSTRAP_", "KAFKA_SECURITY_", "KAFKA_SASL_", "KAFKA_SSL_")
_SECURITY = {
    "kafka_ssl_": ("SSL", "SASL_SSL"),
    "kafka_sasl_": ("SASL_SSL", "SASL_PLAINTEXT"),
}
"""Settings of the connection by how they begin, and the security protocols that use them."""
_ALIKE = 0.85  # KAFKA_BOOSTRAP_SERVER is; KAFKA_HEAP_OPTS is not
_SERVICE_LINK = re.compile(
    r".+_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://.*")


def variable(setting: str) -> str:
    """A setting's name in the environment."""
    return setting.upper() if setting.startswith("kafka_") else f"{PREFIX}{setting.upper()}"


def is_service_link(name: str, value: str) -> bool:
    """Whether Kubernetes has set a variable because there is a Service of such a name (`enableServiceLinks`).

    A Service called `worker` gives WORKER_SERVICE_HOST and WORKER_PORT, one called `worker-http` WORKER_HTTP_PORT.
    """
    address = name.endswith("_PORT") and _SERVICE_ADDRESS.fullmatch(value)
    return bool(address or _SERVICE_LINK.fullmatch(name))


def misspelt(environment: Mapping[str, str], settings: Collection[str]) -> list[str]:
    """What is wrong with each name that looks like a setting and is none.

    All of `WORKER_` is ours. Of `KAFKA_`, which other programs share, so is what concerns the connection, and
    whatever is nearly one of our names.
    """
    known = [variable(setting) for setting in settings]
    problems = []
    for name in _strangers(environment, known):
        hint = meant(name, known, cutoff=_ALIKE)
        if hint or name.startswith((PREFIX, *_CONNECTION)):
            problems.append(f"{name}: there is no such setting{hint}")
    return problems


def meant(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Which known name is most like this one, as the end of a message; nothing if none is.

    Args:
        name: What was written.
        known: What could have been.
        cutoff: How like it has to be, from 0 to 1.
    """
    like = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f" (did you mean {like[0]}?)" if like else ""


def unused(protocol: str, given: Collection[str]) -> list[str]:
    """What is wrong with each given setting that this security protocol does not use.

    A user who sets one believes that the connection is encrypted, or that we say who we are.
    """
    return [
        f"{variable(name)} means nothing while KAFKA_SECURITY_PROTOCOL is {protocol}: set "
        f"KAFKA_SECURITY_PROTOCOL to {' or '.join(users)}, or leave {variable(name)} out"
        for prefix, users in _SECURITY.items()
        for name in sorted(given)
        if name.startswith(prefix) and protocol not in users
    ]


def ignored(environment: Mapping[str, str], settings: Collection[str]) -> list[str]:
    """The names of `KAFKA_` that mean nothing here, and may be meant for another program."""
    known = [variable(setting) for setting in settings]
    return sorted(name for name in _strangers(environment, known) if name.startswith(_KAFKA))


def told(problem: ErrorDetails) -> str:
    """What is wrong with a setting, by its name in the environment."""
    message = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return message
    name = str(problem["loc"][0])
    if problem["type"] == "extra_forbidden":  # in the file
        return f"{name}: there is no such setting"
    if problem["type"] == "missing":  # the one setting that has no default
        return f"{variable(name)}: set it to the folder that `python -m export bundle` wrote"
    return f"{variable(name)}: {message}"


def _strangers(environment: Mapping[str, str], known: Collection[str]) -> list[str]:
    return [
        name.upper()
        for name, value in environment.items()
        if name.upper().startswith((PREFIX, _KAFKA))
        and name.upper() not in (*known, CONFIG_VARIABLE)
        and not is_service_link(name.upper(), value)
    ]


class Environment(EnvSettingsSource):
    """Our own settings; what Kubernetes sets is none, even where it has the name of one."""

    def __call__(self) -> dict[str, Any]:  # noqa: D102 - pydantic-settings'
        found = super().__call__()
        return {name: value for name, value in found.items() if not is_service_link(variable(name), str(value))}


class KafkaEnvironment(EnvSettingsSource):
    """Kafka's settings under the names that every Kafka tool knows, without our prefix."""

    def __call__(self) -> dict[str, Any]:  # noqa: D102 - pydantic-settings'
        return {name: value for name, value in super().__call__().items() if name.startswith("kafka_")}
