"""What a line of the log says of itself, whoever wrote it."""

import json
import logging

import pytest
import structlog

from worker.logs import configure_logging


def test_lines_of_libraries_have_an_event_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    """Alerts count events by name: a library's text is a message, which may change with its version."""
    handlers, level = logging.getLogger().handlers, logging.getLogger().level
    try:
        configure_logging("info", "json")
        logging.getLogger("kafka.consumer.fetcher").warning("Fetch to node %s failed", 3)
        logging.getLogger("asyncio").error("Task exception")
        structlog.get_logger("worker.app").info("worker_starting", pid=1)
    finally:
        logging.getLogger().handlers = handlers
        logging.getLogger().setLevel(level)
        structlog.reset_defaults()
    client, other, ours = map(json.loads, capsys.readouterr().out.splitlines())
    assert (client["event"], client["message"]) == ("kafka_client", "Fetch to node 3 failed")
    assert (client["logger"], client["level"]) == ("kafka.consumer.fetcher", "warning")
    assert (other["event"], other["message"]) == ("library", "Task exception")
    assert (ours["event"], ours["pid"], "message" in ours) == ("worker_starting", 1, False)
