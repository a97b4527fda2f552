"""What of kafka-python 3.0 has no public way: the private names that the adapters use, looked for at the start.

`pyproject.toml` pins the version below 3.1. Where an attribute is missing all the same, the worker says so before
it joins a group, and not with an AttributeError under load.
"""

from collections.abc import Iterable
from typing import Any

import kafka

from worker.errors import KafkaUnfitError

OF_A_CONSUMER = (
    "_cluster.topic_id",
    "_coordinator._heartbeat_enabled",
    "_coordinator._lock",
    "_coordinator.coordinator_unknown",
    "_coordinator.lookup_coordinator",
    "_coordinator.need_rejoin",
    "_coordinator.rejoining",
    "_coordinator.request_rejoin",
    "_coordinator._offset_fetch_futures",
    "_fetcher._append",
    "_fetcher._handle_offset_for_leader_epoch_response",
    "_fetcher._next_partition_records",
    "_fetcher.PartitionRecords._maybe_raise_next_inline_exception",
    "_fetcher.PartitionRecords._unpack_records",
    "_net.call_soon_threadsafe",
    "_subscription.assignment",
    "_subscription.request_position_validation",
    "_subscription.seek",
)
OF_A_PRODUCER = (
    "_metadata.brokers",
    "_metadata.request_update",
    "_sender._client.throttle_delay",
    "_transaction_manager.ERROR_CLASS_NEEDS_EPOCH_BUMP",
    "_transaction_manager.ERROR_CLASS_RETRIABLE",
    "_transaction_manager.classify_batch_error",
)
OF_A_TRANSACTIONAL_PRODUCER = ("_transaction_manager._pending_txn_offset_commits",)
OF_AN_ADMIN = ("_find_coordinator_id", "_manager.run", "_manager.send")
OF_A_BATCH = (
    "_buffer",
    "_decompressed",
    "_maybe_uncompress",
    "_next_record_index",
    "_num_records",
    "_pos",
)


def look_for(names: Iterable[str], client: Any) -> None:
    """Hold an object of kafka-python to what we lean on.

    Raises:
        KafkaUnfitError: If it lacks any of these attributes.
    """
    if missing := [name for name in names if not _has(client, name)]:
        raise KafkaUnfitError(
            f"kafka-python {kafka.__version__} lacks {', '.join(missing)}: install kafka-python>=3.0.12,<3.1"
        )


def _has(found: Any, name: str) -> bool:
    for part in name.split("."):
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True
