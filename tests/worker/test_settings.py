"""Settings: where they come from, what is refused of them, and how that is told."""

import os
import re
from importlib import metadata
from pathlib import Path

import pytest

from contract.errors import UsageError
from worker.environment import ignored
from worker.settings import Settings, load_settings

_ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "WORKER_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def load(monkeypatch: pytest.MonkeyPatch, arguments: list[str], **environment: str):  # type: ignore[no-untyped-def] # noqa: ANN201
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings(arguments)


def test_flags_win_over_the_environment_and_that_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each source overrides the next; Kafka's settings need no prefix."""
    file = tmp_path / "worker.toml"
    file.write_text('bundle = "from-file"\nthreads = 3\ninput_topic = "from-file"\n')

    settings = load(
        monkeypatch, ["--threads", "1"], WORKER_CONFIG=str(file), WORKER_INPUT_TOPIC="from-environment",
        KAFKA_BOOTSTRAP_SERVERS="broker:1",
    )  # fmt: skip

    assert (settings.threads, settings.input_topic, str(settings.bundle)) == (1, "from-environment", "from-file")
    assert settings.kafka_bootstrap_servers == "broker:1"


def test_every_error_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing, a malformed and an unknown setting, an unknown flag and a stray word stand in one message."""
    arguments = ["stray", "--http-prot=1", "--threads", "many"]
    with pytest.raises(UsageError) as error:
        load(monkeypatch, arguments, WORKER_TREADS="2", WORKER_HTTP_PORT="99999")

    for name in ("WORKER_BUNDLE", "WORKER_THREADS", "WORKER_TREADS", "WORKER_HTTP_PORT", "--http-prot", "stray"):
        assert f" {name}: " in str(error.value)
    assert "\n" not in str(error.value), "or the last line of standard error would be one of many"


def test_the_bundle_is_asked_for_in_words() -> None:
    """It is what a first start lacks."""
    with pytest.raises(
        UsageError, match=r"WORKER_BUNDLE: set it to the folder that `python -m export bundle` wrote$"
    ):
        load_settings()


def test_an_unknown_flag_is_told_with_what_may_be_meant_and_without_its_value() -> None:
    """Among settings and the command's own flags; a value, which may be a secret, is not shown."""
    arguments = [
        "--kafka-sasl-pasword",
        "hunter2",
        "--kafka-sasl-pasword=hunter2",
        "--strct",
        "--zzz",
        "--bundle",
        "b",
    ]
    with pytest.raises(UsageError) as error:
        load_settings(arguments, command="check", usage="usage: check [--json] [--strict]")

    sasl = "--kafka-sasl-pasword: there is no such flag (did you mean --kafka-sasl-password?)"
    problems = [
        sasl,
        sasl,
        "--strct: there is no such flag (did you mean --strict?)",
        "--zzz: there is no such flag",
    ]
    assert str(error.value) == f"the settings don't hold: {'; '.join(problems)}"


@pytest.mark.parametrize(
    "environment",
    [
        {"WORKER_SERVICE_HOST": "10.0.0.9", "WORKER_SERVICE_PORT": "8080", "WORKER_SERVICE_PORT_HTTP": "8080",
         "WORKER_PORT": "tcp://10.0.0.9:8080", "WORKER_PORT_8080_TCP": "tcp://10.0.0.9:8080",
         "WORKER_PORT_8080_TCP_PROTO": "tcp", "WORKER_PORT_8080_TCP_PORT": "8080",
         "WORKER_PORT_8080_TCP_ADDR": "10.0.0.9"},
        {"WORKER_HTTP_SERVICE_HOST": "10.0.0.9", "WORKER_HTTP_PORT": "tcp://10.0.0.9:8080",
         "WORKER_HTTP_PORT_8080_TCP_PORT": "8080"},
        {"KAFKA_SERVICE_HOST": "10.0.0.9", "KAFKA_PORT": "udp://10.0.0.9:9092",
         "KAFKA_SSL_PORT_9093_TCP_ADDR": "10.0.0.9", "KAFKA_BOOTSTRAP_SERVICE_HOST": "10.0.0.9"},
    ],
    ids=["worker", "worker-http", "kafka"],
)  # fmt: skip
def test_what_kubernetes_sets_for_a_service_is_no_setting(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    """A Service may be called `worker`, or `worker-http`: its links mean nothing, even with a setting's name."""
    settings = load(monkeypatch, ["--bundle", "b"], **environment)

    assert settings == load_settings(["--bundle", "b", "--http-port", "8080"])
    assert ignored(os.environ, Settings.model_fields) == []


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("WORKER_HTTPS_PORT", "8080", "did you mean WORKER_HTTP_PORT?"),
        ("worker_treads", "2", "did you mean WORKER_THREADS?"),
        ("KAFKA_BOOSTRAP_SERVER", "k:9092", "did you mean KAFKA_BOOTSTRAP_SERVERS?"),
        ("KAFKA_SSL_CA_LOCATION", "ca.pem", "KAFKA_SSL_CA_LOCATION: there is no such setting"),
        ("KAFKA_SASL_JAAS_CONFIG", "…", "KAFKA_SASL_JAAS_CONFIG: there is no such setting"),
        ("KAFKA_BOOTSTRAP_BROKERS", "…", "KAFKA_BOOTSTRAP_BROKERS: there is no such setting"),
    ],
)
def test_a_name_that_is_no_setting_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    """All of WORKER_, and of KAFKA_ what concerns the connection or is nearly a setting."""
    with pytest.raises(UsageError) as error:
        load(monkeypatch, ["--bundle", "b"], **{name: value})

    assert name.upper() in str(error.value)
    assert told in str(error.value)


def test_other_names_of_kafka_are_told_and_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """They may be for another program in the same environment."""
    load(monkeypatch, ["--bundle", "b"], KAFKA_HEAP_OPTS="-Xmx1g", KAFKA_BROKERS="k:9092")

    assert ignored(os.environ, Settings.model_fields) == ["KAFKA_BROKERS", "KAFKA_HEAP_OPTS"]


def test_an_unknown_key_of_the_file_is_named_as_it_stands_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And a wrong value by the variable, since that is what the documentation lists."""
    (tmp_path / "worker.toml").write_text('bundle = "b"\ntreads = 3\nthreads = "x"\n')

    with pytest.raises(UsageError, match=r" treads: there is no such setting") as error:
        load(monkeypatch, [], WORKER_CONFIG=str(tmp_path / "worker.toml"))
    assert " WORKER_THREADS: " in str(error.value)


@pytest.mark.parametrize("content", [b"bundle = \n", b"bundle = '\xff'\n"])
def test_a_file_that_is_no_toml_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes) -> None:
    """With the variable that names it, and the place where it goes wrong."""
    file = tmp_path / "worker.toml"
    file.write_bytes(content)

    with pytest.raises(UsageError, match=f"WORKER_CONFIG: {re.escape(str(file))} can't be read: ") as error:
        load(monkeypatch, [], WORKER_CONFIG=str(file))
    assert "line 1" in str(error.value) or "position 10" in str(error.value)


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if "_ms" in name])
@pytest.mark.parametrize("value", ["inf", "nan", "1e13", "99999999999999999", "-1"])
def test_every_duration_has_bounds(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A day at most: more fits neither a timer nor the protocol, whose numbers have 31 bits."""
    with pytest.raises(UsageError, match=f" WORKER_{name.upper()}: "):
        load(monkeypatch, ["--bundle", "b"], **{f"WORKER_{name.upper()}": value})


@pytest.mark.parametrize(
    "name", [name for name, field in Settings.model_fields.items() if field.annotation is int]
)
def test_every_number_has_bounds(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What no library takes is refused by the setting's name, not by a traceback later."""
    with pytest.raises(UsageError, match=f" WORKER_{name.upper()}: "):
        load(monkeypatch, ["--bundle", "b"], **{f"WORKER_{name.upper()}": str(2**64)})


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"WORKER_TEXT_FIELD": "\udcff"}, "WORKER_TEXT_FIELD: it is not UTF-8"),
        ({"WORKER_CONFIG": "n" * 300}, "WORKER_CONFIG: n+ can't be read: .*too long"),
    ],
)
def test_what_can_not_be_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], told: str
) -> None:
    """A field of bytes that are no text would end the worker at the first dead letter that names it."""
    with pytest.raises(UsageError, match=told):
        load(monkeypatch, ["--bundle", "b"], **environment)


def test_a_number_is_not_true(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """TOML has truth values, and pydantic would make one pass of `callers = true`; a switch takes them."""
    file = tmp_path / "worker.toml"
    file.write_text('bundle = "b"\ncallers = true\nwait_ms_max = false\ncreate_topics = true\n')

    with pytest.raises(UsageError, match="WORKER_CALLERS: true is no value of it") as error:
        load(monkeypatch, [], WORKER_CONFIG=str(file))
    assert "WORKER_WAIT_MS_MAX: false is no value of it" in str(error.value)
    assert "CREATE_TOPICS" not in str(error.value)


@pytest.mark.parametrize("name", ["bad topic!", "", "t" * 250, "reviews/1"])
def test_what_kafka_allows_as_no_topic_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """A broker answers such a name as it does one that we have no right to."""
    file = tmp_path / "worker.toml"
    file.write_text(f'bundle = "b"\ndead_letter_topic = "{name}"\n')
    with pytest.raises(UsageError, match=r"WORKER_DEAD_LETTER_TOPIC: .*\[a-zA-Z0-9"):
        load(monkeypatch, [], WORKER_CONFIG=str(file))


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"WORKER_DRAIN_TIMEOUT_MS": "50000"}, "WORKER_DRAIN_TIMEOUT_MS must"),
        ({"WORKER_DELIVERY": "exactly-once", "WORKER_TRANSACTION_MS_MAX": "10000"}, "TRANSACTION_MS_MAX must"),
        ({"WORKER_OUTPUT_TOPIC": "reviews"}, "three topics"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "KAFKA_SASL_MECHANISM"),
        ({"WORKER_HELD_RECORDS_MAX": "10"}, "WORKER_HELD_RECORDS_MAX must"),
        ({"WORKER_CONFIG": "no-such-file.toml"}, "no-such-file.toml"),
        ({"KAFKA_SASL_PASSWORD_FILE": "no-such-file", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
          "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SASL_USERNAME": "me"}, "PASSWORD_FILE: .*no-such-file"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_PASSWORD": "a", "KAFKA_SASL_PASSWORD_FILE": "b"},
         "KAFKA_SASL_PASSWORD and KAFKA_SASL_PASSWORD_FILE are both set"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_together_are_refused(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], message: str
) -> None:
    """A combination that can't work is refused at the start, with the setting's name."""
    with pytest.raises(UsageError, match=message):
        load(monkeypatch, ["--bundle", "b"], **environment)


def test_tracing_needs_its_extra_and_its_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are told with all else that is wrong, and only where traces are asked for."""

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    assert not load(monkeypatch, ["--bundle", "b"]).tracing
    with pytest.raises(UsageError) as refused:
        load(monkeypatch, ["--bundle", "b", "--tracing", "true"])
    assert "WORKER_TRACING needs the extra `tracing`: pip install opentelemetry-exporter" in str(refused.value)
    assert "OTEL_EXPORTER_OTLP_PROTOCOL is grpc" in str(refused.value)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf")  # goes before the general one
    with pytest.raises(UsageError) as refused:
        load(monkeypatch, ["--bundle", "b", "--tracing", "true"])
    assert "PROTOCOL" not in str(refused.value)
