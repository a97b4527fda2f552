"""The files of a secure connection, tried at the start: a client that can't read them tries again for ever."""

import ssl
from collections.abc import Callable
from pathlib import Path


class _EncryptedError(Exception):
    """A private key wants a password."""


def tls_problems(cafile: Path | None, certfile: Path | None, keyfile: Path | None) -> list[str]:
    """What is wrong with the files that the KAFKA_SSL_ settings name, each with its setting."""
    context = ssl.create_default_context()
    problems = []
    if cafile is not None:
        problems += _tried("KAFKA_SSL_CAFILE", cafile, lambda: context.load_verify_locations(cafile))
    if certfile is None:
        return problems + (["KAFKA_SSL_KEYFILE needs KAFKA_SSL_CERTFILE, its certificate"] if keyfile else [])
    problems += _tried("KAFKA_SSL_CERTFILE", certfile, lambda: ssl.create_default_context(cafile=certfile))
    if problems and problems[-1].startswith("KAFKA_SSL_CERTFILE"):
        return problems
    name = "KAFKA_SSL_KEYFILE" if keyfile else "KAFKA_SSL_CERTFILE"
    key = keyfile or certfile
    return problems + _tried(
        name, key, lambda: context.load_cert_chain(certfile, keyfile, password=_refuse_to_ask)
    )


def _tried(name: str, file: Path, load: Callable[[], object]) -> list[str]:
    try:
        load()
    except _EncryptedError:
        return [f"{name}: the private key in {file} is encrypted; decrypt it (openssl pkey -in … -out …)"]
    except ssl.SSLError as error:  # an OSError too, of which only the reason means something
        return [f"{name}: {file} is not usable: {_in_words(error)}"]
    except OSError as error:
        return [f"{name}: can't read {file}: {error.strerror}"]
    return []


def _in_words(error: ssl.SSLError) -> str:
    match error.reason:
        case "KEY_VALUES_MISMATCH":
            return "it is not the key of the certificate in KAFKA_SSL_CERTFILE"
        case None | "NO_CERTIFICATE_OR_CRL_FOUND":
            return "it holds nothing of the kind in PEM"
        case reason:
            return reason.lower().replace("_", " ")


def _refuse_to_ask() -> str:
    """Called for an encrypted key, where OpenSSL would ask a terminal."""
    raise _EncryptedError
