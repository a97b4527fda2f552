"""Settings for topics on the real broker, and what a client of another make reads there."""

import time

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from dev.account import wait_for_open_transactions
from dev.kafka import AnyCluster
from worker.settings import Settings

LIMIT_BYTES = 20_000
TOO_LATE_MS = int(time.time() * 1000) + 2 * 3_600_000
"""A timestamp that a topic refuses: more than an hour ahead (message.timestamp.after.max.ms)."""


def kafka_settings(cluster: AnyCluster, name: str) -> Settings:
    return Settings.model_validate(
        {
            "bundle": "none",
            "kafka_bootstrap_servers": cluster.bootstrap_servers,
            "input_topic": f"{name}.in",
            "output_topic": f"{name}.out",
            "dead_letter_topic": f"{name}.dlq",
        }
    )


def recreate(cluster: AnyCluster, topic: str, partitions: int) -> None:
    """Delete a topic and create another of the same name."""
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers})
    admin.delete_topics([topic])[topic].result(30)
    deadline_s = time.monotonic() + 30
    while topic in admin.list_topics(timeout=30).topics:
        assert time.monotonic() < deadline_s, f"{topic} is still there"
        time.sleep(0.1)
    cluster.create_topics({topic: partitions})


def add_partitions(cluster: AnyCluster, topic: str, total: int) -> None:
    """Raise a topic's number of partitions."""
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers})
    admin.create_partitions([NewPartitions(topic, total)])[topic].result(30)


def read(cluster: AnyCluster, topic: str, partition: int) -> list[bytes | None]:
    """What a reader of committed records finds in a partition."""
    wait_for_open_transactions(cluster.bootstrap_servers, [topic])
    consumer = Consumer(
        {"bootstrap.servers": cluster.bootstrap_servers, "group.id": "reader", "log_level": 0,
         "isolation.level": "read_committed", "enable.partition.eof": True}
    )  # fmt: skip
    consumer.assign([TopicPartition(topic, partition, 0)])
    values = []
    while (message := consumer.poll(30)) is None or message.error() is None:
        assert message is not None, "the end of the partition was not reached"
        values.append(message.value())
    consumer.close()
    return values
