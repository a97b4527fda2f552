"""`python -m dev.kafka up [--brokers 3] | down | status`: a local Kafka that stays until it is taken down."""

import argparse
import sys
from pathlib import Path

from dev.kafka.cluster import Cluster
from dev.kafka.jars import KafkaUnavailableError, jars_folder, lock_lines
from dev.paths import cache_folder


def main() -> int:
    """Run a command; 1 if Kafka can't be had."""
    parser = argparse.ArgumentParser(prog="python -m dev.kafka", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start a cluster, or say that it runs")
    up.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    down = commands.add_parser("down", help="stop a cluster and remove its data")
    down.add_argument("--keep", action="store_true", help="keep the data for the next `up`")
    for command in (up, down):
        command.add_argument("--name", default="default", help="several clusters can run side by side")
    commands.add_parser("status", help="list the clusters")
    commands.add_parser("lock", help="print the hashes for jars.sha256")
    options = parser.parse_args()
    try:
        match options.command:
            case "up":
                _up(options.name, options.brokers)
            case "down":
                _down(options.name, keep=options.keep)
            case "lock":
                print(lock_lines(jars_folder()), end="")
            case _:
                _status()
    except KafkaUnavailableError as error:
        print(f"dev.kafka: {error}", file=sys.stderr)
        return 1
    return 0


def _folder(name: str) -> Path:
    return cache_folder() / "kafka-clusters" / name


def _up(name: str, brokers: int) -> None:
    cluster = Cluster(_folder(name), brokers, detached=True)
    running = all(broker.alive for broker in cluster.brokers)
    cluster.start()
    print(f"{name} {'runs already' if running else 'is up'} with {len(cluster.brokers)} broker(s)")
    print(f"export KAFKA_BOOTSTRAP_SERVERS={cluster.bootstrap_servers}")


def _down(name: str, *, keep: bool) -> None:
    if not _folder(name).exists():
        print(f"there is no cluster {name}")
        return
    cluster = Cluster(_folder(name), detached=True)
    cluster.stop()
    if not keep:
        cluster.wipe()
    print(f"{name} is down" + (", its data is kept" if keep else ""))


def _status() -> None:
    folders = sorted(path.parent for path in _folder("x").parent.glob("*/cluster.json"))
    for folder in folders:
        cluster = Cluster(folder, detached=True)
        print(f"{folder.name}  {cluster.bootstrap_servers}  {folder}")
        for broker in cluster.brokers:
            state = f"pid {broker.process_id}" if broker.alive else "down"
            print(f"  broker {broker.broker_id}  port {broker.port}  {state}")
    if not folders:
        print("no cluster; start one with `python -m dev.kafka up`")


if __name__ == "__main__":
    sys.exit(main())
