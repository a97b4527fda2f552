"""Which input partitions have a place for their outcomes: a partition of their number in the outgoing topics."""

from collections.abc import Iterable, Mapping
from typing import Any

from kafka import TopicPartition

from worker.settings import Settings


def narrow(partitions: Mapping[str, int], settings: Settings) -> str:
    """What is wrong where an outgoing topic has fewer partitions than the input; empty if nothing is."""
    needed = partitions[settings.input_topic]
    return "; ".join(
        f"{topic} has {partitions[topic]} partitions and {settings.input_topic} has {needed}: outcomes go to the "
        "partition number of their source, so give it as many"
        for topic in _bound(settings)
        if partitions[topic] < needed
    )


class Places:
    """The outgoing topics' partitions, as the client that reads knows them. For any thread, without IO."""

    def __init__(self, cluster: Any, settings: Settings) -> None:
        """Know what the client's `cluster` metadata knows."""
        self._cluster, self._topics = cluster, _bound(settings)
        self._known: dict[str, set[int]] = {}

    def watch(self) -> None:
        """Have the client ask for the outgoing topics too; a new subscription makes it forget them."""
        for topic in self._topics:
            self._cluster.add_topic(topic)

    def missing(self, partitions: Iterable[TopicPartition]) -> list[TopicPartition]:
        """Those of these partitions whose outcomes could be written nowhere."""
        for topic in self._topics:
            if (known := self._cluster.partitions_for_topic(topic)) is not None:
                self._known[topic] = known
        # A topic of which nothing was ever heard says nothing either.
        return [p for p in partitions if any(p.partition not in known for known in self._known.values())]


def _bound(settings: Settings) -> tuple[str, ...]:
    """The topics in which an outcome goes to the number of its source; dead letters always do."""
    by_key = settings.output_partitioning == "key"
    return (settings.dead_letter_topic,) if by_key else (settings.output_topic, settings.dead_letter_topic)
