"""SIGTERM and SIGINT at any moment: what is in flight is finished and committed in time, or it comes again."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.kafka import AnyCluster, Cluster
from dev.processes import WorkerProcess
from tests.integration.harness import SLOW, STUCK, Run, until

pytestmark = pytest.mark.kafka

SIGNALS = (signal.SIGTERM, signal.SIGINT)
GRACE_MS = 8000
MARGIN_S = 2.0
"""For the process to end, on a busy machine, once its time is over."""


@pytest.fixture(scope="module")
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A broker that may be paused."""
    with Cluster(tmp_path_factory.mktemp("breakable")) as cluster:
        yield cluster


def ended(worker: WorkerProcess, grace_ms: int = GRACE_MS) -> int:
    """The exit code of a worker that has been asked to stop; -9 if it exceeds its grace period."""
    return worker.wait(grace_ms / 1000 + MARGIN_S)


def assert_nothing_lost_or_repeated(run: Run) -> None:
    assert run.account.lost(run.sent) == []
    assert run.account.duplicated() == []
    assert run.account.disorders == []


@pytest.mark.parametrize(
    ("delivery", "number"), [("at-least-once", signal.SIGINT), ("exactly-once", signal.SIGTERM)]
)
def test_an_idle_worker_ends_at_once(
    cluster: AnyCluster, bundle: Path, tmp_path: Path, delivery: str, number: signal.Signals
) -> None:
    """With nothing in flight it ends with 0, and the group stands at the end of every partition."""
    with Run(cluster, bundle, tmp_path, delivery=delivery) as run:
        worker = run.worker(shutdown_timeout_ms=GRACE_MS)
        run.send_reviews(40)
        run.read_all()
        worker.signal(number)

        assert ended(worker) == 0, worker.log_file.read_text()
        assert run.committed() == dict.fromkeys(range(4), 10)
        assert [event["signal"] for event in worker.logged("worker_stopped")] == [number.name]
        assert_nothing_lost_or_repeated(run)


def test_a_worker_that_is_still_starting_ends_too(cluster: AnyCluster, bundle: Path, tmp_path: Path) -> None:
    """A signal before the group is joined ends it with 0, and leaves nothing behind in the group."""
    with Run(cluster, bundle, tmp_path) as run:
        worker = run.worker(ready=False, shutdown_timeout_ms=GRACE_MS)
        until(lambda: bool(worker.logged("worker_starting")), "it does not start")
        worker.terminate()

        assert ended(worker) == 0, worker.log_file.read_text()
        assert run.committed() == {}


def test_a_worker_under_load_finishes_only_what_is_in_flight(run: Run) -> None:
    """With a long backlog either signal ends it with 0 in time, and the next ones go on exactly there."""
    run.send_reviews(1200)
    for number in SIGNALS:
        before = len(run.account.outcomes)
        worker = run.worker(module=SLOW, window_records_max=50, shutdown_timeout_ms=GRACE_MS)
        run.read_until(lambda before=before: len(run.account.outcomes) >= before + 100)  # type: ignore[misc]
        assert worker.metric("sentiment_worker_held_records") > 0
        worker.signal(number)

        assert ended(worker) == 0, worker.log_file.read_text()
        run.read_until(lambda: len(run.account.outcomes) >= sum(run.committed().values()))
        assert len(run.account.outcomes) == sum(run.committed().values()) < 1200, "all answered is committed"
    with run.worker():
        run.read_all()

    assert_nothing_lost_or_repeated(run)


@pytest.mark.parametrize(
    ("run", "who", "number"),
    [("at-least-once", "old", signal.SIGTERM), ("exactly-once", "new", signal.SIGINT)],
    indirect=["run"],
)
def test_a_signal_in_the_middle_of_a_rebalance(run: Run, stuck: Path, who: str, number: signal.Signals) -> None:
    """While the old worker drains for one that joins, either may be told to end: it does, with 0, and in time."""
    one_window: dict[str, Any] = {"window_records_max": 400, "window_ms_target": 60_000, "wait_ms_max": 1000}
    old = run.worker(module=STUCK, shutdown_timeout_ms=GRACE_MS, **one_window)
    stuck.touch()
    run.send_reviews(400)
    until(lambda: old.metric("sentiment_worker_window_records_sum") > 300, "not all partitions are in flight")
    new = run.worker(module=STUCK, ready=False, shutdown_timeout_ms=GRACE_MS)
    until(lambda: old.still_s > 0.5, "no drain has begun")
    assert not old.logged("partitions_revoked")
    assert not new.logged("partitions_assigned")
    leaving, staying = (old, new) if who == "old" else (new, old)
    leaving.signal(number)
    stuck.unlink()

    assert ended(leaving) == 0, leaving.log_file.read_text()
    run.send_reviews(100)
    run.read_all()
    assert staying.exit_code is None
    assert_nothing_lost_or_repeated(run)
    assert all(event["drained"] for worker in (old, new) for event in worker.logged("partitions_revoked"))


def test_a_transaction_that_is_filling_is_committed(cluster: AnyCluster, bundle: Path, tmp_path: Path) -> None:
    """Exactly once: scored windows that wait for their transaction's end are committed, not scored again."""
    with Run(cluster, bundle, tmp_path, delivery="exactly-once") as run:
        run.send_reviews(1500)
        for number in SIGNALS:
            before = len(run.account.outcomes)
            worker = run.worker(
                module=SLOW,
                window_records_max=10,  # what a new producer is given before its pace is known
                shutdown_timeout_ms=GRACE_MS,
                transaction_ms_max=60_000,
                drain_timeout_ms=61_000,
                session_timeout_ms=62_000,
            )
            until(lambda it=worker: it.metric("sentiment_worker_batch_rows_count") >= 5, "nothing is scored")  # type: ignore[misc]
            assert not run.auditor.read(), "the transaction was not to end yet"
            worker.signal(number)

            assert ended(worker) == 0, worker.log_file.read_text()
            run.read_until(lambda: len(run.account.outcomes) >= sum(run.committed().values()))
            assert before + 40 <= len(run.account.outcomes) == sum(run.committed().values()) < 1500
        with run.worker():
            run.read_all()

        assert_nothing_lost_or_repeated(run)


@pytest.mark.parametrize(
    ("delivery", "number"), [("at-least-once", signal.SIGTERM), ("exactly-once", signal.SIGINT)]
)
def test_a_broker_that_is_gone_does_not_hold_the_worker(
    breakable: Cluster, bundle: Path, tmp_path: Path, stuck: Path, delivery: str, number: signal.Signals
) -> None:
    """What can't be settled in time ends with 8 inside the grace period, and comes again later."""
    with Run(breakable, bundle, tmp_path, delivery=delivery) as run:
        worker = run.worker(module=STUCK, window_records_max=20, shutdown_timeout_ms=5000)
        run.send_reviews(40)
        run.read_all()
        stuck.touch()
        run.send_reviews(200)
        until(lambda: worker.metric("sentiment_worker_held_records") >= 20, "nothing is in flight")
        breakable.pause(1)
        try:
            stuck.unlink()
            worker.signal(number)
            assert ended(worker, 5000) == 8, worker.log_file.read_text()
        finally:
            breakable.resume(1)
        with run.worker():
            run.read_all()

        assert run.account.lost(run.sent) == []
        assert run.account.disorders == []
        assert delivery == "at-least-once" or run.account.duplicated() == []
        for position in run.account.duplicated():
            assert len({dict(outcome.headers)["ce_id"] for outcome in run.account.outcomes[position]}) == 1


def test_a_commit_that_is_not_answered_is_no_clean_end(breakable: Cluster, bundle: Path, tmp_path: Path) -> None:
    """At least once: settled events whose positions can't be committed end it with 8, for they come again."""
    with Run(breakable, bundle, tmp_path) as run:
        worker = run.worker(commit_interval_ms=60_000, shutdown_timeout_ms=5000)
        run.send_reviews(40)
        run.read_all()
        breakable.pause(1)
        try:
            worker.terminate()
            code = ended(worker, 5000)
        finally:
            breakable.resume(1)

        assert code == 8, worker.log_file.read_text()


def test_a_second_interrupt_ends_a_slow_stop_at_once(
    cluster: AnyCluster, bundle: Path, tmp_path: Path, stuck: Path
) -> None:
    """Ctrl-C twice: the second does not wait for what is in flight, and the exit code is 130."""
    with Run(cluster, bundle, tmp_path) as run:
        stuck.touch()
        worker = run.worker(module=STUCK)
        run.send_reviews(40)
        until(lambda: worker.metric("sentiment_worker_held_records") > 0, "nothing is in flight")
        worker.signal(signal.SIGINT)
        until(lambda: bool(worker.logged("worker_stopping")), "the first signal was ignored")
        worker.signal(signal.SIGINT)

        assert worker.wait(5) == 130
        assert set(run.committed().values()) <= {0}, "nothing was settled"
