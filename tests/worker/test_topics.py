"""The topics that the worker asks for, by itself and by the command that creates them."""

import uuid
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from contract.encoding import Encoded
from contract.errors import UsageError
from contract.events import Reason
from dev.kafka import AnyCluster
from tests.faked_pipeline import outcome_builder
from tests.kafka_topics import kafka_settings
from worker.adapters.kafka_client import examine_cluster
from worker.adapters.kafka_creation import create_missing
from worker.core.decoding import Rejection
from worker.core.leaving_out import Part
from worker.core.records import Partition, Record
from worker.errors import KafkaUnfitError
from worker.outcomes import Outgoing
from worker.settings import Settings
from worker.topics import ADDED_BYTES_MAX, NewTopic, Wishes, outgoing_configs

_LONGEST_TOPIC = "t" * 249
_VALUE = b'{"text":"good"}'


def size_bytes(value: bytes | None, headers: list[tuple[str, bytes]]) -> int:
    """As Kafka counts a record but for its key: each header has two lengths of up to 5 bytes."""
    return len(value or b"") + sum(len(name.encode()) + len(content) + 10 for name, content in headers)


def added_bytes(outgoing: Outgoing) -> int:
    return size_bytes(outgoing.value, outgoing.headers) - size_bytes(outgoing.source.value, [])


def test_what_is_added_to_a_record_is_bounded() -> None:
    """The longest names, numbers and messages: a topic that is larger by the bound takes every outcome."""
    partition = Partition(_LONGEST_TOPIC, 2**31 - 1)
    record = Record(partition, 2**63 - 1, 0, b"k", _VALUE)
    builder = replace(outcome_builder(), cluster_id="c" * 36, session="s" * 64)
    result = builder.result(record, Encoded([1] * 512, truncated=True), np.array([0.333333, 0.333333, 0.333334]))
    dead = builder.dead_letter(record, Rejection(Reason.OUTPUT_REFUSED, "\U0001f600" * 5000), stage="publish")

    assert 0 < added_bytes(result) < ADDED_BYTES_MAX
    assert 0 < added_bytes(dead) < ADDED_BYTES_MAX
    assert added_bytes(replace(dead, left_out=frozenset(Part))) < ADDED_BYTES_MAX


def test_a_limit_is_an_int32() -> None:
    """Kafka takes no larger one."""
    assert outgoing_configs(2**31 - 1)["max.message.bytes"] == str(2**31 - 1)


def test_a_topic_as_a_command() -> None:
    """What a shell takes, with the file of secrets where the brokers want to know who asks."""
    settings = Settings(bundle="b", kafka_bootstrap_servers="a:1,b:2")
    topic = NewTopic("my topic", 3, 2, {"max.message.bytes": "9"})
    assert topic.command(settings) == (
        "kafka-topics.sh --bootstrap-server a:1,b:2 --create --if-not-exists --topic 'my topic' --partitions 3 "
        "--replication-factor 2 --config max.message.bytes=9"
    )
    secured = settings.model_copy(update={"kafka_security_protocol": "SSL"})
    assert "a:1,b:2 --command-config client.properties --create" in NewTopic("t", 1).command(secured)


def configs(cluster: AnyCluster, *topics: str) -> list[dict[str, str]]:
    """The settings of topics that the issue is about, as another client reads them."""
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers})
    found = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic) for topic in topics])
    by_topic = {resource.name: future.result(10) for resource, future in found.items()}
    return [{name: by_topic[it][name].value for name in ("max.message.bytes", "retention.ms")} for it in topics]


@pytest.mark.kafka
def test_the_command_creates_what_there_is_not(
    cluster: AnyCluster, monkeypatch: pytest.MonkeyPatch, run_command: Callable[..., tuple[int, str, str]]
) -> None:
    """All three with their limits; tried before as commands, and again it finds them."""
    name = f"t{uuid.uuid4().hex[:8]}"
    topics = [f"{name}.{it}" for it in ("in", "out", "dlq")]
    for variable, topic in zip(("INPUT", "OUTPUT", "DEAD_LETTER"), topics, strict=True):
        monkeypatch.setenv(f"WORKER_{variable}_TOPIC", topic)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", cluster.bootstrap_servers)
    command = ["topics", "create", "--message-bytes-max", "50000", "--config", "retention.ms=60000"]

    assert run_command(*command)[0] == 2  # how many partitions?
    code, told, _ = run_command(*command, "--partitions", "3", "--dry-run")
    assert [line.split("--topic ")[1].split()[0] for line in told.splitlines()] == topics
    code, told, _ = run_command(*command, "--partitions", "3")
    assert (code, [line.split(":")[0] for line in told.splitlines()]) == (0, [f"created {it}" for it in topics])
    code, told, _ = run_command(*command, "--partitions", "3")
    assert (code, told.splitlines()) == (0, [f"there was {it}: 3 partitions" for it in topics])

    limits = ["50000", *[str(50000 + ADDED_BYTES_MAX)] * 2]
    assert configs(cluster, *topics) == [{"max.message.bytes": it, "retention.ms": "60000"} for it in limits]


@pytest.mark.kafka
def test_topics_that_exist_set_the_measure(cluster: AnyCluster) -> None:
    """Partitions and size are the input's; fewer are refused first, or told of where they exist."""
    name = f"t{uuid.uuid4().hex[:8]}"
    cluster.create_topics({f"{name}.in": 3}, {"max.message.bytes": "2000000"})
    settings = kafka_settings(cluster, name)

    with pytest.raises(UsageError, match="--partitions 2 is too small"):
        create_missing(settings, Wishes(partitions=2))
    with pytest.raises(KafkaUnfitError, match=f"does not create {name}.out"):
        create_missing(settings, Wishes(replication_factor=99))
    assert [topic.partitions for topic in create_missing(settings, Wishes(), dry_run=True).missing] == [3, 3]
    cluster.create_topics({f"{name}.dlq": 2})
    assert f"{name}.dlq has 2 partitions" in create_missing(settings, Wishes(), dry_run=True).remark

    examine_cluster(settings.model_copy(update={"create_topics": True}))
    assert configs(cluster, f"{name}.out")[0]["max.message.bytes"] == str(2_000_000 + ADDED_BYTES_MAX)
