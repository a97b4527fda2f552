"""The `server.properties` of a broker that tests use: small, strict, and quick to rebalance."""

from collections.abc import Mapping, Sequence

HOST = "127.0.0.1"
_ALWAYS = {
    "auto.create.topics.enable": "false",
    "offsets.topic.num.partitions": 5,
    "transaction.state.log.num.partitions": 5,
    "share.coordinator.state.topic.num.partitions": 1,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    "log.cleaner.backoff.ms": 500,
    "log.retention.ms": -1,  # reviews are years old: by their timestamps they would be deleted within minutes
}
"""What every broker has, however many there are."""


def server_properties(
    broker_id: int,
    port: int,
    controller_port: int,
    *,
    data: str,
    controllers: Sequence[str],
    more: Mapping[str, str],
) -> str:
    """The text of `server.properties` of one broker.

    Args:
        broker_id: Its node id.
        port: Where clients reach it.
        controller_port: Where its controller is.
        data: Its data folder.
        controllers: `host:port` of every controller; one a broker, so their number is the replication factor.
        more: Settings besides, or instead; listeners besides.
    """
    replication = len(controllers)
    in_sync = max(1, replication - 1)
    ours = {
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
    }
    settings = {
        "process.roles": "broker,controller",
        "node.id": broker_id,
        "controller.quorum.bootstrap.servers": ",".join(controllers),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,"
        + ",".join(f"{it}:{it}" for it in ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")),
        "log.dirs": data,
        "default.replication.factor": replication,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replication,
        "transaction.state.log.replication.factor": replication,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": replication,
        "share.coordinator.state.topic.min.isr": in_sync,
        **_ALWAYS,
        **more,
    }
    for name in ("listeners", "advertised.listeners"):
        settings[name] = ",".join(filter(None, (ours[name], more.get("listeners"))))
    return "".join(f"{name}={value}\n" for name, value in settings.items())
