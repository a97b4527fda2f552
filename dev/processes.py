"""Workers as separate processes, as they run in production, that die with the process that started them."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

_PR_SET_PDEATHSIG = 1


class WorkerDiedError(Exception):
    """A worker ended before it was ready; the end of its log is in the message."""


class WorkerProcess:
    """A worker with its log in a file; as a context manager it is stopped at the end."""

    def __init__(self, log_file: Path, settings: Mapping[str, object], *, module: str = "worker") -> None:
        """Start a worker.

        Args:
            log_file: Where its JSON lines go.
            settings: By environment variable, `WORKER_…` or `KAFKA_…`.
            module: `worker`, or a module with the same behaviour.
        """
        self.log_file = log_file
        arguments = [sys.executable, "-m", module, *(["run"] if module == "worker" else [])]
        variables = {name: str(value) for name, value in settings.items()}
        defaults = {"WORKER_HTTP_PORT": "0", "WORKER_HTTP_HOST": "127.0.0.1", "WORKER_LOG_FORMAT": "json"}
        # What the caller's own shell sets for a worker must not reach this one.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WORKER_")}
        with log_file.open("ab") as log:
            self._process = subprocess.Popen(
                arguments,
                env={**inherited, **defaults, **variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to pass on
                preexec_fn=die_with_parent,  # noqa: PLW1509 - nothing else ties a child to its parent
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.terminate()
        self.wait(20)

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that killed it."""
        return self._process.poll()

    @property
    def process_id(self) -> int:
        """Of the worker."""
        return self._process.pid

    def events(self) -> Iterator[dict[str, Any]]:
        """What it has logged so far."""
        for line in self.log_file.read_text(errors="replace").splitlines():
            if line.startswith("{"):
                yield json.loads(line)

    def logged(self, name: str) -> list[dict[str, Any]]:
        """Its events of one name."""
        return [event for event in self.events() if event["event"] == name]

    def wait_ready(self, timeout_s: float = 60) -> None:
        """Wait until the worker is warm and in its group.

        Raises:
            WorkerDiedError: If it ends before, or takes longer.
        """
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            if self.exit_code is not None:
                break
            if self.get("/readyz")[0] == 200:  # noqa: PLR2004 - HTTP's OK
                return
            time.sleep(0.05)
        tail = "\n".join(self.log_file.read_text(errors="replace").splitlines()[-20:])
        raise WorkerDiedError(f"the worker is not ready (exit code {self.exit_code}):\n{tail}")

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a path of its HTTP port; status 0 while there is none."""
        ports = [event["http_port"] for event in self.logged("worker_starting")]
        if not ports:
            return 0, ""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{ports[-1]}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        lines = self.get("/metrics")[1].splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)

    @property
    def still_s(self) -> float:
        """How long its poll loop has not turned: longer than a poll means that something holds it."""
        words = self.get("/livez")[1].split()
        return float(words[words.index("turned") + 1]) if "turned" in words else 0.0

    def terminate(self) -> None:
        """Ask it to stop."""
        self.signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL it."""
        self.signal(signal.SIGKILL)
        self._process.wait()

    def pause(self) -> None:
        """SIGSTOP it: it keeps its connections and does nothing."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT it."""
        self.signal(signal.SIGCONT)

    @property
    def resident_bytes(self) -> int:
        """Memory that it has in use; 0 when it is gone."""
        try:
            pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    def wait(self, timeout_s: float) -> int:
        """Wait for its end, and kill it when it takes too long; returns the exit code."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self._process.poll() is None:
            self._process.send_signal(number)


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that started it ends: for `preexec_fn`."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
