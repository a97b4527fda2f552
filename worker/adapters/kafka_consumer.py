"""The client that reads, set up for a member of our group; and what is the same for whatever else reads."""

from typing import Any

from kafka import KafkaConsumer

from worker.adapters.kafka_client import connection
from worker.adapters.kafka_epochs import keep_epochs, stop_where_cut_off
from worker.adapters.kafka_private import OF_A_CONSUMER, look_for
from worker.adapters.kafka_rebalances import assignor
from worker.adapters.kafka_unpacking import bound_reading
from worker.in_flight import InFlight
from worker.settings import Settings

_METADATA_MS_MAX = 5000
"""Age of what the client knows of topics: while reading is paused, nothing else tells it that one is another."""


def reading(settings: Settings) -> dict[str, Any]:
    """Keyword arguments for a consumer of any of our topics."""
    return {
        **connection(settings),
        "client_id": "review-sentiment",
        # No offset and an offset out of range look the same to a reset policy; we tell them apart.
        "auto_offset_reset": "none",
        "enable_auto_commit": False,
        "isolation_level": "read_committed",
        "allow_auto_create_topics": False,
        "max_poll_records": settings.window_records_max,
        "fetch_max_bytes": min(50 * 2**20, settings.held_bytes_max),
        "receive_message_max_bytes": 2**31 - 1,  # one batch always comes, however large its topic lets it be
    }


def consumer(settings: Settings, in_flight: InFlight) -> Any:
    """A consumer that has subscribed to nothing yet.

    Raises:
        KafkaError, OSError, ValueError: If no broker answers or lets us in.
        KafkaUnfitError: If it is not the version of kafka-python that we know.
    """
    made = KafkaConsumer(
        **reading(settings),
        group_id=settings.group_id,
        group_instance_id=settings.group_instance_id,
        partition_assignment_strategy=[assignor(in_flight)],
        metadata_max_age_ms=_METADATA_MS_MAX,
        session_timeout_ms=settings.session_timeout_ms,
        heartbeat_interval_ms=min(3000, settings.session_timeout_ms // 3),
    )
    look_for(OF_A_CONSUMER, made)
    bound_reading(made)
    keep_epochs(made)
    stop_where_cut_off(made)
    return made
