"""The code in the pages for newcomers, producers and consumers does what they say."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import Producer

from dev.kafka.jars import compiler_jar, jars_folder, java_file
from tests.integration.harness import Run

pytestmark = pytest.mark.kafka
_DOCS = Path(__file__).parents[2] / "docs"


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (_DOCS / page).read_text(), re.DOTALL | re.MULTILINE)


def _code(page: str, language: str) -> str:
    (code,) = _blocks(page, language)
    return code


def _read_by_python() -> list[str]:
    return [sys.executable, "-c", _code("consumers.md", "python")]


def _read_by_java(folder: Path) -> list[str]:
    """The Java program, compiled."""
    java, jars = str(java_file()), sorted(map(str, jars_folder().glob("*.jar")))
    source = folder / "LabelCounts.java"
    source.write_text(_code("consumers.md", "java"))
    options = ["-source", "17", "-target", "17", "-proc:none", "-classpath", ":".join(jars), "-d", str(folder)]
    subprocess.run([java, "-jar", compiler_jar(), *options, source], check=True)
    return [java, "-classpath", ":".join([str(folder), *jars]), "LabelCounts"]


@pytest.mark.parametrize("run", ["at-least-once"], indirect=True)
def test_the_readers_count_each_review_of_the_writers_once(run: Run, tmp_path: Path) -> None:
    """Events as the one page has them, read by the other page's programs, with all that a reader has to know of.

    One result is repeated, one of the model's abstains, one is of a transaction that was aborted.
    """
    event = _code("producers.md", "json").strip().encode()
    for number in range(8):
        run.send(event, partition=number % run.partitions)
    run.send(None, key=b"R1", partition=0)
    run.producer.flush()
    with run.worker():
        run.read_all()
    _publish_what_counts_not(run)

    places = {"KAFKA_BOOTSTRAP_SERVERS": run.cluster.bootstrap_servers, "OUTPUT_TOPIC": run.output_topic}
    by_java = _read_by_java(tmp_path)
    for command in (_read_by_python(), _read_by_python(), by_java, by_java):  # a second run counts the same
        read = subprocess.run(
            command, env={**os.environ, **places}, capture_output=True, text=True, check=False, timeout=60
        )
        assert read.returncode == 0, read.stderr
        counts = json.loads(read.stdout)
        assert list(counts.values()) == [8], "one text, one label"


def _publish_what_counts_not(run: Run) -> None:
    """The first result again; and as one of another review that was abstained from, and one that was aborted."""
    result = run.account.outcomes[0, 0][0]
    headers = dict(result.headers)
    assert result.value is not None
    run.producer.produce(run.output_topic, result.value, result.key, 0, headers=headers)
    abstained = result.value.replace(b'"abstained":false', b'"abstained":true')
    assert abstained != result.value
    run.producer.produce(
        run.output_topic, abstained, result.key, 0, headers=headers | {"ce_id": b"in/0/abstained"}
    )
    run.producer.flush()
    servers = run.cluster.bootstrap_servers
    aborting = Producer({"bootstrap.servers": servers, "transactional.id": run.group})
    aborting.init_transactions()
    aborting.begin_transaction()
    aborting.produce(run.output_topic, result.value, result.key, 0, headers=headers | {"ce_id": b"in/0/aborted"})
    aborting.flush()
    aborting.abort_transaction()


@pytest.mark.parametrize("run", ["at-least-once"], indirect=True)
def test_the_first_steps_lead_to_a_label(run: Run, tmp_path: Path) -> None:
    """All commands of the page, in one shell; the session's bundle and Kafka stand in for those that it makes."""
    script = "".join(_blocks("getting-started.md", "sh"))
    for ours, theirs in {
        "make demo\n": "", ". .venv/bin/activate\n": "", 'eval "$(python -m dev.kafka up)"\n': "",
        "python -m dev.kafka down\n": "", "runs/demo/bundle": str(run.bundle), "runs/": f"{tmp_path}/",
        "produce reviews": f"produce {run.group}", "consume reviews": f"consume {run.group}",
        "python -": f"{sys.executable} -",
    }.items():  # fmt: skip
        assert ours in script
        script = script.replace(ours, theirs)
    topics = {"INPUT_TOPIC": "", "OUTPUT_TOPIC": ".sentiment", "DEAD_LETTER_TOPIC": ".dlq", "GROUP_ID": ""}
    settings = {f"WORKER_{name}": run.group + end for name, end in topics.items()} | {"WORKER_HTTP_PORT": "0"}
    shell = subprocess.Popen(
        ["bash", "-eu"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, **settings, "KAFKA_BOOTSTRAP_SERVERS": run.cluster.bootstrap_servers},
    )  # fmt: skip
    try:
        told, _ = shell.communicate(script, timeout=200)
    finally:
        with contextlib.suppress(ProcessLookupError):  # of a worker that its page has not ended
            os.killpg(shell.pid, signal.SIGKILL)

    assert shell.returncode == 0, told
    (event,) = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    assert event["id"] == "R1"
    assert event["sentiment"]["label"] in {"negative", "neutral", "positive"}
