"""Our membership in the consumer group, as its coordinator has told it."""

from typing import Any

from kafka.errors import FencedInstanceIdError, KafkaError
from kafka.structs import MemberState

from worker.adapters.kafka_causes import by_setting
from worker.errors import InstanceFencedError, KafkaUnfitError


class Membership:
    """What the client knows of it, which has no public way to say most of that. For any thread."""

    def __init__(self, consumer: Any) -> None:
        self._consumer, self._coordinator = consumer, consumer._coordinator  # noqa: SLF001

    @property
    def joined(self) -> bool:
        """Whether the group has let us in, with or without a partition, and we have not been told otherwise."""
        return self._coordinator.state is MemberState.STABLE and not self.fenced

    @property
    def confirmed(self) -> bool:
        """Whether its coordinator has answered within the session timeout: after that it may go on without us."""
        return not self._coordinator.heartbeat.session_timeout_expired()

    @property
    def fenced(self) -> bool:
        """Whether another member has taken our `group_instance_id`.

        All that the client does when a heartbeat is refused for that is to send no more; it stays STABLE.
        """
        coordinator = self._coordinator
        with coordinator._lock:  # noqa: SLF001
            silent = not coordinator.rejoining and not coordinator._heartbeat_enabled  # noqa: SLF001
            return coordinator.state is MemberState.STABLE and silent

    @property
    def member_id(self) -> str:
        """The id that the group gave us; empty while there is none."""
        return str(self._consumer.group_metadata().member_id)

    def snapshot(self) -> object | None:
        """The membership for a transaction, at this moment; None while there is none."""
        snapshot = self._consumer.group_metadata()
        return snapshot if snapshot.member_id and snapshot.generation_id >= 0 else None


def refusal(error: KafkaError) -> KafkaUnfitError | InstanceFencedError:
    """What to end with when the group's coordinator refuses us for good."""
    if isinstance(error, FencedInstanceIdError):
        return InstanceFencedError(f"another member has our WORKER_GROUP_INSTANCE_ID: {error!r}")
    return KafkaUnfitError(f"Kafka refuses to go on: {by_setting(error)}")
