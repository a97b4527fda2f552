"""The files of a TLS connection: each that can't be used is named at the start; nobody is asked for a password."""

import subprocess
from pathlib import Path

import pytest

from contract.errors import UsageError
from worker.settings import load_settings


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate with its key, the key once more encrypted, the key of another, and what is none of these."""
    folder = tmp_path_factory.mktemp("tls")
    for name in ("mine", "other"):
        openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-days", "1",
            "-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem"),
        )  # fmt: skip
    for kind in (["pkcs8", "-topk8", "-v2", "aes256"], ["rsa", "-aes256", "-traditional"]):
        openssl(
            *kind,
            "-in",
            str(folder / "mine.key"),
            "-out",
            str(folder / f"{kind[0]}.key"),
            "-passout",
            "pass:secret",
        )
    (folder / "both.pem").write_text((folder / "mine.pem").read_text() + (folder / "mine.key").read_text())
    (folder / "text.pem").write_text("no certificate")
    (folder / "binary.pem").write_bytes(bytes(range(256)))
    (folder / "damaged.pem").write_text((folder / "mine.pem").read_text().replace("M", "N"))
    return folder


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("ca", "certificate", "key", "told"),
    [
        ("absent.pem", None, None, r"KAFKA_SSL_CAFILE: can't read .*absent\.pem: No such file"),
        (".", None, None, r"KAFKA_SSL_CAFILE: "),
        ("text.pem", None, None, r"KAFKA_SSL_CAFILE: .*text\.pem is not usable"),
        ("binary.pem", None, None, r"KAFKA_SSL_CAFILE: .*binary\.pem is not usable"),
        ("damaged.pem", None, None, r"KAFKA_SSL_CAFILE: .*damaged\.pem is not usable"),
        ("mine.key", None, None, r"KAFKA_SSL_CAFILE: .*mine\.key is not usable"),
        ("mine.pem", "absent.pem", "mine.key", r"KAFKA_SSL_CERTFILE: can't read .*absent\.pem"),
        ("mine.pem", "text.pem", "mine.key", r"KAFKA_SSL_CERTFILE: .*text\.pem is not usable"),
        ("mine.pem", "mine.pem", "absent.key", r"KAFKA_SSL_KEYFILE: can't read .*absent\.key"),
        ("mine.pem", "mine.pem", "text.pem", r"KAFKA_SSL_KEYFILE: .*text\.pem is not usable"),
        ("mine.pem", "mine.pem", "other.key", r"KAFKA_SSL_KEYFILE: .*it is not the key of the certificate"),
        ("mine.pem", "mine.pem", "pkcs8.key", r"KAFKA_SSL_KEYFILE: .*pkcs8\.key is encrypted"),
        ("mine.pem", "mine.pem", "rsa.key", r"KAFKA_SSL_KEYFILE: .*rsa\.key is encrypted"),
        ("mine.pem", "mine.pem", None, r"KAFKA_SSL_CERTFILE: "),
        ("mine.pem", None, "mine.key", r"KAFKA_SSL_KEYFILE needs KAFKA_SSL_CERTFILE"),
    ],
)
@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
def test_a_file_that_can_not_be_used_is_named(
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
    protocol: str,
    ca: str | None,
    certificate: str | None,
    key: str | None,
    told: str,
) -> None:
    """By its setting, with what is wrong with it."""
    with pytest.raises(UsageError, match=told):
        load(monkeypatch, files, protocol, ca, certificate, key)


@pytest.mark.parametrize(
    ("ca", "certificate", "key"),
    [(None, None, None), ("mine.pem", None, None), ("mine.pem", "mine.pem", "mine.key"), (None, "both.pem", None)],
)
def test_files_that_can_be_used_are_accepted(
    files: Path, monkeypatch: pytest.MonkeyPatch, ca: str | None, certificate: str | None, key: str | None
) -> None:
    """The key may stand in the certificate's file; without files of ours the system's authorities are trusted."""
    load(monkeypatch, files, "SSL", ca, certificate, key)


def load(
    monkeypatch: pytest.MonkeyPatch,
    files: Path,
    protocol: str,
    ca: str | None,
    certificate: str | None,
    key: str | None,
) -> None:
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", protocol)
    if protocol == "SASL_SSL":
        for name, value in {"MECHANISM": "PLAIN", "USERNAME": "me", "PASSWORD": "x"}.items():
            monkeypatch.setenv(f"KAFKA_SASL_{name}", value)
    for name, file in {"CAFILE": ca, "CERTFILE": certificate, "KEYFILE": key}.items():
        if file is not None:
            monkeypatch.setenv(f"KAFKA_SSL_{name}", str(files / file))
    load_settings(["--bundle", "b"])
