"""Clusters change under a worker: partitions are added, ids expire, a broker is away while it starts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, TopicPartition

from dev.kafka import Cluster
from dev.processes import WorkerProcess
from tests.integration.harness import Run, until

pytestmark = pytest.mark.kafka


def test_partitions_added_to_all_topics_are_served(run: Run) -> None:
    """Raised in the worst order, the input first: the same worker answers what comes to the new ones."""
    worker = run.worker()
    run.send_reviews(40)
    run.read_all()
    run.add_partitions(run.input_topic, run.output_topic, run.dlq, total=6)
    run.send_reviews(60)
    run.send(b"no json", partition=5)
    run.producer.flush()
    run.read_all()

    assert worker.exit_code is None, worker.log_file.read_text()
    assert run.account.duplicated() == []
    assert run.account.kinds() == {"result": 100, "invalid_json": 1}


def test_an_input_that_alone_got_more_partitions_is_served_as_far_as_there_is_place(run: Run) -> None:
    """The worker says which partitions it does not read and why, answers the others, and so does its successor."""
    worker = run.worker()
    run.add_partitions(run.input_topic, total=6)
    run.send_reviews(60)
    missing = [f"{run.input_topic}/{number}" for number in (4, 5)]
    until(lambda: told(worker) == missing, "it says nothing")
    run.read_until(lambda: all(position[0] > 3 for position in run.account.lost(run.sent)))
    assert worker.metric("sentiment_worker_partitions_without_place") == 2
    worker.terminate()
    assert worker.wait(20) == 0, worker.log_file.read_text()
    successor = run.worker()
    run.send_reviews(60)
    until(lambda: told(successor) == missing, "it says nothing")
    run.read_until(lambda: all(position[0] > 3 for position in run.account.lost(run.sent)))
    assert not any(position[0] > 3 for position in run.account.outcomes)
    run.add_partitions(run.output_topic, run.dlq, total=6)
    run.read_all()

    assert told(successor) == []
    assert successor.exit_code is None
    assert run.account.duplicated() == []
    assert run.account.disorders == []


def told(worker: WorkerProcess) -> list[str] | None:
    """The partitions without a place that a worker told of last."""
    events = worker.logged("partitions_without_place")
    return events[-1]["partitions"] if events else None


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A broker that forgets producers and transactional ids that are idle for a second."""
    settings = {
        "transactional.id.expiration.ms": "1000",
        "transaction.remove.expired.transaction.cleanup.interval.ms": "500",
        "producer.id.expiration.ms": "1000",
        "producer.id.expiration.check.interval.ms": "500",
    }
    with Cluster(tmp_path_factory.mktemp("forgetful"), settings=settings) as cluster:
        yield cluster


@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
def test_an_idle_worker_goes_on_after_its_producer_was_forgotten(
    forgetful: Cluster, bundle: Path, tmp_path: Path, delivery: str
) -> None:
    """A quiet week costs nothing: the worker says that its transactional id expired, and goes on."""
    with Run(forgetful, bundle, tmp_path, delivery=delivery) as run:
        worker = run.worker()
        for _ in range(2):
            run.send_reviews(8)
            run.read_all()
            until(lambda: forgotten(forgetful, run), "the broker remembers")
        run.send_reviews(8)
        run.read_all()

        assert worker.exit_code is None, worker.log_file.read_text()
        assert run.account.duplicated() == []
        assert run.account.disorders == []
        aborted = [event["error"] for event in worker.logged("transaction_aborted")]
        assert len(aborted) == (2 if delivery == "exactly-once" else 0)
        assert all("expired while there was nothing to publish" in error for error in aborted)


def forgotten(cluster: Cluster, run: Run) -> bool:
    """Whether the broker knows no transactional id of the run any more, nor who wrote its results."""
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap_servers.split(","))
    try:
        listed = [it for of_broker in admin.list_transactions().values() for it in of_broker]
        results = [TopicPartition(run.output_topic, number) for number in range(run.partitions)]
        producers = admin.describe_producers(results)
    finally:
        admin.close()
    ours = [it for it in listed if it.transactional_id.startswith(run.group)]
    return not ours and not any(it.active_producers for it in producers.values())


def test_workers_start_while_one_of_three_brokers_is_dead(bundle: Path, tmp_path: Path) -> None:
    """Whatever they ask the dead one for, they wait until another has taken its place, and then they serve."""
    with (
        Cluster(tmp_path / "three", 3) as cluster,
        Run(cluster, bundle, tmp_path, delivery="exactly-once") as run,
    ):
        run.send_reviews(200)
        cluster.kill(1)
        workers = [run.worker(ready=False) for _ in range(3)]
        for worker in workers:
            worker.wait_ready(90)
        run.read_all()

        assert [worker.exit_code for worker in workers] == [None] * 3
        assert run.account.duplicated() == []
