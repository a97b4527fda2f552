"""`python -m dev.kafka up | down | status | produce | consume`: a local Kafka, which stays until taken down."""

import argparse
import re
import sys
import tempfile
from pathlib import Path

from dev.kafka.cluster import Cluster
from dev.kafka.console import consume, produce
from dev.kafka.existing import BOOTSTRAP_VARIABLE
from dev.kafka.jars import KAFKA_VERSION, KafkaUnavailableError, exclusive, fetch_jars, lock_lines
from dev.paths import cache_folder


def main() -> int:
    """Run a command; 1 if Kafka is unavailable, 130 after Ctrl-C."""
    options = _parser().parse_args()
    try:
        match options.command:
            case "up":
                return _up(options.name, options.brokers)
            case "down":
                _down(options.name, keep=options.keep)
            case "produce":
                print(f"{produce(options.topic, sys.stdin.buffer, options.key)} records", file=sys.stderr)
            case "consume":
                for line in consume(options.topic, options.count, headers=options.headers):
                    print(line, flush=True)
            case "lock":
                _lock()
            case _:
                _status()
    except KafkaUnavailableError as error:
        print(f"dev.kafka: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dev.kafka", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start a cluster, or say that it runs")
    up.add_argument("--brokers", type=int, choices=(1, 3), help="1 if not given")
    down = commands.add_parser("down", help="stop a cluster and remove its data")
    down.add_argument("--keep", action="store_true", help="keep the data for the next `up`")
    for command in (up, down):
        command.add_argument("--name", type=_name, default="default", help="several can run side by side")
    writing = commands.add_parser("produce", help="publish each line of standard input")
    writing.add_argument("topic")
    writing.add_argument("--key", metavar="MEMBER", help="the member of a JSON line that becomes the key")
    reading = commands.add_parser("consume", help="print the values of a topic from its beginning")
    reading.add_argument("topic")
    reading.add_argument("--count", type=int, help="wait for so many; without it, all that there are now")
    reading.add_argument("--headers", action="store_true", help="and the headers of each")
    commands.add_parser("status", help="list the clusters")
    commands.add_parser("lock", help="fetch the jars again and print the hashes for jars.sha256")
    return parser


def _name(text: str) -> str:
    if not re.fullmatch(r"\w[\w.-]*", text):
        raise argparse.ArgumentTypeError("letters, digits, dots and dashes only")
    return text


def _clusters_folder() -> Path:
    return cache_folder() / "kafka-clusters"


def _up(name: str, brokers: int | None) -> int:
    folder = _clusters_folder() / name
    with exclusive(folder):
        cluster = Cluster(folder, brokers or 1, detached=True)
        count = len(cluster.brokers)
        if brokers not in {None, count}:
            print(f"{name} has {count} broker(s); take it down first: {_command('down', name)}", file=sys.stderr)
            return 1
        running = all(broker.alive for broker in cluster.brokers)
        if not running:
            print(f"starting Apache Kafka {KAFKA_VERSION}, {count} broker(s)…", file=sys.stderr)
            cluster.start()
    print(f"# {name} {'is running already' if running else 'is up'}: {count} broker(s); where you use it:")
    print(f"export {BOOTSTRAP_VARIABLE}={cluster.bootstrap_servers}")
    print(f"# logs and data: {folder}; to end it: {_command('down', name)}")
    return 0


def _command(command: str, name: str) -> str:
    return f"python -m dev.kafka {command}" + ("" if name == "default" else f" --name {name}")


def _down(name: str, *, keep: bool) -> None:
    folder = _clusters_folder() / name
    if not folder.exists():
        print(f"there is no cluster {name}")
        return
    with exclusive(folder):
        cluster = Cluster(folder, detached=True)
        if keep:
            cluster.stop()
        else:
            cluster.wipe()
    print(f"{name} is down" + (", its data is kept" if keep else ""))


def _lock() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        print(lock_lines(fetch_jars(Path(scratch))), end="")


def _status() -> None:
    folders = sorted(path.parent for path in _clusters_folder().glob("*/cluster.json"))
    for folder in folders:
        cluster = Cluster(folder, detached=True)
        print(f"{folder.name}  {cluster.bootstrap_servers}  {folder}")
        for broker in cluster.brokers:
            state = f"alive, pid {broker.process_id}" if broker.alive else "down"
            print(f"  broker {broker.broker_id}  port {broker.port}  {state}")
    if not folders:
        print("no cluster; start one with `python -m dev.kafka up`")


if __name__ == "__main__":
    sys.exit(main())
