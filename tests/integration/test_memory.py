"""The worst that upstream may send is answered within the memory that docs/operations.md states."""

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from kafka import KafkaProducer

from dev.kafka import AnyCluster
from dev.processes import WorkerProcess
from tests.integration.harness import Run

pytestmark = pytest.mark.kafka

MIB = 2**20
HEAVY = "tests.integration.heavy_worker"
SETTINGS: dict[str, Any] = {"held_bytes_max": 16 * MIB, "window_bytes_max": 4 * MIB, "input_bytes_max": MIB}
DATA_BYTES_MAX = 5 * 16 * MIB + 10 * 4 * MIB + 40 * MIB + 32 * MIB
"""What docs/operations.md says a worker takes on top of its model, with these settings."""

DOTS = b'{"text":"%s"}' % (b"." * 990_000)


def dots(run: Run) -> None:
    """Texts of 990,000 tokens each."""
    for _ in range(64):
        run.send(DOTS, partition=0)
        run.producer.flush()


def small_batch_of_much(run: Run) -> None:
    """One batch of a few kilobytes that unpacks to 200 MB."""
    producer = KafkaProducer(
        bootstrap_servers=run.cluster.bootstrap_servers.split(","), compression_type="zstd",
        batch_size=400 * MIB, max_request_size=400 * MIB, linger_ms=60_000,
    )  # fmt: skip
    sent = [producer.send(run.input_topic, DOTS, b"k", partition=0) for _ in range(200)]
    producer.flush()
    run.sent |= {(0, future.get(10).offset): DOTS for future in sent}
    producer.close()


def headers(run: Run) -> None:
    """Records that are nothing but headers: as objects they take 40 times as much."""
    for _ in range(16):
        run.send(b'{"text":"good"}', partition=0, headers=[(f"{n:x}", b"") for n in range(60_000)])
        run.producer.flush()


def nested(run: Run) -> None:
    """JSON of the smallest objects that there are."""
    value = b'{"text":"good","x":[%s]}' % b",".join([b'{"":0}'] * 130_000)
    for _ in range(32):
        run.send(value, partition=0)
        run.producer.flush()


@pytest.mark.parametrize("load", [dots, small_batch_of_much, headers, nested])
def test_the_worst_input_is_answered_within_the_stated_memory(run: Run, load: Callable[[Run], None]) -> None:
    """Under a limit that ends every allocation beyond it, one worker answers all, and lives."""
    worker = run.worker(**SETTINGS)
    run.send_reviews(400)  # what the model and its runtime allocate once is allocated by this
    run.read_all()
    before = status(worker, "VmRSS")
    limit(worker, DATA_BYTES_MAX)
    load(run)
    run.read_all(100)
    print(load.__name__, before // MIB, (status(worker, "VmHWM") - before) // MIB)  # noqa: T201

    assert worker.exit_code is None, worker.log_file.read_text()
    assert run.account.duplicated() == []


def limit(worker: WorkerProcess, more_bytes: int) -> None:
    """Let the worker's data grow by so much and no further; an allocation beyond that fails."""
    most = status(worker, "VmData") + more_bytes
    resource.prlimit(worker.process_id, resource.RLIMIT_DATA, (most, most))


def status(worker: WorkerProcess, name: str) -> int:
    lines = Path(f"/proc/{worker.process_id}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024


def test_a_worker_is_not_killed_once_for_each_record(run: Run) -> None:
    """Each life settles a record before it is killed by the next ones; a few lives later they go one at a time."""
    records, deaths = 12, 0
    for number in range(records):  # of which one fits a fetch
        run.send(b'{"id":%d,"text":"good %s"}' % (number, b"." * 900_000), partition=0)
        run.producer.flush()
    while run.account.lost(run.sent):
        worker = run.worker(module=HEAVY, ready=False, session_timeout_ms=2000, drain_timeout_ms=1500)
        run.read_until(lambda: not run.account.lost(run.sent) or worker.exit_code is not None)  # noqa: B023
        deaths += worker.exit_code is not None
        assert deaths < 8, "nothing is learnt of a death"
    run.read_all()

    assert run.account.kinds() == {"result": records}, "what is only heavy is no poison"
    assert run.delivery == "at-least-once" or run.account.duplicated() == []


@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
def test_a_value_larger_than_a_request_of_ours_is_a_dead_letter(
    cluster: AnyCluster, bundle: Path, tmp_path: Path, delivery: str
) -> None:
    """40 MB, where topics take 60: a hash stands for the value, and its neighbours are answered."""
    large = {"max.message.bytes": "60000000"}
    with Run(cluster, bundle, tmp_path, delivery=delivery, dead_letter_configs=large) as run:
        run.input_topic += ".large"
        cluster.create_topics({run.input_topic: run.partitions}, large)
        run.producer = Producer(
            {"bootstrap.servers": cluster.bootstrap_servers, "message.max.bytes": 60_000_000, "log_level": 0}
        )
        for value in (b'{"text":"good"}', b'{"text":"%s"}' % (b"." * 40_000_000), b'{"text":"bad"}'):
            run.send(value, partition=0)
            run.producer.flush()
        with run.worker():
            run.read_all()

        assert run.account.kinds() == {"result": 2, "too_large": 1}
        headers = dict(run.account.outcomes[0, 1][0].headers)
        assert headers["x-dlq-value-bytes"] == b"40000011"
