"""One run: cluster, workers, load, faults, and the account of it all."""

import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from dev.account import Account, Auditor, Position
from dev.chaos.faults import Faults
from dev.chaos.fleet import Fleet
from dev.chaos.load import Load, Sent
from dev.chaos.observer import Observer, Sample
from dev.chaos.schedule import Fault
from dev.chaos.verdict import Verdict, judge
from dev.kafka import Cluster
from dev.samples import rated_sentences, split_by_review, tiny_base_model, write_reviews

_PARTITIONS = 6
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
    settle_s_max: float = 150.0
    module: str = "dev.faulty_worker"
    environment: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    verdict: Verdict
    faults: list[dict[str, Any]]
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
         "--epochs", 1, "--batch-size", 32, "--tokens-max", 128, "--learning-rate", 1e-3],
        ["export", "--checkpoint", checkpoint, "--output", bundle, "--variants", "fp32", "--name", "tiny"],
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
        inputs = _inputs(cluster, load)
    verdict = judge(
        inputs, account, exactly_once=plan.delivery == "exactly-once",
        disturbed=set(itertools.chain.from_iterable(it.sessions for it in fleet.history if it.disturbed)),
    )  # fmt: skip
    return _outcome(verdict, fleet, faults, observer, exit_codes)


def _play(plan: Plan, faults: Faults, observer: Observer, fleet: Fleet, say: Callable[[str], None]) -> None:
    started_s = observer.started_s
    for number, fault in enumerate(sorted(plan.faults, key=lambda fault: fault.at_s), 1):
        time.sleep(max(0.0, started_s + fault.at_s - time.monotonic()))
        state = f"waiting {observer.waiting}, workers {len(fleet.running())}"
        say(f"{fault.at_s:6.0f} s  {number:3}/{len(plan.faults)}  {fault.kind}  ({state})")
        faults.begin(fault)
    time.sleep(max(0.0, started_s + plan.duration_s - time.monotonic()))


def _until(done: Callable[[], bool], timeout_s: float) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not done() and time.monotonic() < deadline_s:
        time.sleep(0.2)


def _read_again(cluster: Cluster) -> Account:
    auditor = Auditor(cluster.bootstrap_servers, _TOPICS[1], _TOPICS[2])
    quiet = 0
    while quiet < 10:  # seconds without anything new; an open transaction of a dead worker ends within them  # noqa: PLR2004
        quiet = 0 if auditor.read(1) else quiet + 1
    auditor.close()
    return auditor.account


def _inputs(cluster: Cluster, load: Load) -> dict[Position, Sent]:
    """Everything that stands in the input topic: a producer that retries may write a record twice."""
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap_servers, "group.id": "inputs"})
    consumer.assign([TopicPartition(_TOPICS[0], number, 0) for number in range(_PARTITIONS)])
    found: dict[Position, Sent] = {}
    while messages := consumer.consume(2000, timeout=5):
        for message in messages:
            position = message.partition(), message.offset()
            kind = load.expected[message.key(), message.value()]
            found[position] = load.sent.get(position) or Sent(0.0, kind)
    consumer.close()
    if missing := load.sent.keys() - found.keys():
        raise RuntimeError(
            f"the cluster itself lost {len(missing)} acknowledged inputs, {min(missing)} among them"
        )
    return found


def _outcome(verdict: Verdict, fleet: Fleet, faults: Faults, observer: Observer, exit_codes: list[int]) -> Outcome:
    told: list[dict[str, Any]] = []
    for fault, done_s in faults.done:
        recovery_s = max(observer.recovery_s(done_s).values(), default=0.0)
        told.append(
            {
                "at_s": round(done_s - observer.started_s, 2),
                "kind": str(fault.kind),
                "alone": fault.alone,
                "recovery_s": round(recovery_s, 2),
            }
        )
    recoveries = [fault["recovery_s"] for fault in told] or [0.0]
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
