"""Fixtures of the tests on the real broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.kafka import AnyCluster
from tests.integration.harness import Run


@pytest.fixture
def run(cluster: AnyCluster, bundle: Path, tmp_path: Path) -> Iterator[Run]:
    """Topics of this test's own on the shared broker."""
    with Run(cluster, bundle, tmp_path) as running:
        yield running
