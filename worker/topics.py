"""The three topics as the worker asks for them: what it creates, and what others are told to create."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from worker.settings import Settings

MESSAGE_BYTES_MAX = 1_048_588
"""Kafka's default of `max.message.bytes`."""
ADDED_BYTES_MAX = 8192
"""More than a result or a dead letter is larger than its record: the sentiment, and the headers that are ours."""
DEFAULT = -1
"""Leaves a number to the brokers."""

_INT32_MAX = 2**31 - 1


@dataclass(frozen=True)
class NewTopic:
    """A topic to create."""

    name: str
    partitions: int
    replication_factor: int = DEFAULT
    configs: Mapping[str, str] = field(default_factory=dict)

    def described(self) -> str:
        """In words, for people."""
        replicas = [] if self.replication_factor == DEFAULT else [f"replication {self.replication_factor}"]
        return ", ".join([f"{self.partitions} partitions", *replicas, *map("=".join, self.configs.items())])

    def request(self) -> dict[str, dict[str, Any]]:
        """As kafka-python's `create_topics` takes it."""
        return {
            self.name: {
                "num_partitions": self.partitions,
                "replication_factor": self.replication_factor,
                "configs": dict(self.configs),
            }
        }

    def command(self, settings: Settings) -> str:
        """The same with Kafka's own tool."""
        words = [*kafka_tool(settings, "kafka-topics.sh"), "--create", "--if-not-exists", "--topic", self.name]
        words += ["--partitions", str(self.partitions)]
        if self.replication_factor != DEFAULT:
            words += ["--replication-factor", str(self.replication_factor)]
        for pair in map("=".join, self.configs.items()):
            words += ["--config", pair]
        return shlex.join(words)


@dataclass(frozen=True)
class Wishes:
    """What somebody who creates the topics says of them."""

    partitions: int | None = None
    """None for the input's, where there is one."""
    replication_factor: int = DEFAULT
    message_bytes_max: int = MESSAGE_BYTES_MAX
    """Of the input topic; the others get more."""
    configs: Mapping[str, str] = field(default_factory=dict)
    """Further settings of all three."""


def kafka_tool(settings: Settings, name: str) -> list[str]:
    """The first words of a command of Kafka's; where a connection is secured it needs a file with the secrets."""
    secured = settings.kafka_security_protocol != "PLAINTEXT"
    servers = ["--bootstrap-server", settings.kafka_bootstrap_servers]
    return [name, *servers, *(["--command-config", "client.properties"] if secured else [])]


def outgoing_bytes_max(input_bytes_max: int) -> int:
    """The `max.message.bytes` that takes whatever an input topic with this one holds, and what is added to it."""
    return min(input_bytes_max + ADDED_BYTES_MAX, _INT32_MAX)


def outgoing_configs(input_bytes_max: int) -> dict[str, str]:
    """The settings of the output and the dead-letter topic.

    Args:
        input_bytes_max: `max.message.bytes` of the input topic.
    """
    return {
        "cleanup.policy": "delete",  # compaction wants keys, and keeps one dead letter of each
        "message.timestamp.type": "CreateTime",  # a result keeps its event's time
        "max.message.bytes": str(outgoing_bytes_max(input_bytes_max)),
    }


def input_configs(message_bytes_max: int) -> dict[str, str]:
    """The settings of the input topic."""
    return {"max.message.bytes": str(message_bytes_max)}
