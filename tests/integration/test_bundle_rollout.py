"""Another bundle comes to a live topic, for one replica or for all: nothing is lost, answers name their model."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from contract.manifest import MANIFEST_FILE
from dev.kafka import AnyCluster
from dev.processes import WorkerProcess
from tests.integration.harness import Run, until

pytestmark = pytest.mark.kafka


def answered_by(run: Run, count: int = 40) -> set[str]:
    """Which versions of the model answer so many reviews."""
    before = set(run.account.outcomes)
    run.send_reviews(count)
    run.read_all()
    outcomes = [run.account.outcomes[position][0] for position in run.account.outcomes.keys() - before]
    return {outcome.event["sentiment"]["model"]["version"] for outcome in outcomes}


def owned(worker: WorkerProcess) -> float:
    """How many partitions a worker has."""
    return worker.metric("sentiment_worker_partitions_assigned")


def another(bundle: Path, folder: Path, version: str) -> Path:
    """The bundle with another version, made of links as in the Hugging Face cache."""
    folder.mkdir()
    for file in bundle.iterdir():
        (folder / file.name).symlink_to(file)
    manifest = json.loads((bundle / MANIFEST_FILE).read_text())
    (folder / MANIFEST_FILE).unlink()
    (folder / MANIFEST_FILE).write_text(json.dumps({**manifest, "version": version}))
    return folder


def test_a_bundle_is_tried_rolled_back_and_rolled_out(cluster: AnyCluster, bundle: Path, tmp_path: Path) -> None:
    """A canary answers for its share of the partitions; rolled back none is its own, rolled out all are."""
    shutil.copytree(bundle, tmp_path / "b1")
    stable = json.loads((bundle / MANIFEST_FILE).read_text())["version"]
    new = another(tmp_path / "b1", tmp_path / "b2", "new")
    with Run(cluster, tmp_path / "b1", tmp_path) as run:
        quick: dict[str, Any] = {
            "session_timeout_ms": 3000,
            "drain_timeout_ms": 2000,
        }  # a rebalance waits for heartbeats
        old, canary = (run.worker(ready=False, bundle=it, **quick) for it in (run.bundle, new))
        until(lambda: owned(old) == owned(canary) == 2, "they don't share the partitions")
        assert answered_by(run) == {stable, "new"}

        run.send_reviews(40)
        canary.terminate()
        assert canary.wait(20) == 0
        run.read_all()
        assert answered_by(run) == {stable}

        successor = run.worker(bundle=new, **quick)
        run.send_reviews(40)
        old.terminate()
        assert old.wait(20) == 0
        until(lambda: owned(successor) == 4, "it has not all partitions")
        run.read_all()
        assert answered_by(run) == {"new"}
    assert run.account.lost(run.sent) == []
    assert run.account.duplicated() == []
    assert run.account.disorders == []
