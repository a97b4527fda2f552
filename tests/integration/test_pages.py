"""The code in the pages for producers and consumers does what they say."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.harness import Run

pytestmark = pytest.mark.kafka
_DOCS = Path(__file__).parents[2] / "docs"


def _code(page: str, language: str) -> str:
    (code,) = re.findall(rf"^```{language}\n(.*?)^```$", (_DOCS / page).read_text(), re.DOTALL | re.MULTILINE)
    return str(code)


@pytest.mark.parametrize("run", ["at-least-once"], indirect=True)
def test_the_reader_counts_each_review_of_the_writers_once(run: Run) -> None:
    """Events as the one page has them, read by the other page's program; one is repeated."""
    event = _code("producers.md", "json").strip().encode()
    for number in range(8):
        run.send(event, partition=number % run.partitions)
    run.send(None, key=b"R1", partition=0)
    run.producer.flush()
    with run.worker():
        run.read_all()
    twice = run.account.outcomes[0, 0][0]
    run.producer.produce(run.output_topic, twice.value, twice.key, 0, headers=list(twice.headers))
    run.producer.flush()

    places = {"KAFKA_BOOTSTRAP_SERVERS": run.cluster.bootstrap_servers, "OUTPUT_TOPIC": run.output_topic}
    read = subprocess.run(
        [sys.executable, "-c", _code("consumers.md", "python")],
        env={**os.environ, **places}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert read.returncode == 0, read.stderr
    counts = json.loads(read.stdout)
    assert sum(counts.values()) == 8
    assert len(counts) == 1, "one text, one label"
