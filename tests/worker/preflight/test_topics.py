"""Each way in which a topic can be unfit, or less than it could be."""

from dataclasses import replace
from typing import Any

import pytest

from worker.adapters.kafka_view import Topic
from worker.preflight.checks import Check, State
from worker.preflight.topics import topic_checks
from worker.settings import Settings
from worker.topics import MESSAGE_BYTES_MAX, outgoing_configs

_DAY_MS = 86_400_000
_EVER = str(2**63 - 1)
_CONFIGS = {
    "cleanup.policy": "delete", "message.timestamp.type": "CreateTime", "retention.ms": str(7 * _DAY_MS),
    "message.timestamp.before.max.ms": _EVER, "message.timestamp.after.max.ms": "3600000",
    "min.insync.replicas": "2", "max.message.bytes": str(MESSAGE_BYTES_MAX),
}  # fmt: skip
_IN = Topic("reviews", partitions=3, replicas=3, in_sync=3, configs=_CONFIGS)
_LARGER = {**_CONFIGS, **outgoing_configs(MESSAGE_BYTES_MAX)}


def judged(
    source: dict[str, Any], out: dict[str, Any], dead: dict[str, Any], settings: Settings | None = None
) -> dict[tuple[str, str], Check]:
    """The checks that are not ✓, where these fields and configs of good topics are others."""

    def changed(topic: Topic, change: dict[str, Any]) -> Topic:
        configs = {name: value for name, value in change.items() if "." in name}
        fields = {name: value for name, value in change.items() if "." not in name}
        return replace(topic, **{"configs": {**topic.configs, **configs}, **fields})

    good = {name: replace(_IN, name=name, configs=_LARGER) for name in ("reviews.sentiment", "reviews.dlq")}
    topics = [changed(_IN, source), changed(good["reviews.sentiment"], out), changed(good["reviews.dlq"], dead)]
    checks = topic_checks({it.name: it for it in topics}, settings or Settings(bundle="b"))
    return {(it.subject, it.name): it for it in checks if it.state is not State.OK}


def test_topics_as_the_worker_asks_for_them_are_fine() -> None:
    """Nothing is said against what `topics create` makes on three brokers."""
    assert judged({}, {}, {}) == {}


@pytest.mark.parametrize(
    ("source", "out", "dead", "name", "state", "found"),
    [
        ({}, {"partitions": 2}, {}, "partitions", "failed", "has 2 partitions and reviews has 3"),
        ({}, {"leaderless": (1, 2)}, {}, "partitions", "failed", "no broker leads 1, 2 of 3"),
        ({}, {"min.insync.replicas": "4"}, {}, "replicas", "failed", "nothing can ever be written"),
        ({}, {"in_sync": 1}, {}, "replicas", "failed", "1 in sync, min.insync.replicas 2: nothing can be written"),
        ({}, {"replicas": 1, "in_sync": 1, "min.insync.replicas": "1"}, {}, "replicas", "warning", "loss"),
        ({}, {"min.insync.replicas": "1"}, {}, "replicas", "warning", "on one broker alone"),
        ({}, {"cleanup.policy": "compact"}, {}, "cleanup", "warning", "without a key is refused"),
        ({}, {"message.timestamp.type": "LogAppendTime"}, {}, "timestamps", "warning", "lose the time"),
        ({}, {"message.timestamp.after.max.ms": "1"}, {}, "timestamps", "warning", "after.max.ms 1: refuses"),
        ({}, {"message.timestamp.before.max.ms": "5"}, {}, "timestamps", "warning", "before.max.ms 5: refuses"),
        ({}, {"max.message.bytes": "1000000"}, {}, "size", "warning", "output_too_large"),
        ({}, {"configs": {}}, {}, "settings", "unknown", "DESCRIBE_CONFIGS is missing"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_what_to_do(
    source: dict[str, Any], out: dict[str, Any], dead: dict[str, Any], name: str, state: str, found: str
) -> None:
    """One thing at a time, and nothing else is blamed for it."""
    ((place, check),) = judged(source, out, dead).items()
    assert place == ("reviews.sentiment", name)
    assert check.state == state
    assert found in check.found
    assert check.advice


def test_a_dead_letter_topic_is_held_to_more_than_the_output() -> None:
    """It takes whatever the input does, too large for the worker or not, and is never compacted."""
    compacted = {"cleanup.policy": "compact"}
    kafkas_default = {"max.message.bytes": str(MESSAGE_BYTES_MAX)}
    assert set(judged({}, kafkas_default, kafkas_default)) == {("reviews.dlq", "size")}
    assert set(judged(compacted, compacted, compacted)) == {("reviews.dlq", "cleanup")}


def test_the_input_is_for_reading() -> None:
    """That nothing can be written there is upstream's trouble, and what is larger is left to the limit of ours."""
    found = judged({"in_sync": 1}, {}, {})
    assert [(place, it.state) for place, it in found.items()] == [(("reviews", "replicas"), State.WARNING)]


def test_outputs_that_go_by_key_may_have_fewer_partitions() -> None:
    """Dead letters may not."""
    by_key = Settings(bundle="b", output_partitioning="key")
    assert set(judged({}, {"partitions": 1}, {"partitions": 1}, by_key)) == {("reviews.dlq", "partitions")}


def test_an_event_ages_while_it_waits() -> None:
    """An output that takes what is a day old does not do for an input that keeps it for a week."""
    day, eight = ({"message.timestamp.before.max.ms": str(days * _DAY_MS)} for days in (1, 8))
    assert set(judged(day, day, eight)) == {("reviews.sentiment", "timestamps")}
    stamped = {"message.timestamp.type": "LogAppendTime"}
    week = {"message.timestamp.before.max.ms": str(7 * _DAY_MS), "message.timestamp.after.max.ms": "0"}
    assert judged(stamped, week, week) == {}
    assert set(judged({**stamped, "retention.ms": "-1"}, week, {})) == {("reviews.sentiment", "timestamps")}
