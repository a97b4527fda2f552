"""Who we are to the brokers: which settings of SASL belong together, and secrets in files, read as they are."""

import re
from collections.abc import Callable
from pathlib import Path

BEARER = "OAUTHBEARER"
TOKEN_FILE = "KAFKA_SASL_OAUTHBEARER_TOKEN_FILE"  # noqa: S105 - a name
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, b64token; anything else could say more than a token


def sasl_problems(
    protocol: str,
    mechanism: str | None,
    username: str | None,
    *,
    has_password: bool,
    password_file: Path | None,
    token_file: Path | None,
) -> list[str]:
    """What is wrong with the settings of a SASL protocol, files with secrets included."""
    if mechanism == BEARER:
        return _token_problems(protocol, token_file, named=bool(username or has_password or password_file))
    problems = []
    if not (mechanism and username and (has_password or password_file)):
        problems.append("a SASL protocol needs KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and a password")
    if token_file:
        problems.append(f"{TOKEN_FILE} means nothing unless KAFKA_SASL_MECHANISM is {BEARER}: leave it out")
    if password_file and not has_password:
        problems += _unreadable(lambda: password_in(password_file))
    return problems


def _token_problems(protocol: str, token_file: Path | None, *, named: bool) -> list[str]:
    problems = []
    if protocol != "SASL_SSL":
        problems.append(f"{BEARER} needs KAFKA_SECURITY_PROTOCOL=SASL_SSL: who sees a token can use it")
    if named:
        problems.append(
            f"KAFKA_SASL_USERNAME and a password mean nothing with {BEARER}, whose token says who we are: "
            "leave them out"
        )
    if token_file is None:
        return [*problems, f"{BEARER} needs {TOKEN_FILE}"]
    return problems + _unreadable(lambda: token_in(token_file))


def password_in(file: Path) -> str:
    """The SASL password in a file, without one line break at its end.

    Raises:
        ValueError: If the file can't be read, is empty or is not UTF-8.
    """
    return _secret_in("KAFKA_SASL_PASSWORD_FILE", file, "password")


def token_in(file: Path) -> str:
    """The bearer token in a file, without one line break at its end.

    Raises:
        ValueError: If the file can't be read, is empty or holds something else; the message has nothing of it.
    """
    token = _secret_in(TOKEN_FILE, file, "token")
    if not _TOKEN.fullmatch(token):
        raise ValueError(f"{TOKEN_FILE}: {file} holds no bearer token; write the token into it, and nothing else")
    return token


def _unreadable(read: Callable[[], str]) -> list[str]:
    try:
        read()
    except ValueError as error:
        return [str(error)]
    return []


def _secret_in(setting: str, file: Path, what: str) -> str:
    try:
        secret = re.sub(r"\r?\n\Z", "", file.read_bytes().decode("utf-8"))
    except OSError as error:
        raise ValueError(f"{setting}: {error}") from error
    except UnicodeDecodeError:  # which would show a part of it
        raise ValueError(f"{setting}: {file} is not UTF-8; write the {what} so") from None
    if not secret:
        raise ValueError(f"{setting}: {file} is empty; write the {what} into it")
    return secret
