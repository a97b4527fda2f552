"""What we ask a cluster ourselves, through a real client."""

import contextlib
import socket
from collections.abc import Mapping

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError


def create_topics(servers: str, partitions: Mapping[str, int], configs: Mapping[str, str] | None = None) -> None:
    """Create topics by name with so many partitions; those that exist are left as they are.

    They have the cluster's default replication, and a leader for every partition when this returns.

    Args:
        servers: Bootstrap servers, `host:port,…`.
        partitions: The number of partitions by topic.
        configs: Settings for each of the topics, such as `retention.ms`.
    """
    admin = KafkaAdminClient(bootstrap_servers=servers.split(","))
    try:
        for topic, count in partitions.items():
            wanted = {topic: {"num_partitions": count, "configs": dict(configs or {})}}
            with contextlib.suppress(TopicAlreadyExistsError):
                admin.create_topics(wanted, wait_for_metadata=True)
    finally:
        admin.close()


def broker_ids_seen(address: str, cluster_id: str) -> set[int]:
    """Which brokers a cluster has, as one of them says; empty while no broker of that cluster answers there."""
    host, port = address.rsplit(":", 1)
    try:
        # The client would log and retry for seconds where a plain connection tells at once.
        socket.create_connection((host, int(port)), timeout=1).close()
        admin = KafkaAdminClient(bootstrap_servers=[address], bootstrap_timeout_ms=5000)
    except (OSError, KafkaError):
        return set()
    try:
        described = admin.describe_cluster()
        ours = described["cluster_id"] == cluster_id  # another cluster may have taken the port
        return {broker["broker_id"] for broker in described["brokers"]} if ours else set()
    except (KafkaError, KeyError):
        return set()
    finally:
        admin.close()
