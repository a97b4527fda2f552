"""A real Apache Kafka for development and tests, from packages alone: no Docker, no installed Java."""

from dev.kafka.cluster import Cluster
from dev.kafka.existing import AnyCluster, ExistingCluster, NotOurClusterError, cluster_or_existing
from dev.kafka.jars import KafkaUnavailableError

__all__ = [
    "AnyCluster",
    "Cluster",
    "ExistingCluster",
    "KafkaUnavailableError",
    "NotOurClusterError",
    "cluster_or_existing",
]
