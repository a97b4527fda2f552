"""What a worker shows of itself: to probes, to Prometheus, and to people."""

import os
import socket
import time
from collections.abc import Callable

from contract.events import ModelIdentity
from contract.version import VERSION
from worker.adapters.http import HealthServer
from worker.adapters.metrics import Metrics
from worker.core.history import History
from worker.life import Life, State
from worker.logs import say_in_each_line
from worker.redaction import shown
from worker.settings import Settings
from worker.status_page import Status, render


class Watched:
    """A worker from outside. Any thread may ask."""

    def __init__(self, settings: Settings, life: Life) -> None:
        """Show what `life` says; nothing has been done yet."""
        self.metrics, self.history = Metrics(), History()
        self.loop_turned_s: Callable[[], float] | None = None
        """When the poll loop last turned, in seconds of the monotonic clock; None before there is one."""
        self.standing_by = False
        self._settings, self._life = settings, life
        self._started_s = time.monotonic()
        self.name = settings.group_instance_id or f"{socket.gethostname()}/{os.getpid()}"
        self._model: ModelIdentity | None = None
        self.metrics.states(State, lambda: life.state)

    def serve(self) -> HealthServer:
        """Open the HTTP port, and have each line of the log say whose it is.

        Raises:
            UsageError: If that port is taken or not allowed.
        """
        say_in_each_line(worker=self.name, group=self._settings.group_id)
        return HealthServer(
            self._settings.http_host,
            self._settings.http_port,
            live=self.live,
            ready=self._life.ready,
            started=self._life.started,
            metrics=self.metrics.exposition,
            page=self.page,
        )

    def has_model(self, model: ModelIdentity) -> None:
        """From now on it serves this one."""
        self._model = model
        self.metrics.model(model)
        say_in_each_line(bundle=f"{model.name} {model.version}")

    def live(self) -> tuple[bool, str]:
        """Whether the poll loop turns, or the start is not overdue yet."""
        if self.standing_by:
            return True, "standing by"
        turned_s, settings = self.loop_turned_s, self._settings
        still_s = time.monotonic() - (turned_s() if turned_s else self._started_s)
        what = "the poll loop turned" if turned_s else "the worker started"
        timeouts_ms = (settings.drain_timeout_ms, settings.publish_timeout_ms, settings.shutdown_timeout_ms)
        longest_s = max(60.0, 2 * max(timeouts_ms) / 1000)
        if not turned_s:
            longest_s += settings.start_timeout_ms / 1000
        return still_s < longest_s, f"{what} {still_s:.1f} s ago"

    def page(self) -> str:
        """The status page."""
        is_ready, told = self._life.ready()
        state, _, why = told.partition(": ")
        now_s = time.monotonic()
        return render(
            Status(
                state=state,
                why=why,
                is_ready=is_ready,
                name=self.name,
                version=VERSION,
                uptime_s=now_s - self._started_s,
                now_s=now_s,
                model=self._model,
                samples=self.history.samples(),
                dead_letters=tuple(self.metrics.last_dead_letters),
                settings=shown(self._settings),
            )
        )
