"""The rights that a worker needs, and the commands that give them."""

import shlex
from collections.abc import Iterator
from typing import NamedTuple

from worker.preflight.checks import Check, State
from worker.sasl import BEARER
from worker.settings import Settings
from worker.topics import kafka_tool


class Right(NamedTuple):
    """An operation on a resource of Kafka's."""

    operation: str
    kind: str
    """As `kafka-acls.sh` calls it: topic, group, transactional-id, cluster."""
    name: str
    prefixed: bool = False
    """Whether it is of everything whose name begins so."""

    def command(self, settings: Settings) -> str:
        """What gives it to us."""
        words = [*kafka_tool(settings, "kafka-acls.sh"), "--add", "--allow-principal", _principal(settings)]
        operation = self.operation.title().replace("_", "")  # as the tool spells them
        words += ["--operation", operation, f"--{self.kind}", *([self.name] if self.name else [])]
        return shlex.join(words + (["--resource-pattern-type", "prefixed"] if self.prefixed else []))


def needed(settings: Settings) -> Iterator[Right]:
    """All that `run` needs; READ and WRITE bring DESCRIBE along."""
    yield Right("READ", "topic", settings.input_topic)
    yield Right("WRITE", "topic", settings.output_topic)
    yield Right("WRITE", "topic", settings.dead_letter_topic)
    yield Right("READ", "group", settings.group_id)
    if settings.delivery == "exactly-once":
        yield Right("WRITE", "transactional-id", f"{settings.group_id}-", prefixed=True)


def right_check(right: Right, settings: Settings, *, granted: bool | None, cause: str = "") -> Check:
    """Whether we have a right; None where that can't be known."""
    subject, name = right.name or right.kind, f"right {right.operation}"
    if granted is None:
        return Check(subject, name, State.UNKNOWN, "the brokers do not say")
    if granted:
        return Check(subject, name, State.OK, "granted")
    found = f"not authorised: {right.operation} on {right.kind} {right.name}".rstrip()
    return Check(subject, name, State.FAILED, f"{found} is missing{cause}", right.command(settings))


def _principal(settings: Settings) -> str:
    """Who we are to the brokers, as far as we know."""
    if settings.kafka_sasl_mechanism == BEARER:
        return "User:..."  # the brokers decide which claim of the token it is
    if settings.kafka_security_protocol.startswith("SASL"):
        return f"User:{settings.kafka_sasl_username}"
    return "User:CN=..." if settings.kafka_ssl_certfile else "User:ANONYMOUS"
