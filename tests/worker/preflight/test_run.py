"""What is asked in turn, and how it is judged where no topic or group is concerned."""

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.kafka import AnyCluster
from worker.adapters.kafka_view import Brokers
from worker.preflight.checks import State
from worker.preflight.rights import Right
from worker.preflight.run import limit_checks, memory_bytes, version_check
from worker.settings import Settings

_ROOT = Path(__file__).parents[3]
_PAGE = (_ROOT / "docs" / "operations.md").read_text()
_NOBODY = "127.0.0.1:1"
_AT_LEAST_ONCE = Settings(bundle="b")
_EXACTLY_ONCE = Settings(bundle="b", delivery="exactly-once")


def test_one_failure_hides_no_other(run_command: Callable[..., tuple[int, str, str]]) -> None:
    """Neither bundle nor broker: both are told, and it ends with the code of the first."""
    flags = ("--bundle", "nowhere", "--kafka-bootstrap-servers", _NOBODY, "--start-timeout-ms", "0")
    code, told, errors = run_command("check", *flags)
    assert code == 3
    assert [line.split()[:3] for line in told.splitlines() if not line.startswith(" ")] == [
        ["✗", "bundle", "model"], ["✗", "brokers", "connection"]
    ]  # fmt: skip
    assert errors.splitlines()[-1].startswith("worker: bundle, model: nowhere is no bundle")

    code, told, _ = run_command("check", *flags, "--json")
    document = json.loads(told)
    assert (code, document["exit_code"], document["ok"]) == (3, 3, False)
    assert [check["state"] for check in document["checks"]] == ["failed", "failed"]


@pytest.mark.kafka
def test_a_new_setup_passes(
    cluster: AnyCluster,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    run_command: Callable[..., tuple[int, str, str]],
) -> None:
    """What `topics create` has made is fit, as far as one broker can be; nothing is created by the check."""
    name = f"t{uuid.uuid4().hex[:8]}"
    for variable, topic in (("INPUT", "in"), ("OUTPUT", "out"), ("DEAD_LETTER", "dlq")):
        monkeypatch.setenv(f"WORKER_{variable}_TOPIC", f"{name}.{topic}")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", cluster.bootstrap_servers)
    monkeypatch.setenv("WORKER_BUNDLE", str(bundle))
    cluster.create_topics({f"{name}.in": 2})

    code, told, _ = run_command("check", "--delivery", "exactly-once")
    assert (code, f"there is no topic {name}.out" in told) == (4, True)
    code, told, _ = run_command("check", "--create-topics", "true")
    assert (code, told.count("the worker will create it with 2 partitions")) == (0, 2)
    assert run_command("topics", "create")[0] == 0
    code, told, _ = run_command("check", "--delivery", "exactly-once", "--json")
    checks = json.loads(told)["checks"]
    assert code == 0
    assert {it["check"] for it in checks if it["state"] != "ok"} <= {"replicas"}
    assert {it["subject"] for it in checks} >= {"bundle", "brokers", f"{name}.in", f"{name}.out", f"{name}.dlq"}


def test_the_table_is_utf_8_whatever_the_locale() -> None:
    """An old locale has no sign for what is fine, and must not end in a traceback."""
    flags = ["--bundle", "nowhere", "--kafka-bootstrap-servers", _NOBODY, "--start-timeout-ms", "0"]
    done = subprocess.run(
        [sys.executable, "-m", "worker", "check", *flags], cwd=_ROOT, capture_output=True, check=False,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
    )  # fmt: skip
    assert (done.returncode, done.stdout.decode()[0]) == (3, "✗")


def test_settings_are_refused_as_always(run_command: Callable[..., tuple[int, str, str]]) -> None:
    """Before anything is tried, with 2."""
    code, told, errors = run_command("check", "--bundle", "b", "--threads", "many", "--json")
    assert (code, told) == (2, "")
    assert "WORKER_THREADS" in errors


@pytest.mark.parametrize(
    ("version", "settings", "state"),
    [
        ((4, 1), _EXACTLY_ONCE, "ok"),
        ((2, 7), _EXACTLY_ONCE, "warning"),
        ((2, 4), _EXACTLY_ONCE, "failed"),
        ((2, 4), _AT_LEAST_ONCE, "warning"),
        ((0, 10, 2), _AT_LEAST_ONCE, "failed"),
    ],
)
def test_a_kafka_that_is_too_old_is_told(version: tuple[int, ...], settings: Settings, state: str) -> None:
    """What is promised takes some version; without topic ids the promise is a smaller one."""
    check = version_check(Brokers("c", (1,), version), settings)
    assert check.state == state
    assert ".".join(map(str, version)) in check.found


def test_limits_of_the_brokers_are_told_with_our_setting() -> None:
    """Exactly once has one more; where they may not be read, that is said, and nothing fails."""
    configs = {
        "group.min.session.timeout.ms": "6000", "group.max.session.timeout.ms": "30000",
        "transaction.max.timeout.ms": "15000",
    }  # fmt: skip
    session, transaction = limit_checks(configs, _EXACTLY_ONCE)
    assert (session.state, transaction.state) == (State.FAILED, State.OK)
    assert "WORKER_SESSION_TIMEOUT_MS 45000" in session.found
    assert [it.state for it in limit_checks({}, _AT_LEAST_ONCE)] == [State.UNKNOWN]


def test_memory_is_what_the_page_says() -> None:
    """Two places that tell one number."""
    (told,) = re.findall(r"With the defaults that is (\d+) MiB", _PAGE)
    assert memory_bytes(_AT_LEAST_ONCE) // 2**20 == int(told)


def test_a_missing_right_is_a_command() -> None:
    """For those who may give it: whose, to what, and how the broker is asked."""
    sasl = _AT_LEAST_ONCE.model_copy(
        update={"kafka_security_protocol": "SASL_SSL", "kafka_sasl_username": "worker"}
    )
    assert Right("DESCRIBE_CONFIGS", "topic", "reviews").command(sasl) == (
        "kafka-acls.sh --bootstrap-server localhost:9092 --command-config client.properties --add "
        "--allow-principal User:worker --operation DescribeConfigs --topic reviews"
    )
    bearer = sasl.model_copy(update={"kafka_sasl_mechanism": "OAUTHBEARER", "kafka_sasl_username": None})
    assert "--allow-principal User:... " in Right("READ", "group", "g").command(bearer)
    prefixed = Right("WRITE", "transactional-id", "g-", prefixed=True).command(_AT_LEAST_ONCE)
    assert "--allow-principal User:ANONYMOUS " in prefixed
    assert prefixed.endswith("--operation Write --transactional-id g- --resource-pattern-type prefixed")
    assert Right("IDEMPOTENT_WRITE", "cluster", "").command(sasl).endswith("--operation IdempotentWrite --cluster")
