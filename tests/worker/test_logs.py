"""What a line of the log says of itself, whatever wrote it, and what it never says."""

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from contract.events import Reason
from tests.faked_pipeline import P0, FakedPipeline, review
from worker.core.history import Totals
from worker.core.records import Chunk, Record
from worker.errors import TooManyDeadLettersError
from worker.logs import (
    REPEATS_MAX,
    REPEATS_WITHIN_S,
    configure_logging,
    log_what_nobody_catches,
    say_in_each_line,
)
from worker.summary import Summary

_CANARY = "canary"


@contextmanager
def logged(level: str = "debug", log_format: str = "json") -> Iterator[io.StringIO]:
    """What is written while it lasts."""
    root, written = logging.getLogger(), io.StringIO()
    handlers, before = root.handlers, root.level
    try:
        with redirect_stdout(written):
            configure_logging(level, log_format)
        yield written
    finally:
        root.handlers = handlers
        root.setLevel(before)
        structlog.reset_defaults()


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_lines_of_libraries_have_an_event_of_ours() -> None:
    """Alerts count events by name: a library's text is a message, which may change with its version."""
    with logged("info") as written:
        logging.getLogger("kafka.consumer.fetcher").warning("Fetch to node %s failed", 3)
        logging.getLogger("asyncio").error("Task exception")
        structlog.get_logger("worker.app").info("worker_starting", pid=1)
    client, other, ours = lines(written)
    assert (client["event"], client["message"]) == ("kafka_client", "Fetch to node 3 failed")
    assert (client["logger"], client["level"]) == ("kafka.consumer.fetcher", "warning")
    assert (other["event"], other["message"]) == ("library", "Task exception")
    assert (ours["event"], ours["pid"], "message" in ours) == ("worker_starting", 1, False)


def test_what_the_client_repeats_is_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told by its template, since numbers in it differ; other messages, and other libraries, are not touched."""
    now_s = 0.0
    monkeypatch.setattr("worker.logs.time.monotonic", lambda: now_s)
    with logged("info") as written:
        for number in range(500):
            logging.getLogger("kafka.coordinator").warning("Marking node %s dead", number)
            logging.getLogger("asyncio").warning("slow")
        logging.getLogger("kafka.coordinator").warning("Rejoining")
        now_s = REPEATS_WITHIN_S
        logging.getLogger("kafka.coordinator").warning("Marking node %s dead", 500)
    said = lines(written)
    dead = [line for line in said if line["message"].startswith("Marking")]
    assert [line["message"] for line in dead[-2:]] == ["Marking node 9 dead", "Marking node 500 dead"]
    assert [line.get("repeats_left_out") for line in dead] == [None] * REPEATS_MAX + [500 - REPEATS_MAX]
    assert len(said) - len(dead) == 501


def test_at_debug_nothing_is_left_out() -> None:
    """Who looks for an error wants to see all."""
    with logged("debug") as written:
        for _ in range(2 * REPEATS_MAX):
            logging.getLogger("kafka.coordinator").warning("Marking it dead")
    assert len(lines(written)) == 2 * REPEATS_MAX


def test_each_line_says_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of libraries too; what a line says itself goes before."""
    monkeypatch.setattr("worker.logs._context", {})
    with logged("info") as written:
        say_in_each_line(worker="a/1", group="g")
        logging.getLogger("kafka.client").warning("disconnected")
        structlog.get_logger("worker.app").info("worker_starting", group="mine")
    assert [(line["worker"], line["group"]) for line in lines(written)] == [("a/1", "g"), ("a/1", "mine")]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_has_places_and_no_values(log_format: str) -> None:
    """The values of variables are reviews and passwords, in our own lines and in those of libraries."""

    def fail(value: str) -> None:
        raise RuntimeError("it failed")

    with logged(log_format=log_format) as written:
        try:
            fail(_CANARY)
        except RuntimeError as error:
            structlog.get_logger("worker").error("worker_failed", exc_info=error)
            logging.getLogger("kafka.client").exception("Uncaught error")
    assert written.getvalue().count("RuntimeError") >= 2
    assert "test_logs.py" in written.getvalue()
    assert _CANARY not in written.getvalue()


def test_an_error_that_nobody_catches_is_a_line_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the program or of one of its threads; a traceback is a field, not lines that are no JSON."""

    def fail() -> None:
        raise RuntimeError("it failed")

    for module, name in ((sys, "excepthook"), (threading, "excepthook")):
        monkeypatch.setattr(module, name, getattr(module, name))
    with logged() as written:
        log_what_nobody_catches()
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        with pytest.raises(RuntimeError) as failed:
            fail()
        sys.excepthook(failed.type, failed.value, failed.tb)
    told = lines(written)
    assert [line["event"] for line in told] == ["uncaught_error"] * 2
    assert all(line["exception"][0]["exc_value"] == "it failed" for line in told)


_TEXTS = st.sampled_from([f"a {_CANARY}", f"{_CANARY}?", f"x{_CANARY}" * 20, f"{_CANARY} é\U0001f600"])
_VALUES = st.one_of(
    _TEXTS.map(review),
    _TEXTS.map(str.encode),
    _TEXTS.map(lambda text: review(text)[:-2]),
    _TEXTS.map(lambda text: json.dumps({"text": 1, text: [text]}).encode()),
    _TEXTS.map(lambda text: text.encode() + b"\xff"),
    _TEXTS.map(lambda text: json.dumps({"text": text, "sentiment": text}).encode()),
    st.none(),
)


@given(
    st.lists(st.tuples(_VALUES, st.sampled_from([None, _CANARY.encode()])), min_size=1, max_size=6),
    st.booleans(),
)
def test_no_line_has_anything_of_a_record(records: list[tuple[bytes | None, bytes | None]], fails: bool) -> None:
    """Whatever becomes of it: value, key, headers; and each window has its line at debug."""
    faked = FakedPipeline(message_bytes_max=400)
    if fails:
        faked.classifier.fail = {"é": ValueError("no such row")}
    faked.sink.broker.refuses = lambda item: (
        b"x" + _CANARY.encode() in (item.value or b"") and item.kind == "result"
    )
    taken = tuple(
        Record(P0, offset, 0, key, value, ((_CANARY, _CANARY.encode()),))
        for offset, (value, key) in enumerate(records)
    )
    # A window whose rows all fail is settled, and then ends the worker.
    with logged() as written, suppress(TooManyDeadLettersError):
        faked.in_flight.receive([Chunk(P0, taken, len(taken))])
        faked.pipeline.run(faked.window())
    (line,) = (it for it in lines(written) if it["event"] == "window_delivered")
    assert (line["records"], line["positions"]) == (len(taken), {"in/0": len(taken)})
    assert sum(line["outcomes"].values()) + line["unsendable"] == len(taken)
    assert set(line["outcomes"]) <= {*Reason, "positive", "negative", "neutral", "forwarded"}
    assert all(line[f"{stage}_s"] >= 0 for stage in ("queue", "decode", "encode", "infer", "publish"))
    assert _CANARY not in written.getvalue()


def test_a_window_costs_no_line_where_nobody_looks() -> None:
    """At info there is none."""
    faked = FakedPipeline()
    faked.receive([review("good")])
    with logged("info") as written:
        faked.pipeline.run(faked.window())
    assert written.getvalue() == ""


def test_a_summary_says_what_was_done_since_the_one_before() -> None:
    """Not since the start; the first look says nothing, and 0 means never."""
    summary, never = Summary(10), Summary(0)
    with logged("info") as written:
        for now_s, read in ((0.0, 5), (5.0, 9), (10.0, 25), (12.0, 30), (21.0, 31)):
            assert not never.is_due(now_s)
            if summary.is_due(now_s):
                summary.tell(now_s, Totals(read, {"positive": read - 1}, dead_letters=1, batches=2), {P0: 7}, 3)
    told = lines(written)
    assert [(line["elapsed_s"], line["records"], line["results"]) for line in told] == [(10, 20, 20), (11, 6, 6)]
    assert {line["event"] for line in told} == {"worker_summary"}
    assert [(line["lag_records"], line["held_records"], line["partitions"]) for line in told] == [(7, 3, 1)] * 2
    assert [(line["dead_letters"], line["batches"]) for line in told] == [(0, 0)] * 2
