"""Members come, go, return and fall silent under load: partitions change hands, and no event is lost by it."""

import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from dev.kafka import AnyCluster
from dev.processes import WorkerProcess
from tests.integration.harness import SLOW, STUCK, Run

pytestmark = pytest.mark.kafka

QUICK: dict[str, Any] = {"session_timeout_ms": 3000, "drain_timeout_ms": 2500, "window_records_max": 50}
"""For rebalances that do not take long: members hear of them in their heartbeats, three a session timeout."""


class Traffic:
    """Reviews that keep coming, on all partitions, for as long as the context lasts."""

    def __init__(self, run: Run, per_second: int) -> None:
        self._run, self._chunk = run, per_second // 10
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send, name="traffic")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _send(self) -> None:
        while not self._ended.wait(0.1):
            self._run.send_reviews(self._chunk)


def moves(worker: WorkerProcess) -> int:
    """How often it got or gave partitions, or lost them."""
    return sum(
        bool(event.get("partitions")) for event in worker.events() if event["event"].startswith("partitions_")
    )


def owned(worker: WorkerProcess) -> float:
    return worker.metric("sentiment_worker_partitions_assigned")


def session(worker: WorkerProcess) -> str:
    return str(worker.logged("worker_serving")[-1]["session"])


def assert_clean(run: Run, *workers: WorkerProcess) -> None:
    """Nothing lost, repeated or out of order, and every revocation waited for what was in flight."""
    assert run.account.lost(run.sent) == []
    assert run.account.duplicated() == []
    assert run.account.disorders == []
    assert all(event["drained"] for worker in workers for event in worker.logged("partitions_revoked"))
    assert not any(worker.logged("partitions_lost") for worker in workers)


def test_one_to_four_workers_and_back(run: Run) -> None:
    """Scaling to a worker for each partition and back to one, under load: every position has one outcome."""
    first = run.worker(module=SLOW, **QUICK)
    with Traffic(run, 150):
        run.read_until(lambda: len(run.account.outcomes) >= 100, what="the first does not work")
        others = [run.worker(module=SLOW, ready=False, **QUICK) for _ in range(3)]
        run.read_until(
            lambda: all(owned(worker) == 1 for worker in (first, *others)), what="not one partition each"
        )
        sessions = {session(worker) for worker in (first, *others)}
        seen = len(run.account.outcomes)
        run.read_until(lambda: len(run.account.outcomes) >= seen + 200, what="the four do not work")
        for worker in others:
            worker.terminate()
        assert [worker.wait(20) for worker in others] == [0, 0, 0]
        run.read_until(lambda: owned(first) == 4, what="the first does not get all back")
    run.read_all()

    assert first.exit_code is None
    assert_clean(run, first, *others)
    served = {outcome.session for (outcome,) in run.account.outcomes.values()}
    assert all(any(name.startswith(it) for name in served) for it in sessions), "all four have answered"


@pytest.mark.parametrize("run", ["at-least-once"], indirect=True)  # transactions make repeating harder, not easier
def test_a_rolling_restart_repeats_nothing(run: Run) -> None:
    """Three workers replaced one after the other under load: every position has one outcome."""
    workers = [run.worker(module=SLOW, ready=False, **QUICK) for _ in range(3)]
    replaced: list[WorkerProcess] = []
    with Traffic(run, 150):
        run.read_until(lambda: all(owned(worker) for worker in workers), what="not all three have work")
        for number in range(3):
            old = workers[number]
            old.terminate()
            assert old.wait(20) == 0, old.log_file.read_text()
            replaced.append(old)
            new = workers[number] = run.worker(module=SLOW, ready=False, **QUICK)
            run.read_until(lambda new=new: bool(owned(new)), what="no work")  # type: ignore[misc]
    run.read_all()

    assert all(worker.exit_code is None for worker in workers)
    assert_clean(run, *workers, *replaced)


@pytest.mark.parametrize("run", ["exactly-once"], indirect=True)  # here its transactional id returns as well
def test_a_static_member_returns_to_its_own(run: Run) -> None:
    """Restarted under the same instance id within the session timeout it moves nothing of the other's."""
    settings: dict[str, Any] = {"session_timeout_ms": 20_000, "window_records_max": 50}
    one, other = (
        run.worker(module=SLOW, group_instance_id=f"{run.group}-{number}", ready=False, **settings)
        for number in range(2)
    )
    with Traffic(run, 100):
        run.read_until(lambda: owned(one) == owned(other) == 2, what="not two partitions each")
        moved, seen = moves(other), len(run.account.outcomes)
        run.read_until(lambda: len(run.account.outcomes) >= seen + 100, what="they do not work")
        one.terminate()
        assert one.wait(20) == 0, one.log_file.read_text()
        again = run.worker(module=SLOW, group_instance_id=f"{run.group}-0", **settings)
        run.read_until(lambda: owned(again) == 2, what="its partitions do not come back")
    run.read_all()

    assert moves(other) == moved, list(other.events())
    assert_clean(run, one, other, again)


def test_a_worker_that_falls_silent_is_replaced(run: Run) -> None:
    """SIGSTOPped beyond its session timeout with windows in flight: nothing is lost.

    Once awake, it answers at most what it held a second time (at least once), or nothing (exactly once).
    """
    timeouts: dict[str, Any] = {"session_timeout_ms": 2000, "drain_timeout_ms": 1500}
    victim = run.worker(module=SLOW, window_records_max=20, **timeouts)
    run.send_reviews(600)
    run.read_until(lambda: len(run.account.outcomes) >= 60)
    held = victim.metric("sentiment_worker_held_records")
    victim.pause()
    try:
        assert held > 0, "nothing is in flight"
        heir = run.worker(**timeouts)
        run.read_all()
        run.read_until(lambda: sum(run.committed().values()) == 600)
    finally:
        victim.resume()
    run.read_until(
        lambda: victim.exit_code is not None or bool(owned(victim) and victim.logged("partitions_lost")),
        what="it neither returns to the group nor ends",
    )
    run.send_reviews(100)
    run.read_all()

    assert heir.exit_code is None
    assert victim.exit_code in ({None} if run.delivery == "at-least-once" else {None, 8}), list(victim.events())
    assert run.account.lost(run.sent) == []
    assert run.account.disorders == []
    duplicated = run.account.duplicated()
    assert run.delivery == "at-least-once" or duplicated == []
    for position in duplicated:
        outcomes = run.account.outcomes[position]
        assert any(outcome.session.startswith(session(victim)) for outcome in outcomes)
        assert len({dict(outcome.headers)["ce_id"] for outcome in outcomes}) == 1


def test_a_worker_that_returns_claims_nothing(
    cluster: AnyCluster, bundle: Path, tmp_path: Path, stuck: Path
) -> None:
    """Exactly once: evicted while idle and back again, it gets a partition once its present owner gave that up."""
    with Run(cluster, bundle, tmp_path, delivery="exactly-once") as run:
        victim = run.worker(session_timeout_ms=2000, drain_timeout_ms=1500)
        run.send_reviews(40)
        run.read_all()
        victim.pause()
        try:
            heir = run.worker(module=STUCK, window_records_max=400, window_ms_target=60_000, wait_ms_max=500)
            run.read_until(lambda: owned(heir) == 4, what="the heir does not inherit")
            stuck.touch()
            run.send_reviews(400)
            in_flight = "sentiment_worker_window_records_sum"
            run.read_until(lambda: heir.metric(in_flight) > 300, what="not all partitions are in flight")
        finally:
            victim.resume()
        run.read_until(lambda: heir.still_s > 2, what="the heir does not drain")
        stuck.unlink()
        run.read_all()

        assert victim.logged("partitions_lost")
        assert run.account.lost(run.sent) == []
        assert run.account.duplicated() == []
        # Which of two claims counts is by chance, so the law is checked on the leader's word as well.
        assert "assigned to multiple consumers" not in heir.log_file.read_text()
