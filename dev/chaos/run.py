"""One run: cluster, workers, load, faults, and the account of it all."""

import contextlib
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev.account import Account, Auditor
from dev.chaos.answers import ScoredAlone, not_their_own
from dev.chaos.cluster_faults import ClusterFaults
from dev.chaos.ending import keep_evidence, read_again, uncommitted
from dev.chaos.faults import Faults
from dev.chaos.fleet import Fleet, Replica
from dev.chaos.load import REFUSED, Load
from dev.chaos.observer import Observer, Sample
from dev.chaos.schedule import BREAKS_BROKERS, CRASH_FREE, REPLACES_LOGS, Fault, Kind
from dev.chaos.verdict import Damage, Verdict, Wrong, judge
from dev.kafka import Cluster

_PARTITIONS = 6
_CALM_S_MAX = 20.0
_TOPICS = ("reviews", "reviews.sentiment", "reviews.dlq")
_GROUP = "review-sentiment"
_IN_GOOD_ORDER = {0, -15}
"""Exit codes with which everything is committed, or nothing was owned."""


@dataclass(frozen=True)
class Plan:
    """What to run."""

    duration_s: float
    faults: Sequence[Fault]
    delivery: str
    brokers: int = 3
    workers: int = 3
    per_second: float = 100.0
    calm: int = 100
    """Inputs without an outcome, at most, before a fault that stands alone."""
    complete: bool = False
    """Whether no fault is left out, however long the run takes then."""
    settle_s_max: float = 150.0
    module: str = "dev.faulty_worker"
    environment: dict[str, object] = field(default_factory=dict)

    def has(self, kind: Kind) -> bool:
        """Whether there is such a fault in it."""
        return any(fault.kind is kind for fault in self.faults)


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    verdict: Verdict
    faults: list[dict[str, Any]]
    """When each took effect, whether it stood alone, and the seconds to recovery; None if that never came."""
    samples: list[Sample]
    recovery_s_median: float
    recovery_s_max: float
    peak_bytes: int
    exit_codes: list[int]
    account: Account
    workers: list[Replica]


Watch = Callable[[Fleet], AbstractContextManager[object]]
"""Watches the workers from before they start until all is answered, and before they are told to stop."""


def run(
    plan: Plan,
    folder: Path,
    bundle: Path,
    say: Callable[[str], None],
    watch: Watch = contextlib.nullcontext,
) -> Outcome:
    """Run a plan in an empty folder on a cluster of its own; `say` is told what happens.

    Raises:
        KafkaUnavailableError: If there can be no cluster.
        RuntimeError: If the harness itself failed, so that nothing can be said of the workers.
    """
    folder.mkdir(parents=True)
    with Cluster(folder / "kafka", plan.brokers) as cluster:
        _create_topics(cluster, plan)
        load = Load(
            cluster.bootstrap_servers, _TOPICS[0], _PARTITIONS, plan.per_second,
            keyless=REFUSED if plan.has(Kind.REFUSED) else "result",
        )  # fmt: skip
        fleet = Fleet(folder, plan.module, _settings(plan, cluster, folder, bundle), plan.workers)
        observer = Observer(Auditor(cluster.bootstrap_servers, _TOPICS[1], _TOPICS[2], load.place), load)
        cluster_faults = ClusterFaults(
            cluster, _TOPICS, _GROUP, fleet=fleet, load=load, slow_file=folder / "slow",
            waiting=lambda: observer.waiting,
        )  # fmt: skip
        faults = Faults(cluster, fleet, load, folder / "slow", cluster_faults)
        with watch(fleet):
            ends = _work(plan, cluster, fleet, observer, load, faults, say)
        exit_codes = fleet.end()
        observer.end()
        say("reading everything again, as a consumer downstream would")
        account = read_again(cluster, (_TOPICS[1], _TOPICS[2]), load.place)
        wrong = Wrong(
            answers=not_their_own(load.sent, account, ScoredAlone(bundle)),
            positions=uncommitted(cluster, _GROUP, _TOPICS[0], ends) if set(exit_codes) <= _IN_GOOD_ORDER else [],
            faults=faults.failed,
        )
        outcome = _outcome(plan, load, account, fleet, faults, observer, exit_codes, wrong)
        if outcome.verdict.violations:
            keep_evidence(cluster, account, outcome.verdict.broken, folder / "evidence")
    return outcome


def _work(
    plan: Plan,
    cluster: Cluster,
    fleet: Fleet,
    observer: Observer,
    load: Load,
    faults: Faults,
    say: Callable[[str], None],
) -> dict[int, int]:
    """Have workers work while the plan breaks them, until all is answered and committed; the log's ends."""
    fleet.start()
    observer.start()
    load.start()
    _play(plan, faults, observer, fleet, say)
    say("no more faults: waiting until every input has an outcome")
    faults.wait()
    load.stop()
    _until(lambda: observer.waiting == 0, plan.settle_s_max)
    ends = load.ends()
    _until(lambda: not uncommitted(cluster, _GROUP, _TOPICS[0], ends), plan.settle_s_max)
    return ends


def _settings(plan: Plan, cluster: Cluster, folder: Path, bundle: Path) -> dict[str, object]:
    """Of every worker, short where a test would wait for them."""
    return {
        "WORKER_BUNDLE": bundle,
        "KAFKA_BOOTSTRAP_SERVERS": cluster.bootstrap_servers,
        "WORKER_DELIVERY": plan.delivery,
        "WORKER_TRANSACTION_TIMEOUT_MS": 10_000,
        "WORKER_SESSION_TIMEOUT_MS": 6000,
        "WORKER_DRAIN_TIMEOUT_MS": 4000,
        "WORKER_COMMIT_INTERVAL_MS": 500,
        "WORKER_PUBLISH_TIMEOUT_MS": 30_000,
        "WORKER_CALLERS": 2,
        "WORKER_WINDOW_RECORDS_MAX": 64,
        "WORKER_HELD_RECORDS_MAX": 128,  # so that a slow model is enough to pause reading
        "FAULTY_SLOW_FILE": folder / "slow",
        **plan.environment,
    }


def _create_topics(cluster: Cluster, plan: Plan) -> None:
    """The input takes any timestamp, and the output takes every record, unless some are to be refused."""
    cluster.create_topics({_TOPICS[0]: _PARTITIONS}, {"message.timestamp.after.max.ms": str(2**63 - 1)})
    compacted = {"cleanup.policy": "compact"} if plan.has(Kind.REFUSED) else {}
    cluster.create_topics({_TOPICS[1]: _PARTITIONS}, compacted)
    cluster.create_topics({_TOPICS[2]: _PARTITIONS})


def _play(plan: Plan, faults: Faults, observer: Observer, fleet: Fleet, say: Callable[[str], None]) -> None:
    """Begin each fault at its time, later where one that stands alone has to wait until the last is over."""
    started_s, delay_s = observer.started_s, 0.0
    for number, fault in enumerate(sorted(plan.faults, key=lambda fault: fault.at_s), 1):
        _sleep_until(started_s + fault.at_s + delay_s)
        if fault.alone:
            waited_s = time.monotonic()
            _until(lambda: observer.waiting <= plan.calm, _CALM_S_MAX)
            delay_s += time.monotonic() - waited_s
        at_s, waiting = time.monotonic() - started_s, observer.waiting
        if at_s > plan.duration_s and not plan.complete:
            say(f"the time is over: {len(plan.faults) - number + 1} faults are left out")
            break
        state = f"waiting {waiting}, workers {len(fleet.running())}"
        say(f"{at_s:6.0f} s  {number:3}/{len(plan.faults)}  {fault.kind}  ({state})")
        faults.begin(fault, calm=waiting <= plan.calm)
    _sleep_until(started_s + plan.duration_s + (delay_s if plan.complete else 0.0))


def _sleep_until(moment_s: float) -> None:
    time.sleep(max(0.0, moment_s - time.monotonic()))


def _until(done: Callable[[], bool], timeout_s: float) -> bool:
    """Whether it came to that in time."""
    deadline_s = time.monotonic() + timeout_s
    while not (reached := done()) and time.monotonic() < deadline_s:
        time.sleep(0.2)
    return reached


def _outcome(
    plan: Plan,
    load: Load,
    account: Account,
    fleet: Fleet,
    faults: Faults,
    observer: Observer,
    exit_codes: list[int],
    wrong: Wrong,
) -> Outcome:
    damage = Damage(
        disturbances=tuple(it for replica in fleet.history for it in replica.disturbances(faults.outages)),
        ends=tuple(replica.end for replica in fleet.history if replica.end),
        crash_free=all(fault.kind in CRASH_FREE for fault in plan.faults),
        fatal_texts=any(done.fault.kind is Kind.FATAL_TEXT for done in faults.done),
        brokers_broken=any(done.fault.kind in BREAKS_BROKERS for done in faults.done),
        logs_replaced=any(done.fault.kind in REPLACES_LOGS for done in faults.done),
    )
    verdict = judge(
        load.sent, account, exactly_once=plan.delivery == "exactly-once", damage=damage,
        arrived_s=observer.answered_s, gone=load.gone, wrong=wrong,
    )  # fmt: skip
    told: list[dict[str, Any]] = [
        {
            "at_s": round(done.struck_s - observer.started_s, 2),
            "kind": str(done.fault.kind),
            "alone": done.fault.alone and done.calm,
            "recovery_s": None if (recovery_s := observer.recovery_s(done.struck_s)) is None
            else round(recovery_s, 2),
        }
        for done in sorted(faults.done, key=lambda done: done.struck_s)
    ]  # fmt: skip
    recoveries = [fault["recovery_s"] for fault in told if fault["recovery_s"] is not None] or [0.0]
    return Outcome(
        verdict=verdict,
        faults=told,
        samples=observer.samples,
        recovery_s_median=statistics.median(recoveries),
        recovery_s_max=max(recoveries),
        peak_bytes=fleet.peak_bytes,
        exit_codes=exit_codes,
        account=account,
        workers=fleet.history,
    )
