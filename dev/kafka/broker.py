"""One broker: a Java process with a folder of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from dev.kafka.jars import KafkaUnavailableError, java_file
from dev.kafka.properties import HOST, server_properties

# The first compiler only: the optimising one adds 2 s to a start of 4 s, and short lives don't earn them back.
_JAVA_OPTIONS = ("-Xmx400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_LOGGING = f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties')}"
_GUARD = Path(__file__).with_name("guard.py")


@dataclass
class Broker:
    """A broker by its id, which counts from 1, and its two ports."""

    broker_id: int
    folder: Path
    port: int
    controller_port: int
    directory_id: str
    process_id: int = 0
    started_at: int = 0
    """When the process started, in clock ticks since the machine did: with the id it names one process."""
    _child: subprocess.Popen[bytes] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def from_state(cls, folder: Path, state: dict[str, Any]) -> Self:
        """The broker that `state` described, with its folder inside this one."""
        return cls(folder=folder / f"broker-{state['broker_id']}", **state)

    def state(self) -> dict[str, Any]:
        """What another process needs to know of it, ready for JSON."""
        names = ("broker_id", "port", "controller_port", "directory_id", "process_id", "started_at")
        return {name: getattr(self, name) for name in names}

    @property
    def address(self) -> str:
        """Where clients reach it, `host:port`."""
        return f"{HOST}:{self.port}"

    @property
    def controller_address(self) -> str:
        """Where the other controllers reach its own, `host:port`."""
        return f"{HOST}:{self.controller_port}"

    @property
    def alive(self) -> bool:
        """Whether its process is there, paused or not."""
        if self._child:
            return self._child.poll() is None
        state, started_at = _stat(self.process_id)
        return started_at == self.started_at and state != "Z"  # another may have got its id; a zombie is dead

    def format(self, jars: Path, cluster_id: str, voters: Sequence["Broker"], more: Mapping[str, str]) -> None:
        """Write `server.properties` with `more` settings, and format the data folder unless that is done.

        Raises:
            KafkaUnavailableError: If Java or the tool fails.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        data, controllers = self.folder / "data", [voter.controller_address for voter in voters]
        self._properties_file.write_text(
            server_properties(
                self.broker_id, self.port, self.controller_port, data=str(data), controllers=controllers, more=more
            )
        )
        if (data / "meta.properties").exists():
            return
        initial = ",".join(f"{v.broker_id}@{v.controller_address}:{v.directory_id}" for v in voters)
        arguments = ("-t", cluster_id, "-c", str(self._properties_file), "--initial-controllers", initial)
        try:
            self.run_tool(jars, "kafka.tools.StorageTool", "format", *arguments)
        except OSError as error:
            raise KafkaUnavailableError(f"Java does not start: {error}") from error
        except subprocess.CalledProcessError as error:
            raise KafkaUnavailableError(f"formatting broker {self.broker_id} failed:\n{error.stdout}") from error

    def run_tool(self, jars: Path, name: str, *arguments: str) -> None:
        """Run one of Kafka's own tools to its end.

        Raises:
            OSError: If Java does not start.
            subprocess.CalledProcessError: If the tool fails; what it says is in the error.
        """
        command = self._java(jars, name, *arguments)
        subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def start(self, jars: Path, *, detached: bool) -> None:
        """Start the process; unless detached it dies with ours, however ours ends."""
        command = self._java(jars, "kafka.Kafka", str(self._properties_file))
        guard = () if detached else (sys.executable, "-IS", str(_GUARD), str(os.getpid()))
        with (self.folder / "broker.log").open("ab") as output:
            process = subprocess.Popen(
                [*guard, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a terminal's Ctrl-C must reach the clients first
            )
        self.process_id = process.pid
        _, self.started_at = _stat(process.pid)
        if detached:
            process.returncode = 0  # nobody will wait for it; Popen would warn of that
        else:
            self._child = process

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the process is there."""
        if self._child:
            self._child.send_signal(number)  # never hits another process that got the id since
        elif self.alive:
            os.kill(self.process_id, number)

    def end(self, *, grace_s: float) -> None:
        """Wait for the process to end, and SIGKILL it after `grace_s` seconds."""
        deadline_s = time.monotonic() + grace_s
        while self.alive:
            if time.monotonic() >= deadline_s:
                self.send(signal.SIGKILL)
            time.sleep(0.01)

    def log_tail(self, lines: int = 40) -> str:
        """The end of the broker's log."""
        log = self.folder / "broker.log"
        text = log.read_text(errors="replace") if log.exists() else ""
        return "\n".join([f"{log}:", *text.splitlines()[-lines:]])

    @property
    def _properties_file(self) -> Path:
        return self.folder / "server.properties"

    def _java(self, jars: Path, *arguments: str) -> list[str]:
        options = (*_JAVA_OPTIONS, f"-Dkafka.logs.dir={self.folder}", _LOGGING)
        return [str(java_file()), *options, "-cp", f"{jars}/*", *arguments]


def _stat(process_id: int) -> tuple[str, int]:
    """State and start time of a process, as proc(5) gives them; ("", -1) when there is none."""
    try:
        after_name = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", -1
    return after_name[0], int(after_name[19])
