"""What upstream may send: codecs, sizes, gaps."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from kafka import KafkaProducer

from dev.kafka import AnyCluster
from tests.integration.harness import Run

pytestmark = pytest.mark.kafka


@pytest.fixture
def plain(cluster: AnyCluster, bundle: Path, tmp_path: Path) -> Iterator[Run]:
    """Reading is the same with either delivery: at least once stands for both."""
    with Run(cluster, bundle, tmp_path) as running:
        yield running


def test_every_codec_is_read(plain: Run) -> None:
    """gzip, snappy, lz4 and zstd, batch by batch in the same partition."""
    codecs = ("none", "gzip", "snappy", "lz4", "zstd")
    for codec in codecs:
        plain.producer = Producer(
            {"bootstrap.servers": plain.cluster.bootstrap_servers, "compression.type": codec}
        )
        plain.send_reviews(40, text=f"quite good, packed by {codec} " * 10)
    with plain.worker():
        plain.read_all()

    assert plain.account.kinds() == {"result": 40 * len(codecs)}
    assert plain.account.duplicated() == []


def test_one_byte_and_a_megabyte(plain: Run) -> None:
    """The smallest value is a dead letter, the largest a result; what lies between them is not held up."""
    large = b'{"text":"%s"}' % (b"so good " * 124_000)
    for value in (b"x", large, b'{"text":"ok"}'):
        plain.send(value, partition=0)
    plain.producer.flush()
    with plain.worker():
        plain.read_all()

    assert [plain.account.outcomes[0, offset][0].kind for offset in range(3)] == [
        "invalid_json",
        "result",
        "result",
    ]
    result = plain.account.outcomes[0, 1][0]
    assert len(result.value or b"") > len(large)
    assert result.event["sentiment"]["truncated"] is True


def test_a_compacted_topic_has_gaps(plain: Run) -> None:
    """Offsets that compaction took away are neither waited for nor answered, and the group reaches the end."""
    plain.input_topic += ".compacted"
    plain.cluster.create_topics(
        {plain.input_topic: 4},
        {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01",
         "max.compaction.lag.ms": "100"},
    )  # fmt: skip
    for number in range(60):
        plain.send(b'{"text":"version %d"}' % number, key=b"k%d" % (number % 3), partition=0)
        plain.producer.flush()
        if number % 20 == 19:
            time.sleep(0.15)  # the age at which a segment is closed: only closed ones are compacted
    kept = _wait_compacted(plain)
    plain.sent = {position: value for position, value in plain.sent.items() if position in kept}
    with plain.worker():
        plain.read_all()
        plain.read_until(lambda: plain.committed().get(0) == 60, 15)

    assert plain.account.outcomes.keys() == kept


def test_a_new_group_begins_at_the_earliest_event(plain: Run) -> None:
    """Events from before the group existed are answered; those that retention took away are not missed."""
    plain.send_reviews(40)
    _delete_before(plain, 4)
    plain.sent = {position: value for position, value in plain.sent.items() if position[1] >= 4}
    with plain.worker():
        plain.read_all()

    assert plain.account.outcomes.keys() == plain.sent.keys()


@pytest.mark.parametrize("allowed", [False, True])
def test_unread_events_that_expired_stop_the_worker(plain: Run, allowed: bool) -> None:
    """Exit code 7, unless the settings say to go on at the earliest that is left."""
    with plain.worker() as worker:
        plain.send_reviews(40)
        plain.read_all()
        worker.terminate()
        assert worker.wait(20) == 0
    seen = len(plain.account.outcomes)
    plain.send_reviews(40)
    _delete_before(plain, 15)
    worker = plain.worker(ready=False, allow_expired=allowed)
    if not allowed:
        assert worker.wait(60) == 7, worker.log_file.read_text()
        assert "WORKER_ALLOW_EXPIRED" in worker.log_file.read_text()
        return
    plain.sent = {position: value for position, value in plain.sent.items() if not 10 <= position[1] < 15}
    plain.read_all()
    assert len(plain.account.outcomes) == seen + 4 * 5
    assert any(event["event"] == "events_expired" for event in worker.events())


def test_a_record_that_the_client_cannot_read_is_named(plain: Run) -> None:
    """What is before it is answered; then the worker ends with 4, and says where a human has to look."""

    class Latin(str):
        __slots__ = ()

        def encode(self, *_: object) -> bytes:
            return b"\xe9"

    producer = KafkaProducer(bootstrap_servers=plain.cluster.bootstrap_servers.split(","))
    for headers in ([], [(Latin("e"), b"")], []):
        producer.send(plain.input_topic, b'{"text":"good"}', b"k", headers, partition=0)
    producer.close()
    worker = plain.worker(ready=False)

    assert worker.wait(60) == 4, worker.log_file.read_text()
    assert f"{plain.input_topic}/0, offset 1:" in worker.log_file.read_text()
    assert plain.committed()[0] == 1


def _delete_before(run: Run, offset: int) -> None:
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415

    admin = AdminClient({"bootstrap.servers": run.cluster.bootstrap_servers})
    partitions = [TopicPartition(run.input_topic, number, offset) for number in range(run.partitions)]
    for future in admin.delete_records(partitions).values():
        future.result(10)


def _wait_compacted(run: Run) -> set[tuple[int, int]]:
    """Positions left once compaction has taken most away, and nothing more for a second."""
    kept, since_s, deadline_s = _positions(run), time.monotonic(), time.monotonic() + 60
    while len(kept) > 30 or time.monotonic() - since_s < 2:
        assert time.monotonic() < deadline_s, f"{len(kept)} of 60 records are left"
        time.sleep(0.2)
        if (now := _positions(run)) != kept:
            kept, since_s = now, time.monotonic()
    return kept


def _positions(run: Run) -> set[tuple[int, int]]:
    consumer = Consumer(
        {"bootstrap.servers": run.cluster.bootstrap_servers, "group.id": "looker", "enable.partition.eof": True}
    )
    consumer.assign([TopicPartition(run.input_topic, 0, 0)])
    found = set()
    while (message := consumer.poll(10)) is not None and message.error() is None:
        found.add((0, message.offset()))
    consumer.close()
    return found
