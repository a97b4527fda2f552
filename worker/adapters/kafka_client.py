"""What all our Kafka clients share: the connection, and a look at the cluster before the work begins."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kafka.errors import (
    AuthorizationError,
    KafkaError,
    NoError,
    UnknownTopicOrPartitionError,
    for_code,
)

from worker.adapters.kafka_causes import connect_admin
from worker.adapters.kafka_places import narrow
from worker.adapters.kafka_tokens import TokenFile
from worker.adapters.kafka_topics import create, message_bytes_max
from worker.adapters.patience import Patience
from worker.errors import KafkaUnfitError
from worker.settings import Settings
from worker.topics import NewTopic, outgoing_configs

_RECONNECT_MS_MAX = 2000  # the client's 30 s would add as much to every outage of a broker
_BOOTSTRAP_MS = 5000  # then it is tried again


@dataclass(frozen=True)
class ClusterFacts:
    """What the worker has to know of the cluster: its id, and for each topic partitions and size limit."""

    cluster_id: str
    partitions: Mapping[str, int]
    message_bytes_max: Mapping[str, int]
    narrow: str = ""
    """Which outgoing topic has too few partitions for some of the input's, and what to do; empty if none."""


def connection(settings: Settings) -> dict[str, Any]:
    """Keyword arguments for every kafka-python client."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers.split(","),
        "security_protocol": settings.kafka_security_protocol,
        "ssl_check_hostname": settings.kafka_ssl_check_hostname,
        "reconnect_backoff_max_ms": _RECONNECT_MS_MAX,
    }
    for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
        if (path := getattr(settings, f"kafka_{name}")) is not None:
            options[name] = str(path)
    if settings.kafka_sasl_mechanism is not None:
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
    if settings.kafka_sasl_oauthbearer_token_file is not None:
        options["sasl_oauth_token_provider"] = TokenFile(settings.kafka_sasl_oauthbearer_token_file)
    elif settings.kafka_sasl_mechanism is not None:
        options["sasl_plain_username"] = settings.kafka_sasl_username
        options["sasl_plain_password"] = settings.sasl_password()
    return options


def examine_cluster(settings: Settings, patience: Patience | None = None) -> ClusterFacts:
    """Look at the three topics, creating the outgoing ones if the settings say so.

    Args:
        settings: Where, and which topics.
        patience: For brokers that are away; `start_timeout_ms` from now by default.

    Raises:
        KafkaUnfitError: If no broker answers or lets us in, or a topic is missing.
    """
    patience = patience or Patience(settings)
    with administration(settings, patience) as admin:
        return patience.keep_trying(
            f"Kafka at {settings.kafka_bootstrap_servers} does not describe its topics",
            lambda: _examine(admin, settings),
        )


@contextlib.contextmanager
def administration(settings: Settings, patience: Patience) -> Iterator[Any]:
    """A client for the cluster's administration, closed at the end.

    Args:
        settings: Where.
        patience: For brokers that are away.

    Raises:
        KafkaUnfitError: If no broker answers or lets us in, or refuses what is asked of it.
    """
    servers = settings.kafka_bootstrap_servers
    try:
        admin = patience.keep_trying(
            f"no Kafka at {servers}",
            lambda: connect_admin(connection(settings), min(_BOOTSTRAP_MS, patience.left_ms)),
        )
    except (KafkaError, OSError, ValueError) as error:
        raise KafkaUnfitError(f"no Kafka at {servers}: {error}") from error
    try:
        yield admin
    except KafkaError as error:
        raise KafkaUnfitError(f"Kafka at {servers} does not let us look at its topics: {error!r}") from error
    finally:
        admin.close()


def _examine(admin: Any, settings: Settings) -> ClusterFacts:
    topics = (settings.input_topic, settings.output_topic, settings.dead_letter_topic)
    partitions = partitions_of(admin, topics)
    if settings.create_topics and settings.input_topic in partitions:
        configs = outgoing_configs(message_bytes_max(admin, topics[:1])[settings.input_topic])
        for topic in topics:
            if topic not in partitions:
                create(admin, NewTopic(topic, partitions[settings.input_topic], configs=configs))
        partitions = partitions_of(admin, topics)
    if missing := [topic for topic in topics if topic not in partitions]:
        without_input = settings.input_topic in missing
        raise KafkaUnfitError(
            f"there is no topic {', nor '.join(missing)}: "
            f"python -m worker topics create{' --partitions N' if without_input else ''}, "
            f"or set {'WORKER_INPUT_TOPIC' if without_input else 'WORKER_CREATE_TOPICS=true'}"
        )
    cluster_id = str(admin.describe_cluster()["cluster_id"])
    return ClusterFacts(cluster_id, partitions, message_bytes_max(admin, topics), narrow(partitions, settings))


def partitions_of(admin: Any, topics: tuple[str, ...]) -> dict[str, int]:
    """The number of partitions of each topic that there is.

    Raises:
        KafkaUnfitError: If we may not look at one.
        KafkaError: If the brokers can't say for another reason.
    """
    partitions = {}
    for topic in admin.describe_topics(list(topics)):
        error = for_code(topic.get("error_code") or 0)
        if issubclass(error, AuthorizationError):
            raise KafkaUnfitError(
                f"not authorised to look at topic {topic['name']}: the worker needs DESCRIBE on its three topics"
            )
        if error is NoError and topic["partitions"]:
            partitions[topic["name"]] = len(topic["partitions"])
        elif error not in (NoError, UnknownTopicOrPartitionError):
            raise error(topic["name"])
    return partitions
