"""What can go wrong around a worker, on real brokers: each has its outcome, and nothing is lost."""

import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from dev.hostile import POISON
from dev.kafka import Cluster
from tests.integration.harness import Run

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A broker that tests may break, even where KAFKA_BOOTSTRAP_SERVERS names one for the others."""
    settings = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
    }
    with Cluster(tmp_path_factory.mktemp("breakable"), settings=settings) as cluster:
        yield cluster


@pytest.fixture(params=["at-least-once", "exactly-once"])
def broken(
    breakable: Cluster, bundle: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[Cluster, Run]]:
    """A run on the broker that may be broken."""
    with Run(breakable, bundle, tmp_path, delivery=request.param) as run:
        yield breakable, run


def test_a_bad_deploy_stops_before_it_empties_the_topic(run: Run) -> None:
    """When the model fails on most events the worker ends with 5; what it dead-lettered is settled for good."""
    for _ in range(500):
        run.send(json.dumps({"text": POISON}).encode(), partition=0)
    run.producer.flush()
    seen = []
    for _ in range(2):
        worker = run.worker(module="dev.faulty_worker", ready=False, window_records_max=50)
        assert worker.wait(60) == 5, worker.log_file.read_text()
        run.read_until(lambda: len(run.account.outcomes) == run.committed().get(0, 0), 20)
        seen.append(len(run.account.outcomes))

    assert 200 <= seen[0] < seen[1] < 500, "each start makes progress, and none empties the topic"
    assert run.account.kinds() == {"model_error": seen[1]}
    assert run.account.duplicated() == []


def test_a_topic_that_denies_us_ends_the_worker(broken: tuple[Cluster, Run]) -> None:
    """Not authorised to write: exit code 4 with the topic named, nothing settled; later it goes on."""
    _, run = broken
    admin = AdminClient({"bootstrap.servers": run.cluster.bootstrap_servers})
    rules = [
        AclBinding(ResourceType.TOPIC, run.output_topic, ResourcePatternType.LITERAL, "User:*", "*", *rule)
        for rule in (
            (AclOperation.ALL, AclPermissionType.ALLOW),
            (AclOperation.WRITE, AclPermissionType.DENY),
        )
    ]
    for future in admin.create_acls(rules).values():
        future.result(10)
    run.send_reviews(20)
    worker = run.worker(ready=False)
    assert worker.wait(60) == 4, worker.log_file.read_text()
    assert "uthoriz" in worker.log_file.read_text()
    assert set(run.committed().values()) <= {0}
    for future in admin.delete_acls([_filter(rules[1])]).values():
        future.result(10)
    with run.worker():
        run.read_all()

    assert run.account.duplicated() == []


def test_a_topic_that_hides_from_us_is_not_called_missing(broken: tuple[Cluster, Run]) -> None:
    """Not authorised to describe: exit code 4 that says so, and nothing is created in its place."""
    _, run = broken
    admin = AdminClient({"bootstrap.servers": run.cluster.bootstrap_servers})
    for topic in (run.input_topic, run.dlq):
        # Those who may read or write may describe, so nothing at all is allowed here.
        rule = AclBinding(
            ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, "User:other", "*", AclOperation.ALL,
            AclPermissionType.ALLOW,
        )  # fmt: skip
        for future in admin.create_acls([rule]).values():
            future.result(10)
        worker = run.worker(ready=False, create_topics=True)
        assert worker.wait(60) == 4, worker.log_file.read_text()
        (said,) = worker.logged("worker_failed")
        assert f"not authorised to look at topic {topic}" in said["error"]
        assert "create" not in said["error"]
        for future in admin.delete_acls([_filter(rule)]).values():
            future.result(10)


def test_a_topic_that_vanishes_ends_the_worker(run: Run) -> None:
    """The output topic deleted under load: the worker ends with 4 or 8, and nothing is lost once it is back."""
    worker = run.worker(publish_timeout_ms=3000)
    admin = AdminClient({"bootstrap.servers": run.cluster.bootstrap_servers})
    for future in admin.delete_topics([run.output_topic]).values():
        future.result(10)
    run.send_reviews(40)
    assert worker.wait(60) in {4, 8}, worker.log_file.read_text()
    assert set(run.committed().values()) <= {0}
    run.cluster.create_topics({run.output_topic: run.partitions})
    with run.worker():
        run.read_all()

    assert run.account.duplicated() == []


def test_a_broker_that_is_gone_for_a_while_costs_nothing(broken: tuple[Cluster, Run]) -> None:
    """Killed under load and back after longer than the session timeout: the same worker goes on by itself."""
    cluster, run = broken
    worker = run.worker(transaction_timeout_ms=30_000)
    run.send_reviews(400)
    run.read_until(lambda: len(run.account.outcomes) > 50)
    cluster.kill(1)
    time.sleep(8)  # longer than the session timeout of 6 s
    cluster.restart(1)
    run.send_reviews(100)
    run.read_all(90)

    assert worker.exit_code is None, worker.log_file.read_text()
    assert run.account.disorders == []
    assert run.delivery == "at-least-once" or run.account.duplicated() == []


def test_a_full_disk_loses_nothing(broken: tuple[Cluster, Run]) -> None:
    """The broker can write no more and gives up; with room again, the workers answer every event.

    The limit on the size of a file (RLIMIT_FSIZE) stands for the full disk: the broker's write fails either way.
    """
    cluster, run = broken
    worker = run.worker(transaction_timeout_ms=30_000)
    run.send_reviews(400)
    process_id = cluster.brokers[0].process_id
    resource.prlimit(process_id, resource.RLIMIT_FSIZE, (30_000, 30_000))
    deadline_s = time.monotonic() + 60
    while cluster.brokers[0].alive:
        run.auditor.read(0.05)
        assert time.monotonic() < deadline_s, "the broker does not mind its limit"
        run.producer.produce(run.dlq + ".none", b"x")
        run.producer.poll(0)
    cluster.restart(1)
    if worker.exit_code is not None:
        run.worker()
    run.read_all(90)

    assert run.account.disorders == []
    assert run.delivery == "at-least-once" or run.account.duplicated() == []


def _filter(binding: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        binding.restype, binding.name, binding.resource_pattern_type, binding.principal, binding.host,
        binding.operation, binding.permission_type,
    )  # fmt: skip
