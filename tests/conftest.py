"""What the whole session shares: a broker, and a real BERT that the session trains and exports itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from dev.kafka import AnyCluster, cluster_or_existing
from dev.samples import rated_sentences, split_by_review, tiny_base_model, write_reviews

settings.register_profile("default", deadline=None)  # a shared machine makes single examples slow
settings.register_profile("nightly", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell has what it starts in the background ignore Ctrl-C, and so would all that the tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)

_NEEDS_MORE = {"cluster", "bundle", "checkpoint", "base_model", "exported"}
_SLOW_FOLDERS = {"integration", "training", "dev", "export", "gpu", "foreign", "image"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as `unit` what needs neither Kafka nor training, by its fixtures and its folder."""
    for item in items:
        folders = set(item.path.relative_to(item.config.rootpath).parts)
        needs = _NEEDS_MORE & set(getattr(item, "fixturenames", ()))
        if not needs and not folders & _SLOW_FOLDERS and not item.get_closest_marker("kafka"):
            item.add_marker("unit")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnyCluster]:
    """A real Apache Kafka with one broker, or the cluster that KAFKA_BOOTSTRAP_SERVERS names."""
    with cluster_or_existing(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT, fine-tuned on the rated sentences as a user would do it."""
    folder = tmp_path_factory.mktemp("training")
    training, held_out = split_by_review(rated_sentences())
    write_reviews(training, folder / "training.jsonl")
    write_reviews(held_out, folder / "held-out.jsonl")
    tiny_base_model(folder / "base")
    run(
        "training", "fit", "--data", folder / "training.jsonl", "--validation", folder / "held-out.jsonl",
        "--base-model", folder / "base", "--output", folder / "checkpoint", "--epochs", 2, "--tokens-max", 128,
        "--learning-rate", 1e-3, "--threads", 1,
    )  # fmt: skip
    return folder / "checkpoint"


@pytest.fixture(scope="session")
def bundle(checkpoint: Path) -> Path:
    """The bundle of that BERT."""
    folder = checkpoint.parent / "bundle"
    run("export", "bundle", "--checkpoint", checkpoint, "--output", folder, "--variants", "fp32", "--name", "tiny")
    return folder


def run(module: str, *arguments: object) -> None:
    """Run one of our programs; what it says is shown when it fails."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
