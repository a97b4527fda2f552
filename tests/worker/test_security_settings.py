"""The settings of encryption and authentication: none is ignored in silence, and a password is read as it is."""

import locale
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.errors import UsageError
from worker.settings import Settings, load_settings

SASL = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SASL_USERNAME": "me",
}  # fmt: skip
_SECURITY_SETTINGS = [name for name in Settings.model_fields if name.startswith(("kafka_ssl_", "kafka_sasl_"))]


def load(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings(["--bundle", "b"])


def test_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in the settings' text nor in what `config` prints."""
    settings = load(monkeypatch, **SASL, KAFKA_SASL_PASSWORD="hunter2")  # noqa: S106

    assert "hunter2" not in repr(settings) + settings.model_dump_json()
    assert settings.sasl_password() == "hunter2"


_BEARER = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "OAUTHBEARER"}
_TOKEN_FILE = "KAFKA_SASL_OAUTHBEARER_TOKEN_FILE"  # noqa: S105


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, f"OAUTHBEARER needs {_TOKEN_FILE}"),
        ({_TOKEN_FILE: "no-such-file"}, f"{_TOKEN_FILE}: .*no-such-file"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"}, "OAUTHBEARER needs KAFKA_SECURITY_PROTOCOL=SASL_SSL"),
        ({"KAFKA_SASL_USERNAME": "me"}, "KAFKA_SASL_USERNAME and a password mean nothing with OAUTHBEARER"),
        ({"KAFKA_SASL_PASSWORD": "hunter2"}, "a password mean nothing with OAUTHBEARER"),
        ({"KAFKA_SASL_PASSWORD_FILE": "p"}, "a password mean nothing with OAUTHBEARER"),
        ({**SASL, "KAFKA_SASL_PASSWORD": "hunter2", _TOKEN_FILE: "t"}, f"{_TOKEN_FILE} means nothing unless"),
    ],
)
def test_a_token_and_a_password_do_not_mix(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], told: str
) -> None:
    """Each mechanism takes its own secret, and a token travels encrypted or not at all."""
    with pytest.raises(UsageError, match=told):
        load(monkeypatch, **{**_BEARER, **environment})


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (b"eyJhbGciOiJSUzI1NiJ9.e30.-_~+/x==\n", ""),
        (b"hunter2 hunter2\n", "holds no bearer token"),
        (b"hunter2\x01auth=Bearer other", "holds no bearer token"),
        (b"hunter2\nhunter2\n", "holds no bearer token"),
        (b"hunter2\xff", "is not UTF-8"),
        (b"\n", "is empty"),
    ],
)
def test_the_file_of_a_token_holds_a_token_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: bytes, told: str
) -> None:
    """Whatever else it held could end up in the protocol; what is told shows nothing of it."""
    (file := tmp_path / "token").write_bytes(written)
    environment = {**_BEARER, _TOKEN_FILE: str(file)}
    if told:
        with pytest.raises(UsageError, match=f"{_TOKEN_FILE}: {file} {told}") as refused:
            load(monkeypatch, **environment)
        assert "hunter2" not in str(refused.value)
    else:
        assert load(monkeypatch, **environment).kafka_sasl_oauthbearer_token_file == file


@pytest.mark.parametrize("name", _SECURITY_SETTINGS)
@pytest.mark.parametrize("protocol", [None, "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])
def test_a_setting_that_the_protocol_does_not_use_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, protocol: str | None
) -> None:
    """A user who sets one counts on it: a connection in the clear would be a surprise."""
    uses = {"ssl": {"SSL", "SASL_SSL"}, "sasl": {"SASL_PLAINTEXT", "SASL_SSL"}}[name.split("_")[1]]
    values = {"kafka_sasl_mechanism": "PLAIN", "kafka_ssl_check_hostname": "true"}
    environment = {name.upper(): values.get(name, "no-such-file")}
    if protocol is not None:
        environment["KAFKA_SECURITY_PROTOCOL"] = protocol
    phrase = f"{name.upper()} means nothing while KAFKA_SECURITY_PROTOCOL is {protocol or 'PLAINTEXT'}: set "
    try:
        load(monkeypatch, **environment)
        told = ""
    except UsageError as error:
        told = str(error)

    assert (phrase in told) == (protocol not in uses)
    assert all(one in told.split(phrase)[1] for one in uses if protocol not in uses)


def test_settings_without_a_value_are_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files name variables that nobody has set."""
    settings = load(monkeypatch, **{name.upper(): "" for name in _SECURITY_SETTINGS})

    assert settings == Settings(bundle="b", **dict.fromkeys(_SECURITY_SETTINGS[:-1]))


@pytest.fixture(params=["C", "C.UTF-8"])
def _locale(request: pytest.FixtureRequest) -> Iterator[None]:
    """The process's, for as long as a test."""
    before = locale.setlocale(locale.LC_CTYPE)
    locale.setlocale(locale.LC_CTYPE, request.param)
    yield
    locale.setlocale(locale.LC_CTYPE, before)


@pytest.mark.usefixtures("_locale")
@pytest.mark.parametrize(
    ("written", "password"),
    [
        ("gehe\u00efm".encode(), "gehe\u00efm"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n", "hunter2"),
        (b"hunter2\n\n", "hunter2\n"),
        (b" hunter\r2 ", " hunter\r2 "),
        (b"\n", None),
        (b"", None),
        ("gehe\u00efm".encode("latin-1"), None),
    ],
)
def test_the_file_of_a_password_is_read_alike_in_any_locale(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: bytes, password: str | None
) -> None:
    """UTF-8, of which one line break at the end is an editor's, and the rest the password's; or an error."""
    (file := tmp_path / "password").write_bytes(written)
    environment = {**SASL, "KAFKA_SASL_PASSWORD_FILE": str(file)}
    if password is None:
        with pytest.raises(UsageError, match=f"KAFKA_SASL_PASSWORD_FILE: {file} is (empty|not UTF-8); write the"):
            load(monkeypatch, **environment)
    else:
        assert load(monkeypatch, **environment).sasl_password() == password
