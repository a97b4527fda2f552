"""Faults of the cluster that leave its brokers whole: logs that are replaced, partitions added, a quota."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)
from kafka import KafkaAdminClient
from kafka import TopicPartition as Reassigned

from dev.account import committed_positions
from dev.chaos.fleet import Fleet
from dev.chaos.load import Load
from dev.kafka import Cluster

_PATIENCE_S = 60.0
_CALM = 100  # inputs without an outcome
_BEFORE = 150  # records a partition that are sent before a topic is deleted
_AFTER = 250  # and after it is there again: the new log is longer than the old one was read
_COMMITTED_S = 8.0  # by then every partition has another owner, if it needs one, and a position in the new log
_CUT_OFF_S = 3.0  # for so long a log grows that will be cut off
_CLIENT_ID = "review-sentiment"
_QUOTA_BYTES_PER_S = 10_000
_UNCLEAN = {"unclean.leader.election.enable": "true", "min.insync.replicas": "1"}


class ClusterFaults:
    """Each method does a fault, undoes what can be undone, and returns when it took effect."""

    def __init__(
        self,
        cluster: Cluster,
        topics: Sequence[str],
        group: str,
        *,
        fleet: Fleet,
        load: Load,
        slow_file: Path,
        waiting: Callable[[], int],
    ) -> None:
        """Do nothing yet; `topics` are the input's, then the others, and `waiting` counts inputs unanswered."""
        self._cluster, self._topics, self._group = cluster, topics, group
        self._fleet, self._load, self._slow_file, self._waiting = fleet, load, slow_file, waiting

    @property
    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self._cluster.bootstrap_servers, "log_level": 0})

    def recreate(self, *, paused: bool = False) -> float:
        """Delete the input topic and create another of its name, at once or while a worker does not read."""
        load, topic, admin = self._load, self._topics[0], self._admin
        with self._allowed():
            committed = committed_positions(self._cluster.bootstrap_servers, self._group, topic)
            begins = {number: committed.get(number, 0) for number in range(load.partitions)}
            if paused:
                self._slow_file.touch()  # before there is anything that a quick model could be done with
            with load.new_log(begins, burst=_BEFORE * load.partitions):
                if paused:
                    until(self._reading_is_paused)
                settings = _settings_of(admin, topic)
                admin.delete_topics([topic])[topic].result(_PATIENCE_S)
                struck_s = time.monotonic()
                until(lambda: topic not in admin.list_topics(timeout=10).topics)
                until(lambda: _create(admin, NewTopic(topic, load.partitions, config=settings)))
                until(
                    lambda: len(admin.list_topics(topic, timeout=10).topics[topic].partitions) == load.partitions
                )
            load.burst(_AFTER * load.partitions)
            self._slow_file.unlink(missing_ok=True)
        return struck_s

    def elect_uncleanly(self, target: int, wait_in_sync: Callable[[], None]) -> float:
        """Let a partition's last replica die, and one take over that had stopped following: its log is shorter."""
        cluster, load, topic, admin = self._cluster, self._load, self._topics[0], self._admin
        number, all_ids = target % load.partitions, list(cluster.broker_ids)
        leader, follower = (all_ids[(target + step) % len(all_ids)] for step in range(2))
        self._reassign(number, [leader, follower])
        _set(admin, topic, _UNCLEAN)
        cluster.kill(follower)
        until(lambda: self._in_sync(number) == {leader})
        time.sleep(_CUT_OFF_S)
        with self._allowed():
            begins: dict[int, int] = {}
            with load.new_log(begins):
                cluster.kill(leader)
                struck_s = time.monotonic()
                cluster.restart(follower)
                until(lambda: self._in_sync(number) == {follower})
                begins[number] = self._end(number)
            load.burst(_AFTER * load.partitions)
            cluster.restart(leader)
            self._reassign(number, all_ids)
            _set(admin, topic, dict.fromkeys(_UNCLEAN))
            wait_in_sync()
        return struck_s

    def add_partitions(self) -> float:
        """One partition more for every topic, the input's last."""
        count, admin = self._load.partitions + 1, self._admin
        for topic in reversed(self._topics):
            admin.create_partitions([NewPartitions(topic, count)])[topic].result(_PATIENCE_S)
        struck_s = time.monotonic()
        self._load.partitions = count
        return struck_s

    def throttle(self, duration_s: float) -> float:
        """A quota on what workers write, for a while."""
        self._cluster.limit_producers(_CLIENT_ID, _QUOTA_BYTES_PER_S)
        struck_s = time.monotonic()
        time.sleep(duration_s)
        self._cluster.limit_producers(_CLIENT_ID, None)
        return struck_s

    @contextmanager
    def _allowed(self) -> Iterator[None]:
        """What an operator decides: workers that start within this context go on in the log that is there now."""
        self._fleet.settings["WORKER_ALLOW_REPLACED"] = "true"
        yield
        until(lambda: self._waiting() <= _CALM, required=False)
        time.sleep(_COMMITTED_S)
        self._fleet.settings["WORKER_ALLOW_REPLACED"] = "false"

    def _reading_is_paused(self) -> bool:
        self._slow_file.touch()  # again and again: another fault may take it away
        return any(it.process.metric("sentiment_worker_paused") for it in self._fleet.running())

    def _reassign(self, number: int, brokers: list[int]) -> None:
        """Have these brokers hold a partition, the first as its leader, and wait until they do."""
        admin = KafkaAdminClient(bootstrap_servers=self._cluster.bootstrap_servers.split(","))
        try:
            admin.alter_partition_reassignments({Reassigned(self._topics[0], number): brokers})
        finally:
            admin.close()
        until(lambda: self._in_sync(number) == set(brokers))

    def _in_sync(self, number: int) -> set[int]:
        """The replicas in sync of a partition of the input that has a leader; none while that can't be known."""
        topic = self._topics[0]
        try:
            partition = self._admin.list_topics(topic, timeout=3).topics[topic].partitions[number]
        except (KafkaException, KeyError):
            return set()
        return set(partition.isrs) if partition.leader > 0 else set()

    def _end(self, number: int) -> int:
        consumer = Consumer(
            {"bootstrap.servers": self._cluster.bootstrap_servers, "group.id": "end", "log_level": 0}
        )
        end: int = consumer.get_watermark_offsets(TopicPartition(self._topics[0], number), timeout=30)[1]
        consumer.close()
        return end


def until(done: Callable[[], bool], *, required: bool = True) -> None:
    """Wait for something.

    Raises:
        RuntimeError: If it does not come to that within a minute and is required: then the fault was none.
    """
    deadline_s = time.monotonic() + _PATIENCE_S
    while not done():
        if time.monotonic() > deadline_s:
            if required:
                raise RuntimeError("a fault could not be done as it is meant")
            return
        time.sleep(0.2)


def _create(admin: AdminClient, topic: NewTopic) -> bool:
    """Whether a topic could be created: one of its name may still be in the way."""
    try:
        admin.create_topics([topic])[topic.topic].result(_PATIENCE_S)
    except KafkaException:
        return False
    return True


def _settings_of(admin: AdminClient, topic: str) -> dict[str, str]:
    """What was set for a topic itself."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    described = admin.describe_configs([resource])[resource].result(_PATIENCE_S)
    return {name: it.value for name, it in described.items() if it.source == _TOPICS_OWN}


_TOPICS_OWN = 1  # DYNAMIC_TOPIC_CONFIG


def _set(admin: AdminClient, topic: str, settings: dict[str, str] | dict[str, None]) -> None:
    """Set something for a topic; None takes it back."""
    change = [
        ConfigEntry(
            name,
            value,
            incremental_operation=AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET,
        )
        for name, value in settings.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=change)
    admin.incremental_alter_configs([resource])[resource].result(_PATIENCE_S)
