"""A broker's quota makes publishing slow: the worker goes on, however little at a time."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.kafka import Cluster
from tests.integration.harness import Run, until

pytestmark = pytest.mark.kafka

BYTES_PER_S = 10_000


@pytest.fixture
def throttling(tmp_path: Path) -> Iterator[Cluster]:
    """A broker that can be told to take little from workers.

    One for each test: a broker holds against a worker what another has written in the ten seconds before.
    """
    with Cluster(tmp_path / "throttling") as cluster:
        yield cluster


@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
def test_a_quota_slows_the_worker_down_and_does_not_stop_it(
    throttling: Cluster, bundle: Path, tmp_path: Path, delivery: str
) -> None:
    """A window of ten times the timeout: positions move, it stays ready, and ends all once it is lifted."""
    throttling.limit_producers("review-sentiment", BYTES_PER_S)
    with Run(throttling, bundle, tmp_path, delivery=delivery) as run:
        run.send_reviews(2000, text="a quite good phone, it works " * 33)
        worker = run.worker(publish_timeout_ms=10_000, drain_timeout_ms=5000, stall_timeout_ms=15_000)
        positions, ready = [0], []
        started_s = time.monotonic()
        while len(positions) < 5:
            assert worker.exit_code is None, worker.log_file.read_text()
            assert time.monotonic() - started_s < 90, positions
            run.auditor.read()
            ready.append(worker.get("/readyz"))
            if (now := sum(run.committed().values())) > positions[-1]:
                positions.append(now)
        assert {status for status, _ in ready} == {200}, {why for status, why in ready if status != 200}
        assert positions[-1] < 1000, "there is no quota"
        until(lambda: worker.metric("sentiment_worker_publish_throttle_seconds") > 0, "no throttling is seen")
        until(lambda: bool(worker.logged("publishing_throttled")), "nothing is said")
        throttling.limit_producers("review-sentiment", None)
        run.read_all()
        worker.terminate()
        assert worker.wait(40) == 0, worker.log_file.read_text()

        assert run.account.duplicated() == []
        assert run.account.disorders == []
