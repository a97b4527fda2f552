"""Readiness and ends that follow the membership that the broker knows."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.kafka import Cluster
from tests.integration.harness import Run, until

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A broker that tests may break, even where KAFKA_BOOTSTRAP_SERVERS names one for the others."""
    with Cluster(tmp_path_factory.mktemp("breakable")) as cluster:
        yield cluster


def test_two_replicas_with_one_instance_id_do_not_shoot_each_other(run: Run) -> None:
    """The second takes over; the first says which setting and whose, waits unready, and ends once it is free."""
    settings: dict[str, Any] = {"group_instance_id": "same", "session_timeout_ms": 3000, "drain_timeout_ms": 2500}
    first = run.worker(**settings)
    run.send_reviews(40)
    run.read_all()
    second = run.worker(**settings)
    run.send_reviews(40)
    run.read_all()
    until(lambda: bool(first.logged("group_instance_id_taken")), "the first does not notice")
    status, reason = first.get("/readyz")
    assert status == 503
    assert "WORKER_GROUP_INSTANCE_ID same" in reason
    assert "same-" in reason, "the other member is named"
    assert "127.0.0.1" in reason
    run.send_reviews(40)
    run.read_all()
    assert (first.exit_code, second.exit_code) == (None, None)
    assert first.get("/livez")[0] == 200
    assert second.get("/readyz")[0] == 200
    second.kill()

    assert first.wait(30) == 10, first.log_file.read_text()
    # Until it notices, a moment after the second has joined, the first answers what the second does too.
    twice = {offset for _, offset in run.account.duplicated()}
    assert twice <= (set() if run.delivery == "exactly-once" else set(range(10, 20)))
    third = run.worker(**settings)
    run.send_reviews(40)
    run.read_all()
    assert third.exit_code is None


@pytest.mark.parametrize("run", ["exactly-once"], indirect=True)  # its transactional id is the instance's too
def test_transactions_that_another_replica_fences_are_not_taken_for_late_ones(run: Run) -> None:
    """Under load the second replica shows there first, before it has joined: the first waits all the same."""
    settings: dict[str, Any] = {"group_instance_id": "same", "session_timeout_ms": 3000, "drain_timeout_ms": 2500}
    first = run.worker(**settings)
    second = run.worker(ready=False, **settings)
    deadline_s = time.monotonic() + 60
    while not first.logged("group_instance_id_taken"):
        assert first.exit_code is None, first.log_file.read_text()
        assert time.monotonic() < deadline_s, "the first does not notice"
        run.send_reviews(8)
        time.sleep(0.05)
    second.wait_ready()
    run.read_all()

    assert (first.exit_code, second.exit_code) == (None, None)
    assert run.account.duplicated() == []
    first.terminate()
    assert first.wait(30) == 10, "its place is another's until the end"


def test_a_worker_without_heartbeats_is_not_ready(breakable: Cluster, bundle: Path, tmp_path: Path) -> None:
    """Once the session timeout has passed without a heartbeat the group goes on without us, and we say so."""
    with Run(breakable, bundle, tmp_path) as run:
        worker = run.worker(session_timeout_ms=3000, drain_timeout_ms=2500)
        breakable.pause(1)
        try:
            until(lambda: worker.get("/readyz")[0] == 503, "it goes on saying that it is ready")
            assert "joining" in worker.get("/readyz")[1]
        finally:
            breakable.resume(1)
        until(lambda: worker.get("/readyz")[0] == 200, "it does not come back")
        run.send_reviews(8)
        run.read_all()
