"""Fixtures of the tests on the real broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.kafka import AnyCluster
from tests.integration.harness import Run
from tests.integration.stuck_worker import VARIABLE


@pytest.fixture(params=["at-least-once", "exactly-once"])
def run(cluster: AnyCluster, bundle: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Run]:
    """Topics of this test's own on the shared broker, and workers with either delivery."""
    with Run(cluster, bundle, tmp_path, delivery=request.param) as running:
        yield running


@pytest.fixture
def stuck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """While this file exists, the model of a stuck worker hangs; nothing can be settled."""
    file = tmp_path / "stuck"
    monkeypatch.setenv(VARIABLE, str(file))
    return file
