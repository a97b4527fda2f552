"""The SDK beside the worker: nothing of a record in its spans and lines, and nothing that waits for a receiver."""

import inspect
import logging
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.semconv._incubating.attributes import messaging_attributes

from contract.errors import UsageError
from tests.faked_pipeline import P0, FakedPipeline, review
from tests.traced_pipeline import SAMPLED, Traced, record
from tests.worker.test_logs import lines, logged
from worker.adapters import tracing
from worker.adapters.tracing import open_tracing, quieten
from worker.core.records import Record
from worker.preflight.run import tracing_checks
from worker.settings import Settings

CANARY = "canary"


@pytest.fixture(autouse=True)
def _sdk_as_loud_as_before() -> Iterator[None]:
    sdk, parser = logging.getLogger("opentelemetry"), logging.getLogger("opentelemetry.trace")
    before = sdk.handlers, sdk.propagate, parser.level
    yield
    sdk.handlers, sdk.propagate, parser.level = before


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(bundle=tmp_path)


_TEXTS = [review(CANARY), CANARY.encode(), review(f"{CANARY}!"), review(f"{CANARY}?")]


@pytest.mark.parametrize("value", _TEXTS)
def test_no_span_and_no_line_has_anything_of_a_record(value: bytes) -> None:
    """Nor of an exception, whose words may quote it: value, key, headers, and contexts that are none."""
    traced = Traced()
    traced.faked.classifier.fail = {"!": ValueError(CANARY)}
    state = f"! {CANARY}".encode()
    said = ((CANARY, CANARY.encode()), ("traceparent", SAMPLED.encode()), ("tracestate", state))
    event = Record(P0, 0, 0, CANARY.encode(), value, said)
    with logged() as written:
        quieten()
        traced.run(event, record(1, CANARY))
    spans = [*traced.named("")]
    assert len(spans) == 6
    assert CANARY not in "".join(span.to_json() for span in spans)
    assert lines(written)
    assert CANARY not in written.getvalue()


def test_the_sdk_repeats_no_line_within_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that is down fails each few seconds; its lines are lines of our log."""
    with logged("info") as written:
        quieten()
        for _ in range(3):
            logging.getLogger("opentelemetry.exporter.otlp").error("Failed to export %s", "spans")
        monkeypatch.setattr(tracing, "_SAID_AGAIN_S", 0.0)
        logging.getLogger("opentelemetry.exporter.otlp").error("Failed to export %s", "spans")
    told = lines(written)
    assert [(line["event"], line["message"]) for line in told] == [("library", "Failed to export spans")] * 2


def test_a_receiver_that_never_answers_holds_up_no_end(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not sent within the bound is given up, and said so."""
    monkeypatch.setattr(tracing, "_CLOSE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, logged("info") as written:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")  # for the threads that this leaves behind
        traces = open_tracing(settings, "w")
        faked = FakedPipeline(tracing=traces)
        faked.receive([review("a")])
        faked.pipeline.run(faked.window())
        traces.close()
        assert [line["event"] for line in lines(written)] == ["traces_not_sent"]
        for thread in threading.enumerate():
            if thread.name == "tracing-close":
                thread.join()


def test_the_environment_says_who_we_are(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the standard variables; what they leave open we say."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=mine,team=reviews")
    provider = open_tracing(settings, "host/1")._provider
    provider.shutdown()
    (check,) = tracing_checks(settings.model_copy(update={"tracing": True}))
    assert check.state == "ok"
    assert {"service.name": "mine", "team": "reviews", "service.instance.id": "host/1"}.items() <= (
        provider.resource.attributes.items()
    )


def test_a_variable_that_means_nothing_is_a_usage_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the SDK's words for it."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
    with pytest.raises(UsageError, match="an OTEL_ variable does not hold: max_export_batch_size"):
        open_tracing(settings, "w")
    (check,) = tracing_checks(settings.model_copy(update={"tracing": True}))
    assert (check.state, check.exit_code) == ("failed", UsageError.exit_code)


def test_the_names_are_those_of_the_conventions() -> None:
    """Each is among those that the SDK's own packages have, and none is deprecated there."""
    source = inspect.getsource(messaging_attributes)
    known = dict(re.findall(r'^MESSAGING_\w+: Final = "(.+)"\n"""\n(.*)', source, re.MULTILINE))
    ours = [it for it in vars(tracing).values() if isinstance(it, str) and it.startswith("messaging.")]
    assert len(ours) == 9
    for name in ours:
        assert not known[name].startswith("Deprecated"), known[name]
