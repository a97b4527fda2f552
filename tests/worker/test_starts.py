"""Starts that fail: each ends with the line and the exit code that docs/operations.md has in its table."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "docs" / "operations.md").read_text()


def assert_ends_as_documented(
    environment: dict[str, str], phrase: str, code: int, flags: tuple[str, ...] = ()
) -> None:
    """Run a worker; it says the phrase last and in its log, and ends with the code of the row that has it."""
    rows = [row for row in _PAGE.splitlines() if row.startswith("|") and f"`{phrase}`" in row]
    assert [row.split("|")[2].strip() for row in rows] == [str(code)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("WORKER_", "KAFKA_"))}
    done = subprocess.run(
        [sys.executable, "-m", "worker", "run", *flags],
        env={**inherited, "WORKER_HTTP_PORT": "0", **environment}, cwd=_ROOT, capture_output=True, text=True,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("worker: ")
    assert phrase in last
    assert "Traceback" not in done.stderr
    (failed,) = [line for line in map(json.loads, done.stdout.splitlines()) if line["event"] == "worker_failed"]
    assert (failed["exit_code"], f"worker: {failed['error']}") == (code, last)


@pytest.mark.parametrize(
    ("environment", "phrase", "code"),
    [
        ({"WORKER_THREADS": "many"}, "the settings don't hold", 2),
        ({"WORKER_TREADS": "2"}, "there is no such setting", 2),
        ({"KAFKA_SSL_TRUSTSTORE_LOCATION": "x"}, "there is no such setting", 2),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CAFILE": "no.pem"}, "KAFKA_SSL_CAFILE: can't read", 2),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CAFILE": "README.md"}, "is not usable", 2),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SASL_USERNAME": "me",
          "KAFKA_SASL_PASSWORD_FILE": "no"}, "KAFKA_SASL_PASSWORD_FILE:", 2),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
          "KAFKA_SASL_OAUTHBEARER_TOKEN_FILE": "no"}, "KAFKA_SASL_OAUTHBEARER_TOKEN_FILE:", 2),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "OAUTHBEARER"}, "OAUTHBEARER needs", 2),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
          "KAFKA_SASL_USERNAME": "me"}, "mean nothing with OAUTHBEARER", 2),
        ({"KAFKA_SSL_CAFILE": "ca.pem"}, "means nothing while KAFKA_SECURITY_PROTOCOL is", 2),
        ({"KAFKA_SASL_PASSWORD": "a", "KAFKA_SASL_PASSWORD_FILE": "b"}, "are both set", 2),
        ({"WORKER_HTTP_HOST": "192.0.2.1"}, "Set WORKER_HTTP_HOST", 2),
        ({"WORKER_TRACING": "true", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "and the worker sends traces by", 2),
        ({"WORKER_TRACING": "true", "OTEL_BSP_MAX_QUEUE_SIZE": "10"}, "an OTEL_ variable does not hold", 2),
        ({}, "is no bundle", 3),
    ],
)  # fmt: skip
def test_a_start_that_fails_ends_as_documented(environment: dict[str, str], phrase: str, code: int) -> None:
    """What is wrong with the environment."""
    assert_ends_as_documented({"WORKER_BUNDLE": "no-such-folder", **environment}, phrase, code)


def test_a_wrong_flag_ends_as_documented() -> None:
    """As a wrong variable does, and beside it."""
    assert_ends_as_documented({"WORKER_THREADS": "many"}, "there is no such flag", 2, flags=("--treads", "2"))


def test_a_port_that_is_taken_ends_as_documented() -> None:
    """By another worker on the same host, as a rule."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as taken:
        port = str(taken.getsockname()[1])
        assert_ends_as_documented({"WORKER_BUNDLE": "b", "WORKER_HTTP_PORT": port}, "Set WORKER_HTTP_PORT", 2)


def test_an_altered_bundle_ends_as_documented(bundle: Path, tmp_path: Path) -> None:
    """A file that was cut off on its way."""
    shutil.copytree(bundle, tmp_path / "b")
    (tmp_path / "b" / "tokenizer.json").write_text("{}")

    assert_ends_as_documented({"WORKER_BUNDLE": str(tmp_path / "b")}, "was altered after the export", 3)


def test_every_row_is_tried() -> None:
    """Here, or where there are certificates and brokers; a new row needs its test."""
    (table,) = re.findall(r"## When a start fails\n(.*?)\n## ", _PAGE, re.DOTALL)
    phrases = re.findall(r"^\| `(.*?)`", table, re.MULTILINE)
    tests = "".join(file.read_text() for file in (_ROOT / "tests").rglob("test_*.py")).replace("\\", "")

    assert len(phrases) > 10
    assert [phrase for phrase in phrases if phrase not in tests] == []
