"""Logging: one JSON object a line for machines, or colours for people; the clients' logs go the same way."""

import logging
import sys
import threading
import time
from types import TracebackType
from typing import TextIO

import structlog

# A traceback with the values of its variables would have reviews and passwords in it.
_TRACEBACKS = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)

REPEATS_MAX = 10
REPEATS_WITHIN_S = 10.0
_SAID_MAX = 1000
_LEFT_OUT = "repeats_left_out"

_context: dict[str, str] = {}


def say_in_each_line(**context: str) -> None:
    """Have each line from now on say these too: where logs of many workers come together, whose it is."""
    _context.update(context)


def configure_logging(level: str, log_format: str, stream: TextIO | None = None) -> None:
    """Send everything that is logged to one place.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        log_format: `json`, `console`, or `auto` for what suits the reader.
        stream: Where to; standard output if not given.
    """
    stream = stream or sys.stdout
    for_people = log_format == "console" or (log_format == "auto" and stream.isatty())
    shared: list[structlog.typing.Processor] = [
        _with_context,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    last: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if for_people
        else [structlog.processors.ExceptionRenderer(_TRACEBACKS), structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _name_the_event],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    if level != "debug":
        handler.addFilter(_FewRepeats())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # The client tells of every connection at `info`; what concerns an operator it says at `warning`.
    logging.getLogger("kafka").setLevel(max(logging.WARNING, root.level) if level != "debug" else logging.INFO)


class _FewRepeats(logging.Filter):
    """Leaves out what the Kafka client says over and over; the next such line after a while tells how many.

    Coroutines that find a coordinator dead at the same time each say so and try again, hundreds of times a second.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], tuple[float, int]] = {}  # since when, and how often

    def filter(self, record: logging.LogRecord) -> bool:
        if not _is_of_kafka(record.name):
            return True
        what, now_s = (record.name, str(record.msg)), time.monotonic()
        since_s, count = self._said.get(what, (now_s, 0))
        if now_s - since_s >= REPEATS_WITHIN_S:
            setattr(record, _LEFT_OUT, max(0, count - REPEATS_MAX))
            since_s, count = now_s, 0
        if len(self._said) > _SAID_MAX:
            self._said.clear()
        self._said[what] = since_s, count + 1
        return count < REPEATS_MAX


def log_what_nobody_catches() -> None:
    """Have an error that ends the program, or one of its threads, be a line of the log like any other."""

    def uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if issubclass(kind, Exception):
            structlog.get_logger("worker").error("uncaught_error", exc_info=(kind, error, traceback))
        else:
            sys.__excepthook__(kind, error, traceback)

    def uncaught_in_thread(told: threading.ExceptHookArgs) -> None:
        if told.exc_value is not None:
            uncaught(told.exc_type, told.exc_value, told.exc_traceback)

    sys.excepthook, threading.excepthook = uncaught, uncaught_in_thread


def _with_context(
    _logger: structlog.typing.WrappedLogger, _method: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return {**_context, **line}


def _name_the_event(
    _logger: structlog.typing.WrappedLogger, _method: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """A library's text is a message; the event's name is ours, for those who count events."""
    left_out = getattr(line["_record"], _LEFT_OUT, 0)
    return {
        **line,
        "event": "kafka_client" if _is_of_kafka(str(line["logger"])) else "library",
        "message": line["event"],
        **({_LEFT_OUT: left_out} if left_out else {}),
    }


def _is_of_kafka(logger: str) -> bool:
    return logger.split(".", maxsplit=1)[0] == "kafka"
