"""A model slower than its topic: events wait in Kafka and not in memory, and probe and metrics tell."""

import json
import time
from pathlib import Path

import pytest

from dev.kafka import AnyCluster
from tests.integration.harness import STUCK, Run, until

pytestmark = pytest.mark.kafka

MIB = 2**20
BACKLOG_RECORDS = 15_000
VALUE_BYTES = 4_000
HELD_BYTES_MAX = 4 * MIB
MARGIN_BYTES = 28 * MIB
"""What a worker may take besides what it holds: a fetch ahead in the client, token ids, the allocators' slack.

Held entirely, the backlog would be 60 MB of values alone.
"""


def test_a_backlog_waits_in_kafka_and_not_in_memory(
    cluster: AnyCluster, bundle: Path, tmp_path: Path, stuck: Path
) -> None:
    """However long the backlog: reading pauses, polling goes on, no partition is lost, and memory is bounded."""
    text = "a quite good phone, it works " * (VALUE_BYTES // 29)
    with Run(cluster, bundle, tmp_path) as run:
        worker = run.worker(
            module=STUCK, held_bytes_max=HELD_BYTES_MAX, window_records_max=64,
            session_timeout_ms=2000, drain_timeout_ms=1500,
        )  # fmt: skip
        run.send_reviews(400, text)  # what the model and its runtime allocate once is allocated by this
        run.read_all()
        resident_bytes = [worker.resident_bytes]
        stuck.touch()
        run.send_reviews(BACKLOG_RECORDS, text)
        until(lambda: worker.metric("sentiment_worker_paused") == 1, "reading does not pause")
        read = worker.metric("sentiment_worker_records_read_total")
        until(lambda: worker.metric("sentiment_worker_lag_records") == BACKLOG_RECORDS, "the lag is another")
        until_s = time.monotonic() + 2 * 2.0  # two session timeouts
        while time.monotonic() < until_s:
            resident_bytes.append(worker.resident_bytes)
            assert worker.metric("sentiment_worker_paused") == 1
            assert worker.metric("sentiment_worker_held_bytes") < HELD_BYTES_MAX + 64 * 2 * VALUE_BYTES
            until(lambda: worker.still_s < 1, "the poll loop hangs")
        assert worker.metric("sentiment_worker_records_read_total") == read, "nothing is read while paused"
        stuck.unlink()
        answered = len(run.account.outcomes)
        run.read_until(lambda: len(run.account.outcomes) >= answered + 2 * read)
        resident_bytes.append(worker.resident_bytes)
        worker.terminate()

        assert worker.wait(20) == 0
        assert max(resident_bytes) - resident_bytes[0] < HELD_BYTES_MAX + MARGIN_BYTES, resident_bytes
        assert [e["event"] for e in worker.events() if str(e["event"]).startswith("partitions_")] == [
            "partitions_assigned", "partitions_revoked"
        ]  # fmt: skip
        run.read_until(lambda: len(run.account.outcomes) >= sum(run.committed().values()))
        assert run.account.duplicated() == []


def test_a_partition_that_does_not_move_is_reported(
    cluster: AnyCluster, bundle: Path, tmp_path: Path, stuck: Path
) -> None:
    """A hung model: the log, a metric and readiness name the partition; once it moves again, all three say so."""
    with Run(cluster, bundle, tmp_path) as run:
        worker = run.worker(module=STUCK, stall_timeout_ms=1000)
        stuck.touch()
        run.send(b'{"text":"a good phone"}', partition=2)
        run.producer.flush()
        until(lambda: worker.metric("sentiment_worker_stalled_partitions") >= 1, "the stall is not seen")
        status, body = worker.get("/readyz")
        assert (status, json.loads(body)["why"]) == (503, "serving: partitions that do not move: [2]")
        assert worker.get("/livez")[0] == 200, "a restart would not help the model"
        (report,) = worker.logged("partitions_stalled")
        assert (report["level"], report["partitions"]) == ("error", [f"{run.input_topic}/2"])

        stuck.unlink()
        run.read_all()
        until(lambda: worker.get("/readyz")[0] == 200, "it does not recover")
        until(lambda: worker.metric("sentiment_worker_stalled_partitions") == 0, "the metric does not recover")
        assert [(e["level"], e["partitions"]) for e in worker.logged("partitions_stalled")[1:]] == [("info", [])]
