"""Brokers that want to know who we are: each way not to be let in is told by its cause and by what to check."""

import re
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dev.kafka import Cluster
from worker.adapters.kafka_client import examine_cluster
from worker.adapters.kafka_positions import LogPositions
from worker.adapters.kafka_transactions import KafkaTransactionalSink
from worker.errors import KafkaUnfitError
from worker.settings import Settings

pytestmark = [
    pytest.mark.kafka,
    # kafka-python leaves sockets that failed to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ME = {
    "kafka_security_protocol": "SASL_PLAINTEXT",
    "kafka_sasl_mechanism": "PLAIN",
    "kafka_sasl_username": "me",
    "kafka_sasl_password": "right",
}


@dataclass(frozen=True)
class Guarded:
    """A broker's addresses by protocol, and a folder with `broker.pem`, `broker.key` and those of `other`."""

    plaintext: str
    sasl: str
    tls: str
    nobody: str
    folder: Path

    @property
    def trusting(self) -> dict[str, Any]:
        """Settings that trust the broker."""
        return {"kafka_security_protocol": "SSL", "kafka_ssl_cafile": self.folder / "broker.pem"}

    def certificate(self, name: str) -> dict[str, Any]:
        """Settings with a certificate of ours."""
        return {
            "kafka_ssl_certfile": self.folder / f"{name}.pem",
            "kafka_ssl_keyfile": self.folder / f"{name}.key",
        }


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A broker that wants a password at one port, and a certificate that it knows at another."""
    folder = tmp_path_factory.mktemp("guarded")
    for name in ("broker", "other"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-days", "1",
             "-addext", "subjectAltName=IP:127.0.0.1",
             "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"],
            check=True, capture_output=True,
        )  # fmt: skip
    both = (folder / "broker.key").read_text() + (folder / "broker.pem").read_text()
    (folder / "keystore.pem").write_text(both)
    sasl, tls, nobody = free_addresses(3)
    login = "org.apache.kafka.common.security.plain.PlainLoginModule"
    settings = {
        "listeners": f"SASL_PLAINTEXT://{sasl},SSL://{tls}",
        "transaction.max.timeout.ms": "60000",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": f'{login} required user_me="right";',
        "listener.name.ssl.ssl.client.auth": "required",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(folder / "keystore.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(folder / "broker.pem"),
    }
    with Cluster(folder / "cluster", settings=settings) as cluster:
        cluster.create_topics({"in": 1, "out": 1, "dlq": 1})
        yield Guarded(cluster.bootstrap_servers, sasl, tls, nobody, folder)


def free_addresses(count: int) -> list[str]:
    """Addresses on this machine where nobody listens."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{it.getsockname()[1]}" for it in sockets]
    for it in sockets:
        it.close()
    return addresses


def examine(servers: str, patience_s: float, **settings: Any) -> str:
    """What is told of the cluster: its id, or why it can't be told."""
    try:
        facts = examine_cluster(
            Settings(
                bundle="b", input_topic="in", output_topic="out", dead_letter_topic="dlq",
                kafka_bootstrap_servers=servers, start_timeout_ms=round(1000 * patience_s), **settings,
            )
        )  # fmt: skip
    except KafkaUnfitError as error:
        return str(error)
    return facts.cluster_id


def test_who_is_known_is_let_in(guarded: Guarded) -> None:
    """With the right password, and with the right certificate."""
    cluster_id = examine(guarded.plaintext, 20)

    assert re.fullmatch(r"[\w-]{22}", cluster_id)
    assert examine(guarded.sasl, 20, **ME) == cluster_id
    assert examine(guarded.tls, 20, **guarded.trusting, **guarded.certificate("broker")) == cluster_id


@pytest.mark.parametrize("wrong", [{"kafka_sasl_password": "wrong"}, {"kafka_sasl_mechanism": "SCRAM-SHA-256"}])
def test_a_refusal_is_not_waited_out(guarded: Guarded, wrong: dict[str, str]) -> None:
    """A wrong password stays wrong: it is told long before the test's own time is over."""
    told = examine(guarded.sasl, 60, **{**ME, **wrong})

    assert told.startswith("authentication failed")
    assert "KAFKA_SASL_" in told


@pytest.mark.parametrize(
    ("at", "settings", "cause", "check"),
    [
        ("no.such.host.invalid:9092", {}, "no.such.host.invalid", "KAFKA_BOOTSTRAP_SERVERS"),
        ("nobody", {}, "ECONNREFUSED", "KAFKA_BOOTSTRAP_SERVERS"),
        ("tls", {}, "", "KAFKA_SECURITY_PROTOCOL"),
        ("sasl", {}, "", "KAFKA_SECURITY_PROTOCOL"),
        ("plaintext", {"trusting": True}, "", "KAFKA_SECURITY_PROTOCOL"),
        ("tls", {"trusting": True}, "", "KAFKA_SSL_CERTFILE"),
        ("tls", {"trusting": True, "certificate": "other"}, "", "KAFKA_SSL_CERTFILE"),
        ("tls", {"kafka_security_protocol": "SSL"}, "CERTIFICATE_VERIFY_FAILED", "KAFKA_SSL_CAFILE"),
    ],
    ids=["host", "port", "plaintext-to-tls", "plaintext-to-sasl", "tls-to-plaintext", "no-certificate",
         "unknown-certificate", "untrusted"],
)  # fmt: skip
def test_the_cause_stands_in_the_last_line(
    guarded: Guarded, at: str, settings: dict[str, Any], cause: str, check: str
) -> None:
    """What the connection ended with, and the settings to look at."""
    settings = dict(settings)
    trusting = guarded.trusting if settings.pop("trusting", False) else {}
    name = settings.pop("certificate", None)
    certificate = guarded.certificate(name) if name else {}
    told = examine(getattr(guarded, at, at), 3, **settings, **trusting, **certificate)

    assert told.startswith("no Kafka at ")
    assert "Unable to bootstrap" not in told
    assert cause in told
    assert check in told


def test_topics_that_are_not_there_are_named(guarded: Guarded) -> None:
    """All of them, with the command that creates them."""
    told = (
        "there is no topic reviews, nor reviews.sentiment, nor reviews.dlq: "
        "python -m worker topics create --partitions N, or set WORKER_INPUT_TOPIC"
    )
    with pytest.raises(KafkaUnfitError, match=f"^{re.escape(told)}$"):
        examine_cluster(Settings(bundle="b", kafka_bootstrap_servers=guarded.plaintext))


def test_a_limit_of_the_brokers_is_named_by_our_setting(guarded: Guarded) -> None:
    """A transaction that may take longer than they allow: theirs and ours stand in the message."""
    settings = Settings(
        bundle="b", kafka_bootstrap_servers=guarded.plaintext, delivery="exactly-once",
        transaction_timeout_ms=61_000,
    )  # fmt: skip
    with pytest.raises(KafkaUnfitError, match=r"WORKER_TRANSACTION_TIMEOUT_MS .*transaction\.max\.timeout\.ms"):
        KafkaTransactionalSink(settings, {"out": 1_000_000}, LogPositions(lambda _: None).address)
