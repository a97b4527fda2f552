"""Creating topics, or trying whether we could."""

from collections.abc import Mapping, Sequence
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, TopicAlreadyExistsError

from worker.topics import MESSAGE_BYTES_MAX, NewTopic


def create(admin: Any, topic: NewTopic, *, dry_run: bool = False) -> bool:
    """Create a topic, and wait until it has its leaders; False if there is one already.

    Args:
        admin: The client.
        topic: What to create.
        dry_run: Only have the broker say whether it would.

    Raises:
        KafkaError: If the broker refuses: we may not, or a number or setting is none that it takes.
    """
    try:
        admin.create_topics(topic.request(), validate_only=dry_run)
    except TopicAlreadyExistsError:  # another replica was faster
        created = False
    else:
        created = True
    if not dry_run:
        admin.wait_for_topics([topic.name])
    return created


def topic_configs(admin: Any, topics: Sequence[str]) -> dict[str, Mapping[str, str]]:
    """The settings of each topic, defaults included; none of a topic whose settings we may not read.

    Raises:
        KafkaError: If no broker answers.
    """
    found = admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics], config_filter="all"
    )
    by_name = {topic: configs for kind in found.values() for topic, configs in kind.items()}
    return {
        topic: {name: str(config["value"]) for name, config in by_name.get(topic, {}).items()} for topic in topics
    }


def message_bytes_max(admin: Any, topics: Sequence[str]) -> dict[str, int]:
    """`max.message.bytes` of each topic; Kafka's default where we may not read it."""
    try:
        configs = topic_configs(admin, topics)
    except KafkaError:
        return dict.fromkeys(topics, MESSAGE_BYTES_MAX)
    return {topic: int(configs[topic].get("max.message.bytes", MESSAGE_BYTES_MAX)) for topic in topics}
