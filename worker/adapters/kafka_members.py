"""Who holds a static member's place in the consumer group, as the broker knows it."""

from typing import NamedTuple

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from worker.adapters.kafka_client import connection
from worker.settings import Settings

_BOOTSTRAP_MS = 3000


class Member(NamedTuple):
    """A member of the group: the id that the broker gave it, and the address that it comes from."""

    member_id: str
    host: str


def instance_holder(settings: Settings) -> Member | None:
    """The member that has our `group_instance_id` now; None if no member has.

    Raises:
        KafkaError: If that can't be known: no broker answers, or we may not describe the group.
    """
    admin = KafkaAdminClient(**connection(settings), bootstrap_timeout_ms=_BOOTSTRAP_MS)
    try:
        group = admin.describe_groups([settings.group_id])[settings.group_id]
    finally:
        admin.close()
    if group["error"]:
        raise KafkaError(group["error"])
    for member in group["members"]:
        if member["group_instance_id"] == settings.group_instance_id:
            return Member(member["member_id"], member["client_host"].lstrip("/"))
    return None
