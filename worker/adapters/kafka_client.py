"""What all our Kafka clients share: the connection, and a look at the cluster before the work begins."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, KafkaTimeoutError

from worker.adapters.kafka_causes import connect_admin
from worker.errors import KafkaUnfitError
from worker.settings import Settings

_RECONNECT_MS_MAX = 2000  # the client's 30 s would add as much to every outage of a broker
_BOOTSTRAP_MS = 5000
_MESSAGE_BYTES_MAX = 1_048_588  # Kafka's default of max.message.bytes


@dataclass(frozen=True)
class ClusterFacts:
    """What the worker has to know of the cluster: its id, and for each topic partitions and size limit."""

    cluster_id: str
    partitions: Mapping[str, int]
    message_bytes_max: Mapping[str, int]


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
    if settings.kafka_security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_sasl_username
        options["sasl_plain_password"] = settings.sasl_password()
    return options


def examine_cluster(settings: Settings, *, patience_s: float = 30) -> ClusterFacts:
    """Look at the three topics, creating the outgoing ones if the settings say so; tries for `patience_s`.

    Raises:
        KafkaUnfitError: If no broker answers or lets us in, or a topic is missing or has too few partitions.
    """
    servers = settings.kafka_bootstrap_servers
    try:
        admin = _connect(connection(settings), patience_s)
    except (KafkaError, OSError, ValueError) as error:
        raise KafkaUnfitError(f"no Kafka at {servers}: {error}") from error
    try:
        return _examine(admin, settings)
    except KafkaError as error:
        raise KafkaUnfitError(f"Kafka at {servers} does not let us look at its topics: {error!r}") from error
    finally:
        admin.close()


def _connect(options: dict[str, Any], patience_s: float) -> Any:
    """Try a few seconds at a time, so that a refusal is not waited out."""
    ends_s = time.monotonic() + patience_s
    while True:
        try:
            return connect_admin(options, min(_BOOTSTRAP_MS, patience_s * 1000))
        except KafkaTimeoutError:
            if time.monotonic() >= ends_s:
                raise


def _examine(admin: Any, settings: Settings) -> ClusterFacts:
    topics = (settings.input_topic, settings.output_topic, settings.dead_letter_topic)
    partitions = _partitions(admin, topics)
    if settings.input_topic not in partitions:
        raise KafkaUnfitError(f"there is no topic {settings.input_topic}: create it, or set WORKER_INPUT_TOPIC")
    needed = partitions[settings.input_topic]
    if settings.create_topics and (missing := [topic for topic in topics if topic not in partitions]):
        admin.create_topics({topic: {"num_partitions": needed} for topic in missing}, wait_for_metadata=True)
        partitions = _partitions(admin, topics)
    for topic in topics:
        if topic not in partitions:
            raise KafkaUnfitError(
                f"there is no topic {topic}: create it with {needed} partitions, or set WORKER_CREATE_TOPICS=true"
            )
        by_key = topic == settings.output_topic and settings.output_partitioning == "key"
        if partitions[topic] < needed and not by_key:
            raise KafkaUnfitError(
                f"{topic} has {partitions[topic]} partitions and {settings.input_topic} has {needed}: results go "
                "to the partition number of their source, so give it as many"
            )
    cluster_id = str(admin.describe_cluster()["cluster_id"])
    return ClusterFacts(cluster_id, partitions, _limits(admin, topics))


def _partitions(admin: Any, topics: tuple[str, ...]) -> dict[str, int]:
    return {
        topic["name"]: len(topic["partitions"])
        for topic in admin.describe_topics(list(topics))
        if not topic.get("error_code") and topic["partitions"]
    }


def _limits(admin: Any, topics: tuple[str, ...]) -> dict[str, int]:
    """`max.message.bytes` of each topic; Kafka's default where we may not read it."""
    limits = dict.fromkeys(topics, _MESSAGE_BYTES_MAX)
    try:
        found = admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics], config_filter="all"
        )
    except KafkaError:
        return limits
    for by_name in found.values():
        for topic, configs in by_name.items():
            if "max.message.bytes" in configs:
                limits[topic] = int(configs["max.message.bytes"]["value"])
    return limits
