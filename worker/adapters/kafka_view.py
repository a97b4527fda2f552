"""What the cluster says of itself, our topics and our group, asked without joining or writing anything."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.errors import AuthorizationError, KafkaError, NoError, UnknownTopicOrPartitionError, for_code
from kafka.protocol.consumer import HeartbeatRequest
from kafka.protocol.metadata import CoordinatorType
from kafka.protocol.producer import EndTxnRequest, InitProducerIdRequest

from worker.adapters.kafka_members import Member
from worker.adapters.kafka_positions import unstamp
from worker.adapters.kafka_private import OF_AN_ADMIN, look_for
from worker.adapters.kafka_topics import create, topic_configs
from worker.adapters.patience import Patience
from worker.errors import KafkaUnfitError
from worker.settings import Settings
from worker.topics import NewTopic

Answer = TypeVar("Answer")

_NO_MEMBER = "check"
_NO_PRODUCER = 2**62
"""An id that no broker has given: far above what they count to."""


class NotAuthorisedError(KafkaUnfitError):
    """We may not ask that."""


class Brokers(NamedTuple):
    """The cluster."""

    cluster_id: str
    ids: tuple[int, ...]
    version: tuple[int, ...]
    """Of Kafka, as far as the protocol tells it."""


@dataclass(frozen=True)
class Topic:
    """One of the three topics; without partitions if there is none of that name, or none that we may look at."""

    name: str
    authorised: bool = True
    """Whether we may look at it."""
    topic_id: str = ""
    partitions: int = 0
    leaderless: tuple[int, ...] = ()
    replicas: int = 0
    """Of the partition that has the fewest; so with those in sync."""
    in_sync: int = 0
    rights: frozenset[str] | None = None
    """The operations that we are allowed; None where the brokers do not say."""
    configs: Mapping[str, str] = field(default_factory=dict)
    """None where we may not read them."""


class Group(NamedTuple):
    """Our consumer group."""

    state: str
    protocol_type: str
    assignor: str
    members: int
    holder: Member | None
    """Who has our `group_instance_id` now."""


class Position(NamedTuple):
    """What the group has committed of a partition, and where its log begins and ends."""

    partition: int
    offset: int
    topic_id: str
    earliest: int
    latest: int


class ClusterView:
    """Asks a cluster; each question may end with a KafkaUnfitError, and where we may not ask with its kind."""

    def __init__(self, admin: Any, settings: Settings, patience: Patience) -> None:
        """Look through a client for the administration.

        Raises:
            KafkaUnfitError: If it is not the version of kafka-python that we know.
        """
        look_for(OF_AN_ADMIN, admin)
        self._admin, self._settings, self._patience = admin, settings, patience

    def brokers(self) -> Brokers:
        """Which brokers there are."""
        described = self._ask(self._admin.describe_cluster)
        ids = tuple(sorted(broker["broker_id"] for broker in described["brokers"]))
        data = self._ask(lambda: self._admin.get_broker_version_data(ids[0]))
        return Brokers(str(described["cluster_id"]), ids, tuple(data.broker_version))

    def broker_configs(self, broker_id: int) -> dict[str, str]:
        """Its settings; none where we may not read them."""
        resource = ConfigResource(ConfigResourceType.BROKER, str(broker_id))
        found = self._ask(lambda: self._admin.describe_configs([resource], config_filter="all"))
        configs = found.get("broker", {}).get(str(broker_id), {})
        return {name: str(config["value"]) for name, config in configs.items()}

    def topics(self) -> dict[str, Topic]:
        """The three topics by name."""
        settings = self._settings
        names = [settings.input_topic, settings.output_topic, settings.dead_letter_topic]
        described = self._ask(lambda: self._admin.describe_topics(names))
        configs = self._ask(lambda: topic_configs(self._admin, names))
        return {it["name"]: _topic(it, configs[it["name"]]) for it in described}

    def group(self) -> Group:
        """Our group as its coordinator knows it."""
        name, instance = self._settings.group_id, self._settings.group_instance_id
        found = self._ask(lambda: self._admin.describe_groups([name]))[name]
        members = found["members"]
        holders = [it for it in members if instance and it["group_instance_id"] == instance]
        holder = Member(holders[0]["member_id"], holders[0]["client_host"].lstrip("/")) if holders else None
        return Group(found["group_state"], found["protocol_type"], found["protocol_data"], len(members), holder)

    def positions(self, partitions: int) -> list[Position]:
        """What the group has committed of so many partitions of the input topic."""
        name = self._settings.group_id
        inputs = [TopicPartition(self._settings.input_topic, number) for number in range(partitions)]
        found = self._ask(lambda: self._admin.list_group_offsets({name: inputs}))[name]
        committed = {partition: it for partition, it in found.items() if it.offset >= 0}
        first, last = (self._offsets(committed, spec) for spec in (OffsetSpec.EARLIEST, OffsetSpec.LATEST))
        return [
            Position(
                partition.partition, it.offset, unstamp(it.metadata).topic_id,
                first[partition].offset, last[partition].offset,
            )
            for partition, it in sorted(committed.items())
        ]  # fmt: skip

    def newest_ms(self, partitions: int) -> int | None:
        """The latest timestamp of so many partitions of the input topic; None if they hold nothing."""
        inputs = {TopicPartition(self._settings.input_topic, number): None for number in range(partitions)}
        found = self._offsets(inputs, OffsetSpec.MAX_TIMESTAMP)
        times = [it.timestamp for it in found.values() if it.timestamp >= 0]
        return max(times, default=None)

    def may_join(self) -> bool:
        """Whether we have READ on the group: a heartbeat of no member is refused for that, or for what it is."""
        name = self._settings.group_id
        request = HeartbeatRequest(group_id=name, generation_id=-1, member_id=_NO_MEMBER)
        return self._may(request, name, CoordinatorType.GROUP)

    def may_write(self) -> bool:
        """Whether we may begin an idempotent producer's session, which leaves nothing behind."""
        request = InitProducerIdRequest(
            transactional_id=None, transaction_timeout_ms=60_000, producer_id=-1, producer_epoch=-1
        )
        return self._may(request)

    def may_transact(self) -> bool:
        """Whether we have WRITE on our transactional id: a producer that there is not ends its transaction."""
        name = f"{self._settings.group_id}-{self._settings.group_instance_id or _NO_MEMBER}"
        request = EndTxnRequest(transactional_id=name, producer_id=_NO_PRODUCER, producer_epoch=0, committed=False)
        return self._may(request, name, CoordinatorType.TRANSACTION)

    def may_create(self, topic: NewTopic) -> None:
        """Have the brokers say whether they would create a topic."""
        self._ask(lambda: create(self._admin, topic, dry_run=True))

    def _may(self, request: Any, coordinated: str = "", kind: CoordinatorType = CoordinatorType.GROUP) -> bool:
        manager, find = self._admin._manager, self._admin._find_coordinator_id  # noqa: SLF001 - no public way

        async def send() -> Any:
            node = await find(coordinated, kind) if coordinated else None
            return await manager.send(request, node_id=node)

        try:
            response = self._ask(lambda: manager.run(send))
        except NotAuthorisedError:  # of the coordinator, which takes DESCRIBE
            return False
        return not issubclass(for_code(response.error_code), AuthorizationError)

    def _offsets(self, partitions: Mapping[TopicPartition, object], spec: OffsetSpec) -> dict[TopicPartition, Any]:
        if not partitions:
            return {}
        found: dict[TopicPartition, Any] = self._ask(
            lambda: self._admin.list_partition_offsets(dict.fromkeys(partitions, spec))
        )
        return found

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        try:
            return self._patience.keep_trying("Kafka does not answer", question)
        except AuthorizationError as error:
            raise NotAuthorisedError(f"not authorised: {error!r}") from error
        except KafkaError as error:
            raise KafkaUnfitError(f"Kafka refuses the question: {error!r}") from error


def _topic(described: Mapping[str, Any], configs: Mapping[str, str]) -> Topic:
    name, error = described["name"], for_code(described.get("error_code") or 0)
    if issubclass(error, AuthorizationError):
        return Topic(name, authorised=False)
    if error not in (NoError, UnknownTopicOrPartitionError):
        raise KafkaUnfitError(f"Kafka does not describe {name}: {error.__name__}")
    partitions = described["partitions"]
    operations = described.get("authorized_operations")
    return Topic(
        name,
        topic_id=str(described.get("topic_id") or "").replace("-", ""),
        partitions=len(partitions),
        leaderless=tuple(sorted(it["partition_index"] for it in partitions if it["leader_id"] < 0)),
        replicas=min((len(it["replica_nodes"]) for it in partitions), default=0),
        in_sync=min((len(it["isr_nodes"]) for it in partitions), default=0),
        rights=frozenset(operations) if operations else None,
        configs=configs,
    )
