"""The producer and the consumer of a terminal, against each other on a real broker."""

import uuid

import pytest

from dev.kafka import AnyCluster, KafkaUnavailableError
from dev.kafka.console import consume, produce
from dev.kafka.existing import BOOTSTRAP_VARIABLE

pytestmark = pytest.mark.kafka


def test_what_is_produced_is_consumed(cluster: AnyCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Line by line, whatever it holds; a key where the member is there; so many, or all that there are."""
    monkeypatch.setenv(BOOTSTRAP_VARIABLE, cluster.bootstrap_servers)
    topic = f"c{uuid.uuid4().hex[:8]}"
    cluster.create_topics({topic: 2})
    lines = [b'{"id": "R1"}\n', b"\n", b"\xff garbage\r\n", b'{"no": 1}', b"[1]"]
    assert produce(topic, lines, key="id") == 4
    expected = {'{"id": "R1"}', "\ufffd garbage", '{"no": 1}', "[1]"}
    assert set(consume(topic)) == set(consume(topic, 4)) == expected
    assert len(list(consume(topic, 1, headers=True))) == 2
    assert list(consume(topic, 0)) == []


def test_without_brokers_it_says_what_to_do(cluster: AnyCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a topic that is not there is named."""
    monkeypatch.delenv(BOOTSTRAP_VARIABLE, raising=False)
    with pytest.raises(KafkaUnavailableError, match="is not set"):
        produce("t", [b"x"])
    monkeypatch.setenv(BOOTSTRAP_VARIABLE, cluster.bootstrap_servers)
    with pytest.raises(KafkaUnavailableError, match="can't read absent"):
        list(consume("absent", 1))
