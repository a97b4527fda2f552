"""OAUTHBEARER on the real broker, which verifies signatures: the token in the file of that moment decides."""

import base64
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dev.kafka import Cluster, ExistingCluster
from tests.integration.harness import Run, until
from tests.integration.test_connections import examine, free_addresses
from worker.preflight.checks import State
from worker.preflight.run import cluster_checks
from worker.sasl import TOKEN_FILE
from worker.settings import Settings

pytestmark = [
    pytest.mark.kafka,
    # kafka-python leaves sockets that failed to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

_PACKAGE = "org.apache.kafka.common.security.oauthbearer"
_TOKEN_S = 15
_SESSION_S = 4
"""How long the broker lets a connection live on one authentication."""


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*arguments: object, stdin: bytes = b"") -> bytes:
    command = ["openssl", *map(str, arguments)]
    return subprocess.run(command, input=stdin, check=True, capture_output=True).stdout


def key_set(key: Path) -> dict[str, Any]:
    """The public half of a key, as an issuer of tokens publishes it."""
    modulus = openssl("rsa", "-in", key, "-noout", "-modulus").decode().strip().removeprefix("Modulus=")
    public = {"n": b64(bytes.fromhex(modulus)), "e": b64((65537).to_bytes(3, "big"))}
    return {"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one", **public}]}


def assert_says_nothing_of(token: str, output: str) -> None:
    """Neither the token nor its claims or signature alone; the head is the same for all."""
    assert [part for part in token.split(".")[1:] if part in output] == []


@dataclass(frozen=True)
class Issuer:
    """Who signs tokens, and where the worker finds its own."""

    cluster: Cluster
    sasl: str
    folder: Path

    @property
    def token_file(self) -> Path:
        return self.folder / "token"

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "kafka_security_protocol": "SASL_SSL",
            "kafka_sasl_mechanism": "OAUTHBEARER",
            "kafka_sasl_oauthbearer_token_file": self.token_file,
            "kafka_ssl_cafile": self.folder / "broker.pem",
        }

    def issue(self, *, lives_s: int = 600, audience: str = "kafka", key: str = "issuer") -> str:
        """Sign a token, and put it where the worker looks, at once as a whole."""
        now_s = int(time.time())
        claims = {"sub": "worker", "aud": audience, "iat": min(now_s, now_s + lives_s), "exp": now_s + lives_s}
        parts = [{"alg": "RS256", "kid": "one"}, claims]
        signed = ".".join(b64(json.dumps(it).encode()) for it in parts)
        signature = openssl("dgst", "-sha256", "-sign", self.folder / f"{key}.key", stdin=signed.encode())
        token = f"{signed}.{b64(signature)}"
        (self.folder / "next").write_text(token + "\n")
        (self.folder / "next").replace(self.token_file)
        return token


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    """A broker that takes tokens for `kafka`, signed by a key that it knows, over TLS."""
    folder = tmp_path_factory.mktemp("bearer")
    for name in ("broker", "issuer", "other"):
        openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-days", "1", "-addext",
            "subjectAltName=IP:127.0.0.1", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem",
        )  # fmt: skip
    (folder / "keystore.pem").write_text((folder / "broker.key").read_text() + (folder / "broker.pem").read_text())
    (folder / "keys.json").write_text(json.dumps(key_set(folder / "issuer.key")))
    keys = (folder / "keys.json").as_uri()
    (sasl,) = free_addresses(1)
    at = "listener.name.sasl_ssl.oauthbearer"
    settings = {
        "listeners": f"SASL_SSL://{sasl}",
        "sasl.enabled.mechanisms": "OAUTHBEARER",
        f"{at}.sasl.jaas.config": f"{_PACKAGE}.OAuthBearerLoginModule required;",
        f"{at}.sasl.server.callback.handler.class": f"{_PACKAGE}.OAuthBearerValidatorCallbackHandler",
        f"{at}.connections.max.reauth.ms": str(1000 * _SESSION_S),
        "sasl.oauthbearer.jwks.endpoint.url": keys,
        "sasl.oauthbearer.expected.audience": "kafka",
        "sasl.oauthbearer.clock.skew.seconds": "0",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(folder / "keystore.pem"),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys}")
        with Cluster(folder / "cluster", settings=settings) as cluster:
            cluster.create_topics({"in": 1, "out": 1, "dlq": 1})
            yield Issuer(cluster, sasl, folder)


def test_a_token_lets_in(issuer: Issuer) -> None:
    """And `check` finds nothing to say of it."""
    issuer.issue()
    assert re.fullmatch(r"[\w-]{22}", examine(issuer.sasl, 20, **issuer.settings))

    settings = Settings(
        bundle="b", input_topic="in", output_topic="out", dead_letter_topic="dlq",
        kafka_bootstrap_servers=issuer.sasl, **issuer.settings,
    )  # fmt: skip
    assert [it for it in cluster_checks(settings) if it.state is State.FAILED] == []


@pytest.mark.parametrize("wrong", [{"lives_s": -5}, {"audience": "others"}, {"key": "other"}])
@pytest.mark.parametrize("command", [["run"], ["check", "--json"]])
def test_a_token_that_is_refused_is_told_in_one_line(
    issuer: Issuer, bundle: Path, command: list[str], wrong: dict[str, Any]
) -> None:
    """Expired, for somebody else, or signed by a stranger: exit code 4, what to look at, and nothing of it."""
    token = issuer.issue(**wrong)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("WORKER_", "KAFKA_"))}
    ours = {name.upper(): str(value) for name, value in issuer.settings.items()}
    done = subprocess.run(
        [sys.executable, "-m", "worker", *command],
        env={**inherited, **ours, "KAFKA_BOOTSTRAP_SERVERS": issuer.sasl, "WORKER_BUNDLE": str(bundle),
             "WORKER_INPUT_TOPIC": "in", "WORKER_OUTPUT_TOPIC": "out", "WORKER_DEAD_LETTER_TOPIC": "dlq",
             "WORKER_HTTP_PORT": "0", "WORKER_LOG_LEVEL": "debug"},
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    told = done.stderr.splitlines() if command == ["run"] else done.stdout.splitlines()
    said = [line for line in told if "authentication failed" in line and TOKEN_FILE in line]

    assert done.returncode == 4, done.stdout + done.stderr
    assert len(said) == 1
    assert_says_nothing_of(token, done.stdout + done.stderr)


def test_a_worker_outlives_its_token_while_somebody_renews_it(
    issuer: Issuer, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost or comes twice, a file that is away is waited for, and a refused token is the end."""
    for name, value in issuer.settings.items():
        monkeypatch.setenv(name.upper(), str(value))
    tokens = [issuer.issue(lives_s=_TOKEN_S)]
    with Run(issuer.cluster, bundle, tmp_path) as run:
        run.cluster = ExistingCluster(issuer.sasl)
        worker = run.worker(log_level="debug")
        run.cluster = issuer.cluster
        until_s = time.time() + _TOKEN_S + 2 * _SESSION_S
        while time.time() < until_s:  # the first token, and each connection's first session, are over by then
            tokens.append(issuer.issue(lives_s=_TOKEN_S))
            run.send_reviews(4)
            run.read_until(lambda: not run.account.lost(run.sent), what="the worker stands still")
        assert run.account.duplicated() == []
        assert worker.logged("commit_failed") == []
        assert len(worker.logged("partitions_assigned")) == 1

        tokens.append(issuer.issue())
        issuer.token_file.rename(issuer.folder / "away")
        until(lambda: worker.get("/readyz")[0] == 503, "it is ready without a token", 60)
        (issuer.folder / "away").rename(issuer.token_file)
        run.send_reviews(4)
        run.read_all()

        tokens.append(issuer.issue(lives_s=-5))
        assert worker.wait(60) == 4
        assert [event["exit_code"] for event in worker.logged("worker_failed")] == [4]
        for token in tokens:
            assert_says_nothing_of(token, worker.log_file.read_text())
