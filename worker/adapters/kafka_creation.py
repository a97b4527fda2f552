"""The three topics created for somebody who begins."""

from dataclasses import dataclass
from typing import Any

from kafka.errors import AuthorizationError, KafkaError

from contract.errors import UsageError
from worker.adapters.kafka_client import administration, partitions_of
from worker.adapters.kafka_places import narrow
from worker.adapters.kafka_topics import create, message_bytes_max
from worker.adapters.patience import Patience
from worker.errors import KafkaUnfitError
from worker.settings import Settings
from worker.topics import NewTopic, Wishes, input_configs, outgoing_configs


@dataclass(frozen=True)
class Topics:
    """Which of the three are there, by their number of partitions, and which are not."""

    existing: dict[str, int]
    missing: tuple[NewTopic, ...]
    remark: str = ""
    """What is wrong with those that exist; empty if nothing is."""


def create_missing(settings: Settings, wishes: Wishes, *, dry_run: bool = False) -> Topics:
    """Create those of the three topics that there are not, with the limits that the worker asks for.

    Args:
        settings: Where, and their names.
        wishes: How many partitions and replicas, how large messages.
        dry_run: Only say what would be created.

    Returns:
        What was found before.

    Raises:
        UsageError: If the wishes don't say enough, or don't fit what exists.
        KafkaUnfitError: If no broker answers or lets us in, or if it refuses to create a topic.
    """
    with administration(settings, Patience(settings)) as admin:
        topics = _look(admin, settings, wishes)
        for topic in () if dry_run else topics.missing:
            try:
                create(admin, topic)
            except AuthorizationError as error:
                raise KafkaUnfitError(
                    f"not authorised to create {topic.name}: it takes CREATE on the topic or on the cluster; "
                    f"--dry-run prints the commands for somebody who has it"
                ) from error
            except KafkaError as error:
                raise KafkaUnfitError(f"Kafka does not create {topic.name}: {error!r}") from error
    return topics


def _look(admin: Any, settings: Settings, wishes: Wishes) -> Topics:
    names = (settings.input_topic, settings.output_topic, settings.dead_letter_topic)
    existing = partitions_of(admin, names)
    count, limit = wishes.partitions, wishes.message_bytes_max
    if settings.input_topic in existing:
        count = count or existing[settings.input_topic]
        limit = message_bytes_max(admin, [settings.input_topic])[settings.input_topic]
    if count is None:
        raise UsageError(
            f"there is no topic {settings.input_topic}: say --partitions, which is how many workers can share it"
        )
    missing = tuple(
        NewTopic(
            name,
            count,
            wishes.replication_factor,
            {**(input_configs if name == settings.input_topic else outgoing_configs)(limit), **wishes.configs},
        )
        for name in names
        if name not in existing
    )
    new = {topic.name: topic.partitions for topic in missing}
    needed = {**existing, **new}[settings.input_topic]
    sufficient = dict.fromkeys(names, needed)
    if too_few := narrow({**sufficient, **new, settings.input_topic: needed}, settings):
        raise UsageError(f"--partitions {count} is too small: {too_few}")
    return Topics(existing, missing, narrow({**existing, **new}, settings))
