"""Which settings may be shown, and as what."""

from typing import Any

import pytest
from pydantic import SecretStr

from worker.errors import brief
from worker.redaction import shown
from worker.settings import Settings

_SECRET = "s3cr3t"  # noqa: S105
_SASL = {
    "kafka_security_protocol": "SASL_PLAINTEXT", "kafka_sasl_mechanism": "PLAIN", "kafka_sasl_username": "me",
}  # fmt: skip


def values(**settings: Any) -> dict[str, str]:
    return {item.name: item.value for item in shown(Settings.model_validate({"bundle": "b", **settings}))}


@pytest.mark.parametrize(
    "settings",
    [
        {**_SASL, "kafka_sasl_password": _SECRET},
        {"kafka_bootstrap_servers": f"SASL_SSL://me:{_SECRET}@broker:9092"},
        {"kafka_bootstrap_servers": f"me:a@{_SECRET}/:@broker:9092"},
        {"bundle": f"https://me:{_SECRET}@host/bundle"},
    ],
)
def test_no_secret_is_shown(settings: dict[str, str]) -> None:
    """Neither one that is called so, nor a password within an address."""
    assert _SECRET not in str(values(**settings))


def test_a_setting_that_is_added_as_a_secret_is_hidden_too() -> None:
    """By its type, or by its name if its type was forgotten; the name of a file with a secret is none."""

    class More(Settings):
        one: SecretStr = SecretStr(_SECRET)
        kafka_ssl_key_password: str = _SECRET
        kafka_ssl_key_password_file: str = "/run/key"  # noqa: S105

    found = {item.name: item.value for item in shown(More.model_validate({"bundle": "b"}))}
    assert {name for name, value in found.items() if value == "***"} == {"WORKER_ONE", "KAFKA_SSL_KEY_PASSWORD"}
    assert found["KAFKA_SSL_KEY_PASSWORD_FILE"] == "/run/key"  # noqa: S105
    assert _SECRET not in str(found)


def test_what_was_set_stands_first() -> None:
    """And all settings are there, as the environment names them."""
    found = shown(Settings.model_validate({"bundle": "b", "threads": 3}))
    assert [(item.name, item.value) for item in found[:2]] == [("WORKER_BUNDLE", "b"), ("WORKER_THREADS", "3")]
    assert len(found) == len(Settings.model_fields)
    assert all(item.is_default for item in found[2:])
    assert {"unset", "at-least-once"} <= {item.value for item in found}


def test_an_error_is_told_without_its_data() -> None:
    """The `repr` of some errors is all of the text that they failed at."""
    text = "a review " * 9 + "\ud800"
    with pytest.raises(UnicodeEncodeError) as failed:
        text.encode()
    assert "review" in repr(failed.value)
    assert "review" not in brief(failed.value)
    assert brief(failed.value).startswith("UnicodeEncodeError: ")
