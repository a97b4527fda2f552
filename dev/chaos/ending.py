"""What is looked at when the faults are over: outcomes, committed positions, and what to keep of a broken run."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dev.account import Account, Auditor, Outcome, Position, committed_positions, wait_for_open_transactions
from dev.kafka import Cluster


def read_again(cluster: Cluster, topics: tuple[str, str], place: Callable[[Outcome], Position]) -> Account:
    """Everything that a reader of committed records finds in the topics of results and of dead letters."""
    wait_for_open_transactions(cluster.bootstrap_servers, topics)
    auditor = Auditor(cluster.bootstrap_servers, *topics, place)
    quiet = 0
    while quiet < 10:  # seconds without anything new  # noqa: PLR2004
        quiet = 0 if auditor.read(1) else quiet + 1
    auditor.close()
    return auditor.account


def keep_evidence(cluster: Cluster, account: Account, broken: Sequence[Position], folder: Path) -> None:
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


def uncommitted(cluster: Cluster, group: str, topic: str, ends: Mapping[int, int]) -> list[str]:
    """The partitions whose committed position is not the end of what was sent, each in words."""
    committed = committed_positions(cluster.bootstrap_servers, group, topic)
    return [
        f"{topic}/{number} at {committed.get(number, 'no position')} of {end}"
        for number, end in sorted(ends.items())
        if committed.get(number, -1) != end
    ]
