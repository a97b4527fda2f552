"""What kafka-python 3.0 knows of the log before its position: kept where it forgets it, and acted on in time.

A leader that was elected uncleanly has a shorter log, which may grow beyond our position before we look. The
client finds that out by the leader epoch of the last record that it read (KIP-320). But it forgets the epoch when
a fetch brings nothing, and what it has found it tells once, to whichever method is called next, and reads on.
"""

from typing import Any

from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata


def position_of(consumer: Any, partition: TopicPartition) -> int | None:
    """Where the client reads next; None where that is not known, or the partition is not its own.

    The client's own `position` would raise what was found of the log, of any partition, in the place of `poll`.
    """
    state = consumer._subscription.assignment.get(partition)  # noqa: SLF001
    position = state.position if state else None
    return position.offset if position else None


def keep_epochs(consumer: Any) -> None:
    """Let a `KafkaConsumer` remember the leader epoch before its position when a fetch brings nothing.

    Java's client leaves a position alone that did not move.
    """
    fetcher, subscription = consumer._fetcher, consumer._subscription  # noqa: SLF001
    append = fetcher._append  # noqa: SLF001

    def append_and_keep(drained: Any, part: Any, records_max: int, update_offsets: Any) -> int:
        state = subscription.assignment.get(part.topic_partition)
        before = state.position if state else None
        taken: int = append(drained, part, records_max, update_offsets)
        if before and (now := state.position).leader_epoch < 0 <= before.leader_epoch:
            state.position = OffsetAndMetadata(now.offset, now.metadata, before.leader_epoch)
        return taken

    fetcher._append = append_and_keep  # noqa: SLF001


def stop_where_cut_off(consumer: Any) -> None:
    """Let a `KafkaConsumer` read nothing of a partition whose log was cut off, and say so until it is moved."""
    fetcher, subscription = consumer._fetcher, consumer._subscription  # noqa: SLF001
    handle = fetcher._handle_offset_for_leader_epoch_response  # noqa: SLF001

    def handle_and_stop(response: Any, positions: Any) -> Any:
        found = handle(response, positions)
        for partition in found:
            subscription.request_position_validation(partition)
        return found

    fetcher._handle_offset_for_leader_epoch_response = handle_and_stop  # noqa: SLF001
