"""One run: cluster, workers, load, faults, and the account of it all."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contract.variants import REFERENCE
from dev.account import Account, Auditor, Position, wait_for_open_transactions
from dev.chaos.faults import Faults
from dev.chaos.fleet import Fleet
from dev.chaos.load import Load
from dev.chaos.observer import Observer, Sample
from dev.chaos.schedule import BREAKS_BROKERS, CRASH_FREE, Fault, Kind
from dev.chaos.verdict import Damage, Verdict, judge
from dev.kafka import Cluster
from dev.samples import rated_sentences, split_by_review, tiny_base_model, write_reviews

_PARTITIONS = 6
_CALM_S_MAX = 20.0
_TOPICS = ("reviews", "reviews.sentiment", "reviews.dlq")


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


def tiny_bundle(folder: Path) -> Path:
    """The bundle of a tiny BERT, fine-tuned on the rated sentences; made once for a folder."""
    bundle = folder / "bundle"
    if bundle.exists():
        return bundle
    folder.mkdir(parents=True, exist_ok=True)
    reviews = folder / "reviews.jsonl"
    write_reviews(split_by_review(rated_sentences())[0], reviews)
    tiny_base_model(folder / "base")
    checkpoint = folder / "checkpoint"
    for command in (
        ["training", "fit", "--data", reviews, "--base-model", folder / "base", "--output", checkpoint,
         "--epochs", 1, "--tokens-max", 128, "--learning-rate", 1e-3],
        ["export", "bundle", "--checkpoint", checkpoint, "--output", bundle, "--name", "tiny", "--variants",
         REFERENCE.name],
    ):  # fmt: skip
        if not (command[0] == "training" and checkpoint.exists()):
            subprocess.run([sys.executable, "-m", *map(str, command)], check=True)
    return bundle


def run(plan: Plan, folder: Path, bundle: Path, say: Callable[[str], None]) -> Outcome:
    """Run a plan in an empty folder on a cluster of its own; `say` is told what happens.

    Raises:
        KafkaUnavailableError: If there can be no cluster.
        RuntimeError: If the harness itself failed, so that nothing can be said of the workers.
    """
    folder.mkdir(parents=True)
    with Cluster(folder / "kafka", plan.brokers) as cluster:
        cluster.create_topics(dict.fromkeys(_TOPICS, _PARTITIONS))
        load = Load(cluster.bootstrap_servers, _TOPICS[0], _PARTITIONS, plan.per_second)
        settings = {
            "WORKER_BUNDLE": bundle,
            "KAFKA_BOOTSTRAP_SERVERS": cluster.bootstrap_servers,
            "WORKER_DELIVERY": plan.delivery,
            "WORKER_TRANSACTION_TIMEOUT_MS": 10_000,
            "WORKER_SESSION_TIMEOUT_MS": 6000,
            "WORKER_DRAIN_TIMEOUT_MS": 4000,
            "WORKER_COMMIT_INTERVAL_MS": 500,
            "WORKER_PUBLISH_TIMEOUT_MS": 30_000,
            "WORKER_THREADS": 1,
            "FAULTY_SLOW_FILE": folder / "slow",
            **plan.environment,
        }
        fleet = Fleet(folder, plan.module, settings, plan.workers)
        observer = Observer(Auditor(cluster.bootstrap_servers, _TOPICS[1], _TOPICS[2]), load)
        faults = Faults(cluster, fleet, load, folder / "slow")
        fleet.start()
        observer.start()
        load.start()
        _play(plan, faults, observer, fleet, say)
        say("no more faults: waiting until every input has an outcome")
        faults.wait()
        load.stop()
        _until(lambda: observer.waiting == 0, plan.settle_s_max)
        exit_codes = fleet.end()
        observer.end()
        say("reading everything again, as a consumer downstream would")
        account = _read_again(cluster)
        outcome = _outcome(plan, load, account, fleet, faults, observer, exit_codes)
        if outcome.verdict.violations:
            _keep_evidence(cluster, account, outcome.verdict.broken, folder / "evidence")
    return outcome


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


def _read_again(cluster: Cluster) -> Account:
    wait_for_open_transactions(cluster.bootstrap_servers, _TOPICS[1:])
    auditor = Auditor(cluster.bootstrap_servers, _TOPICS[1], _TOPICS[2])
    quiet = 0
    while quiet < 10:  # seconds without anything new  # noqa: PLR2004
        quiet = 0 if auditor.read(1) else quiet + 1
    auditor.close()
    return auditor.account


def _keep_evidence(cluster: Cluster, account: Account, broken: Sequence[Position], folder: Path) -> None:
    """What came of the inputs around the broken ones, and the brokers' own files, else wiped with the cluster."""
    around = {(partition, offset + step) for partition, offset in broken[:100] for step in range(-5, 6)}
    rows = [
        {
            "position": position,
            "broken": position in broken,
            "kind": it.kind,
            "session": it.session,
            "at": it.written,
        }
        for position in sorted(around)
        for it in account.outcomes.get(position, [])
    ]
    cluster.stop()
    shutil.copytree(cluster.folder, folder / "kafka")
    lines = [json.dumps(it) for it in [{"broken": broken}, *rows]]
    (folder / "outcomes.jsonl").write_text("\n".join(lines) + "\n")


def _outcome(
    plan: Plan,
    load: Load,
    account: Account,
    fleet: Fleet,
    faults: Faults,
    observer: Observer,
    exit_codes: list[int],
) -> Outcome:
    damage = Damage(
        disturbances=tuple(it for replica in fleet.history for it in replica.disturbances(faults.outages)),
        ends=tuple(replica.end for replica in fleet.history if replica.end),
        crash_free=all(fault.kind in CRASH_FREE for fault in plan.faults),
        fatal_texts=any(done.fault.kind is Kind.FATAL_TEXT for done in faults.done),
        brokers_broken=any(done.fault.kind in BREAKS_BROKERS for done in faults.done),
    )
    verdict = judge(
        load.sent, account, exactly_once=plan.delivery == "exactly-once", damage=damage,
        arrived_s=observer.answered_s,
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
    )


def environment() -> dict[str, Any]:
    """Where the figures come from."""
    names = [
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    return {"processor": names[0] if names else "unknown", "cores": os.cpu_count()}
