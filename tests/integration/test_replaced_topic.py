"""An input topic that is another one by now, or whose log was cut off: no event is skipped in silence."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from dev.kafka import AnyCluster, Cluster
from tests.integration.harness import STUCK, Run, until
from tests.kafka_topics import recreate

pytestmark = pytest.mark.kafka


def test_a_topic_recreated_behind_a_paused_worker_stops_it_and_loses_nothing(
    run: Run, cluster: AnyCluster, stuck: Path
) -> None:
    """It ends with 9 and names both; one that may go back answers every event of the new topic."""
    worker = run.worker(module=STUCK, held_records_max=64, window_records_max=64)
    stuck.touch()
    run.send_reviews(150 * run.partitions)
    until(lambda: worker.metric("sentiment_worker_paused") == 1, "reading does not pause")
    recreate(cluster, run.input_topic, run.partitions)
    run.sent.clear()
    run.send_reviews(250 * run.partitions)
    stuck.unlink()
    assert worker.wait(60) == 9
    assert "another topic than the one" in worker.log_file.read_text()
    run.worker(allow_replaced=True)
    run.read_until(lambda: min(run.committed().values(), default=0) >= 250, what="it does not reach the end")
    run.read_all()


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Cluster]:
    """Three brokers that would rather lose records than have no leader."""
    settings = {"unclean.leader.election.enable": "true", "min.insync.replicas": "1"}
    with Cluster(tmp_path / "three", brokers=3, settings=settings) as cluster:
        yield cluster


def test_a_log_that_was_cut_off_and_has_grown_again_is_told_by_its_epoch(
    three: Cluster, bundle: Path, tmp_path: Path
) -> None:
    """Committed 150, cut off at 50, grown to 199: a worker stops and names both; allowed, it goes on at 50."""
    with _answered(three, bundle, tmp_path) as run:
        _cut_off(three, run)
        stopped = run.worker(ready=False)
        assert stopped.wait(60) == 9
        assert "was read up to 150 and has been cut off at 50" in stopped.log_file.read_text()
        run.worker(allow_replaced=True)
        until(lambda: run.committed().get(0) == 199, "it does not go on at 50", 60)
        run.read_until(lambda: sum(map(len, run.account.outcomes.values())) >= 150 + 149)


def test_a_log_that_is_cut_off_while_nothing_comes_is_not_read_on(
    three: Cluster, bundle: Path, tmp_path: Path
) -> None:
    """A worker that has read all, and hears of it late, finds a log longer than before, and stops all the same."""
    with _answered(three, bundle, tmp_path) as run:
        idle = run.worker(session_timeout_ms=120_000)
        until(lambda: idle.metric("sentiment_worker_partitions_assigned") == 1, "it has no partition")
        time.sleep(3)  # in which it fetches, and nothing comes
        idle.pause()
        _cut_off(three, run)
        idle.resume()
        assert idle.wait(60) == 9
        assert "was read up to 150 and has been cut off at 50" in idle.log_file.read_text()


@contextmanager
def _answered(three: Cluster, bundle: Path, folder: Path) -> Iterator[Run]:
    """150 events are answered, of which the follower that is dead by now has only 50."""
    run = Run(three, bundle, folder, partitions=1)
    admin = AdminClient({"bootstrap.servers": three.bootstrap_servers})
    topic = NewTopic(run.input_topic, num_partitions=1, replica_assignment=[[1, 2]])
    admin.create_topics([topic])[run.input_topic].result(30)
    with run:
        until(lambda: _in_sync(three, run) == {1, 2}, "the follower does not follow")
        _write(run, 50, acks="all")
        three.kill(2)
        until(lambda: _in_sync(three, run) == {1}, "the dead follower is not missed", 60)
        _write(run, 100)
        worker = run.worker()
        until(lambda: run.committed().get(0) == 150, "not all is answered")
        worker.terminate()
        assert worker.wait(30) == 0
        yield run


def _cut_off(three: Cluster, run: Run) -> None:
    """The follower leads, and its log grows to 199."""
    three.kill(1)
    three.restart(2)
    until(lambda: _in_sync(three, run) == {2}, "nobody is elected", 60)
    _write(run, 149)


def _in_sync(three: Cluster, run: Run) -> set[int]:
    """The replicas in sync of a partition that has a leader; none while that can't be known."""
    admin = AdminClient({"bootstrap.servers": three.bootstrap_servers, "log_level": 0})
    try:
        partitions = admin.list_topics(run.input_topic, timeout=3).topics[run.input_topic].partitions
    except KafkaException:
        return set()
    return set(partitions[0].isrs) if partitions and partitions[0].leader > 0 else set()


def _write(run: Run, count: int, acks: str = "1") -> None:
    """Events that one broker is enough for, or all that are in sync."""
    producer = Producer({"bootstrap.servers": run.cluster.bootstrap_servers, "acks": acks, "log_level": 0})
    deadline_s = time.monotonic() + 30
    for number in range(count):
        producer.produce(run.input_topic, b'{"id":%d,"text":"a quite good phone"}' % number, b"k", 0)
    while producer.flush(1):
        assert time.monotonic() < deadline_s, "nobody takes them"
