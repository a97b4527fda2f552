"""What a worker shows of itself, from its first second on."""

import time
import urllib.request

import pytest

from contract.events import ModelIdentity
from worker.core.history import Sample
from worker.core.records import Partition, Record
from worker.life import Life, State
from worker.outcomes import Kind, Outgoing
from worker.settings import Settings
from worker.watched import Watched

_CANARY = "canary"


def settings(**changed: object) -> Settings:
    return Settings.model_validate({"bundle": "b", "http_host": "127.0.0.1", "http_port": 0, **changed})


def test_a_worker_is_seen_from_its_first_second_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is done yet, and every page answers; lines of the log begin to say whose they are."""
    context: dict[str, str] = {}
    monkeypatch.setattr("worker.logs._context", context)
    server = Watched(settings(group_instance_id="worker-7", group_id="g"), Life()).serve()
    try:
        for path, told in (
            ("/", "worker-7"), ("/livez", "the worker started"), ("/metrics", 'state="starting"} 1.0'),
        ):  # fmt: skip
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}") as answer:
                assert told in answer.read().decode()
                assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    finally:
        server.close()
    assert context == {"worker": "worker-7", "group": "g"}


def test_the_page_has_neither_secret_nor_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what was sent and put aside only numbers, labels, reasons and positions."""
    monkeypatch.setattr("worker.logs._context", {})
    secret = settings(
        kafka_security_protocol="SASL_PLAINTEXT", kafka_sasl_mechanism="PLAIN", kafka_sasl_username="me",
        kafka_sasl_password=_CANARY, kafka_bootstrap_servers=f"//me:{_CANARY}@broker:9092",
    )  # fmt: skip
    watched = Watched(secret, Life())
    watched.has_model(ModelIdentity(name="bge", version="1", sha256="0" * 64, variant="int8", provider="CPU"))
    record = Record(Partition("in", 3), 41, 0, _CANARY.encode(), _CANARY.encode(), ((_CANARY, _CANARY.encode()),))
    for kind, detail in ((Kind.RESULT, "positive"), (Kind.DEAD_LETTER, "blank_text")):
        headers = [("x", _CANARY.encode())]
        watched.metrics.outcomes([Outgoing(kind, record, record.partition, record.value, headers, detail)])
        watched.history.add(Sample(time.monotonic(), watched.metrics.totals(), {record.partition: 5}))

    page = watched.page()
    for told in ("bge", "in/<wbr>3", "41", "blank_<wbr>text", "KAFKA_<wbr>SASL_<wbr>PASSWORD"):
        assert told in page, told
    assert _CANARY not in page


def test_a_loop_that_stands_still_is_not_live() -> None:
    """One that waits for its place is; before there is a loop, the start may take its time."""
    watched = Watched(settings(start_timeout_ms=0), Life())
    assert watched.live()[0]
    watched.loop_turned_s = lambda: time.monotonic() - 10_000
    assert not watched.live()[0]
    watched.standing_by = True
    assert watched.live() == (True, "standing by")


def test_the_state_is_the_one_of_the_moment() -> None:
    """On the page, and in the metric."""
    life = Life()
    watched = Watched(settings(), life)
    for state in (State.JOINING, State.SERVING, State.DRAINING):
        life.become(state, "so it is")
        assert (
            f'<span class="badge {"good" if state is State.SERVING else "bad"}">{state}</span>' in watched.page()
        )
        assert f'sentiment_worker_state{{state="{state}"}} 1.0' in watched.metrics.exposition().decode()
