"""A real Apache Kafka for development and tests, from packages alone: no Docker, no installed Java."""

from dev.kafka.cluster import Cluster, cluster_or_existing
from dev.kafka.jars import KafkaUnavailableError

__all__ = ["Cluster", "KafkaUnavailableError", "cluster_or_existing"]
