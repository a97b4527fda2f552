"""Whether the three topics hold what a worker promises: judged from what the cluster says of them."""

import shlex
from collections.abc import Iterator, Mapping

from worker.adapters.kafka_places import narrow
from worker.adapters.kafka_view import Topic
from worker.preflight.checks import Check, State
from worker.preflight.rights import Right
from worker.settings import Settings
from worker.topics import ADDED_BYTES_MAX, kafka_tool

_FOR_EVER = 2**63 - 1
_CARRIED_BYTES = 16 * 1024
"""Of a record's key and headers, as a rule: more is not asked room for."""
_COPIES = 2
"""What survives the loss of a broker."""


def topic_checks(topics: Mapping[str, Topic], settings: Settings) -> Iterator[Check]:
    """All that is to say of the topics that there are, each for itself."""
    source = topics[settings.input_topic]
    for topic in topics.values():
        if not topic.partitions:
            continue
        yield _partitions(topic, source, settings)
        is_written = topic is not source
        if not topic.configs:
            advice = Right("DESCRIBE_CONFIGS", "topic", topic.name).command(settings)
            yield Check(
                topic.name, "settings", State.UNKNOWN, "may not be read: DESCRIBE_CONFIGS is missing", advice
            )
            yield _replicas(topic, 0, settings, is_written=is_written)
            continue
        yield _replicas(topic, int(topic.configs.get("min.insync.replicas", 0)), settings, is_written=is_written)
        if is_written:
            yield _cleanup(topic, source, settings)
            yield _timestamps(topic, source, settings)
            if source.configs:
                yield _size(topic, source, settings)


def _partitions(topic: Topic, source: Topic, settings: Settings) -> Check:
    if topic.leaderless:
        found = f"no broker leads {', '.join(map(str, topic.leaderless))} of {topic.partitions}"
        return Check(topic.name, "partitions", State.FAILED, found, "look at the brokers: some are away")
    known = dict.fromkeys((source.name, settings.output_topic, settings.dead_letter_topic), source.partitions)
    if too_few := narrow({**known, topic.name: topic.partitions}, settings) if topic is not source else "":
        words = [*kafka_tool(settings, "kafka-topics.sh"), "--alter", "--topic", topic.name]
        advice = shlex.join([*words, "--partitions", str(source.partitions)])
        return Check(topic.name, "partitions", State.FAILED, too_few, advice)
    return Check(topic.name, "partitions", State.OK, str(topic.partitions))


def _replicas(topic: Topic, in_sync_min: int, settings: Settings, *, is_written: bool) -> Check:
    found = f"replication {topic.replicas}, {topic.in_sync} in sync"
    if in_sync_min:
        found += f", min.insync.replicas {in_sync_min}"
    stuck = State.FAILED if is_written else State.WARNING  # upstream's trouble
    lower = _alter(topic, {"min.insync.replicas": str(max(1, topic.replicas - 1))}, settings)
    if in_sync_min > topic.replicas:
        return Check(topic.name, "replicas", stuck, f"{found}: nothing can ever be written", lower)
    if in_sync_min > topic.in_sync:
        advice = "look at the brokers: some are away or behind"
        return Check(topic.name, "replicas", stuck, f"{found}: nothing can be written now", advice)
    if topic.replicas < _COPIES:
        advice = "give it 3 replicas (kafka-reassign-partitions.sh), and min.insync.replicas=2"
        return Check(topic.name, "replicas", State.WARNING, f"{found}: a broker's loss loses records", advice)
    if in_sync_min and in_sync_min < _COPIES:
        found += ": what is acknowledged may be on one broker alone"
        advice = _alter(topic, {"min.insync.replicas": str(_COPIES)}, settings)
        return Check(topic.name, "replicas", State.WARNING, found, advice)
    return Check(topic.name, "replicas", State.OK, found)


def _cleanup(topic: Topic, source: Topic, settings: Settings) -> Check:
    policy = topic.configs.get("cleanup.policy", "delete")
    found, advice = f"cleanup.policy {policy}", _alter(topic, {"cleanup.policy": "delete"}, settings)
    if "compact" in policy and topic.name == settings.dead_letter_topic:
        found += ": of the dead letters of a key only the last is kept"
        return Check(topic.name, "cleanup", State.WARNING, found, advice)
    if "compact" in policy and "compact" not in source.configs.get("cleanup.policy", ""):
        found += ", the input's is not: a result without a key is refused, and only the last of each key is kept"
        return Check(topic.name, "cleanup", State.WARNING, found, advice)
    return Check(topic.name, "cleanup", State.OK, found)


def _timestamps(topic: Topic, source: Topic, settings: Settings) -> Check:
    """A result has its event's timestamp, which by then is as old as the event and its wait."""
    if topic.configs.get("message.timestamp.type") == "LogAppendTime":
        found = "message.timestamp.type LogAppendTime: results lose the time of their event"
        advice = _alter(topic, {"message.timestamp.type": "CreateTime"}, settings)
        return Check(topic.name, "timestamps", State.WARNING, found, advice)
    needed = {"before": _age_ms_max(source), "after": _limit_ms(source, "after")}
    if source.configs.get("message.timestamp.type") == "LogAppendTime":
        needed["after"] = 0
    short = {_limit(side): str(ms) for side, ms in needed.items() if _limit_ms(topic, side) < ms}
    if short and source.configs:
        have = ", ".join(f"{name} {topic.configs[name]}" for name in short)
        found = f"{have}: refuses results of events that the input takes and keeps (output_refused)"
        return Check(topic.name, "timestamps", State.WARNING, found, _alter(topic, short, settings))
    return Check(topic.name, "timestamps", State.OK, "takes what the input takes and keeps")


def _age_ms_max(source: Topic) -> int:
    """How old a record may be that is read from the input."""
    stamped = source.configs.get("message.timestamp.type") == "LogAppendTime"
    retention = int(source.configs.get("retention.ms", -1))
    if retention < 0 or "compact" in source.configs.get("cleanup.policy", ""):
        return _FOR_EVER
    return min(_FOR_EVER, retention + (0 if stamped else _limit_ms(source, "before")))


def _limit_ms(topic: Topic, side: str) -> int:
    return int(topic.configs.get(_limit(side), _FOR_EVER))


def _limit(side: str) -> str:
    return f"message.timestamp.{side}.max.ms"


def _size(topic: Topic, source: Topic, settings: Settings) -> Check:
    limit, taken = (int(it.configs.get("max.message.bytes", 0)) for it in (topic, source))
    of_results = topic.name == settings.output_topic
    carried = min(taken, settings.input_bytes_max + _CARRIED_BYTES) if of_results else taken
    needed = carried + ADDED_BYTES_MAX
    found = f"max.message.bytes {limit}, the input's {taken}"
    if limit >= needed:
        return Check(topic.name, "size", State.OK, found)
    what = "results become dead letters (output_too_large)" if of_results else "dead letters lose their value"
    advice = _alter(topic, {"max.message.bytes": str(needed)}, settings)
    return Check(topic.name, "size", State.WARNING, f"{found}: of the largest records {what}", advice)


def _alter(topic: Topic, configs: Mapping[str, str], settings: Settings) -> str:
    words = [*kafka_tool(settings, "kafka-configs.sh"), "--alter", "--entity-type", "topics"]
    changes = ",".join(map("=".join, configs.items()))
    return shlex.join([*words, "--entity-name", topic.name, "--add-config", changes])
