"""Every check in turn; one that fails hides no other that does not need it."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from contract.errors import ReviewSentimentError, UsageError
from worker.adapters.kafka_client import administration
from worker.adapters.kafka_view import Brokers, ClusterView, NotAuthorisedError, Topic
from worker.adapters.patience import Patience
from worker.errors import BundleRefusedError, KafkaUnfitError, ModelFailedError
from worker.model import load_model
from worker.preflight.checks import Check, State
from worker.preflight.group import clock_check, group_checks, position_checks
from worker.preflight.rights import Right, needed, right_check
from worker.preflight.topics import topic_checks
from worker.settings import Settings
from worker.topics import MESSAGE_BYTES_MAX, NewTopic, outgoing_configs

_MIB = 2**20
_POLL_BYTES = 32 * _MIB
_TRANSACTIONS_SINCE = (2, 5)  # fenced by the group's membership (KIP-447)
_PRODUCERS_SINCE = (0, 11)  # idempotent ones, and headers
_TOPIC_IDS_SINCE = (2, 8)

_BUNDLE_ADVICE = {
    BundleRefusedError.exit_code: "let WORKER_BUNDLE name what `python -m export bundle` wrote, as it wrote it",
    ModelFailedError.exit_code: "look at the device and its memory, or at WORKER_DEVICE",
}


def preflight(settings: Settings) -> list[Check]:
    """All that `run` needs."""
    return [bundle_check(settings), *tracing_checks(settings), *cluster_checks(settings)]


def bundle_check(settings: Settings) -> Check:
    """The bundle, verified and warm on this device."""
    try:
        model = load_model(settings)
    except ReviewSentimentError as error:
        advice = _BUNDLE_ADVICE.get(error.exit_code, "correct the setting")
        return Check("bundle", "model", State.FAILED, str(error), advice, error.exit_code)
    file = model.bundle.manifest.files[model.bundle.variant(model.variant).file]
    return Check(
        "bundle", "model", State.OK,
        f"{model.identity.name} {model.identity.version}: {model.variant} on {model.classifier.provider}; up to "
        f"{memory_bytes(settings) // _MIB} MiB beside the libraries and the model, a file of "
        f"{file.bytes / _MIB:.0f} MiB",
    )  # fmt: skip


def tracing_checks(settings: Settings) -> Iterator[Check]:
    """What the SDK makes of its variables, where it is asked for; a receiver that is away stops nobody."""
    if not settings.tracing:
        return
    from worker.adapters.tracing import open_tracing  # noqa: PLC0415 - its packages are an extra

    try:
        open_tracing(settings, "check").close()
    except UsageError as error:
        advice = "correct that variable, or set WORKER_TRACING=false"
        yield Check("traces", "settings", State.FAILED, str(error), advice, error.exit_code)
    else:
        yield Check("traces", "settings", State.OK, "the SDK takes its variables; nothing was sent")


def memory_bytes(settings: Settings) -> int:
    """What a worker takes on the CPU at most, besides its model and its libraries: "Memory" in operations.md."""
    return (
        5 * settings.held_bytes_max + 10 * settings.window_bytes_max + 40 * settings.input_bytes_max + _POLL_BYTES
    )


def cluster_checks(settings: Settings) -> Iterator[Check]:
    """All that is asked of Kafka; each question once it is due."""
    patience = Patience(settings)
    try:
        with administration(settings, patience) as admin:
            yield from _cluster_checks(ClusterView(admin, settings, patience), settings)
    except KafkaUnfitError as error:
        yield Check("brokers", "connection", State.FAILED, str(error), "nothing else of Kafka could be asked")


def _cluster_checks(view: ClusterView, settings: Settings) -> Iterator[Check]:
    yield from _tried("brokers", "connection", lambda: _brokers(view, settings))
    topics: dict[str, Topic] = {}
    yield from _tried("topics", "exist", lambda: _topics(view, settings, topics))
    yield from _tried(settings.group_id, "members", lambda: _group(view, settings, topics))
    yield from _tried("producer", "session", lambda: _producer(view, settings, topics))


def _tried(subject: str, name: str, ask: Callable[[], Iterable[Check]], *, needed: bool = True) -> Iterator[Check]:
    """The checks of one question, or that it could not be asked; where it is not needed, that is no failure."""
    try:
        yield from ask()
    except KafkaUnfitError as error:
        state = State.FAILED if needed else State.UNKNOWN
        yield Check(subject, name, state, str(error), "look at the brokers" if needed else "")


def _brokers(view: ClusterView, settings: Settings) -> Iterator[Check]:
    brokers = view.brokers()
    found = f"cluster {brokers.cluster_id}, {len(brokers.ids)} at {settings.kafka_bootstrap_servers}"
    yield Check("brokers", "connection", State.OK, found)
    yield version_check(brokers, settings)
    yield from _tried(
        "brokers", "limits", lambda: limit_checks(view.broker_configs(brokers.ids[0]), settings), needed=False
    )


def version_check(brokers: Brokers, settings: Settings) -> Check:
    """Whether Kafka is recent enough."""
    found = f"the protocol of Kafka {'.'.join(map(str, brokers.version))}"
    transactional = settings.delivery == "exactly-once"
    since = _TRANSACTIONS_SINCE if transactional else _PRODUCERS_SINCE
    if brokers.version < since:
        least = ".".join(map(str, since))
        advice = f"{settings.delivery} takes Kafka {least}" + (
            "; WORKER_DELIVERY=at-least-once takes less" if transactional else ""
        )
        return Check("brokers", "version", State.FAILED, found, advice)
    if brokers.version < _TOPIC_IDS_SINCE:
        found += ": topics have no ids yet, so one that is recreated may not be noticed"
        return Check("brokers", "version", State.WARNING, found, "Kafka 2.8 has them")
    return Check("brokers", "version", State.OK, found)


def limit_checks(configs: Mapping[str, str], settings: Settings) -> Iterator[Check]:
    """Our timeouts, held to the brokers' limits where we may read those."""
    if not configs:
        advice = Right("DESCRIBE_CONFIGS", "cluster", "").command(settings)
        yield Check("brokers", "limits", State.UNKNOWN, "may not be read: DESCRIBE_CONFIGS is missing", advice)
        return
    limits = [("session_timeout_ms", "group.min.session.timeout.ms", "group.max.session.timeout.ms")]
    if settings.delivery == "exactly-once":
        limits.append(("transaction_timeout_ms", "", "transaction.max.timeout.ms"))
    for setting, least, most in limits:
        ours, low, high = getattr(settings, setting), int(configs.get(least, 0)), int(configs.get(most, 2**63))
        bound = f"{least} {low} and {most} {high}" if least else f"{most} {high}"
        found = f"WORKER_{setting.upper()} {ours}, where the brokers have {bound}"
        if low <= ours <= high:
            yield Check("brokers", "limits", State.OK, found)
        else:
            yield Check("brokers", "limits", State.FAILED, found, "set ours within theirs")


def _topics(view: ClusterView, settings: Settings, found: dict[str, Topic]) -> Iterator[Check]:
    found.update(view.topics())
    for topic in found.values():
        yield _existence(view, topic, found[settings.input_topic], settings)
    yield from topic_checks(found, settings)
    for right in needed(settings):
        if right.kind == "topic":
            topic = found[right.name]
            cause = "" if topic.authorised else ", and so is DESCRIBE"
            allowed = None if topic.rights is None else right.operation in topic.rights
            granted = allowed if topic.authorised else False
            yield right_check(right, settings, granted=granted, cause=cause)


def _existence(view: ClusterView, topic: Topic, source: Topic, settings: Settings) -> Check:
    if not topic.authorised:
        return Check(topic.name, "exists", State.UNKNOWN, "may not be looked at, see its rights")
    if topic.partitions:
        return Check(topic.name, "exists", State.OK, f"id {topic.topic_id}" if topic.topic_id else "yes")
    missing = f"there is no topic {topic.name}"
    create = "python -m worker topics create" + ("" if source.partitions else " --partitions N")
    if topic is source:
        return Check(topic.name, "exists", State.FAILED, missing, f"{create}, or set WORKER_INPUT_TOPIC")
    if not settings.create_topics:
        return Check(topic.name, "exists", State.FAILED, missing, f"{create}, or set WORKER_CREATE_TOPICS=true")
    return _creation(view, topic, source, settings)


def _creation(view: ClusterView, topic: Topic, source: Topic, settings: Settings) -> Check:
    """Whether the worker could create an outgoing topic, as the settings say."""
    if not source.partitions:
        found = f"not yet: the worker creates it with the partitions of {source.name}"
        return Check(topic.name, "exists", State.UNKNOWN, found)
    limit = int(source.configs.get("max.message.bytes", MESSAGE_BYTES_MAX))
    new = NewTopic(topic.name, source.partitions, configs=outgoing_configs(limit))
    try:
        view.may_create(new)
    except NotAuthorisedError:
        return right_check(Right("CREATE", "topic", topic.name), settings, granted=False)
    except KafkaUnfitError as error:
        found = f"there is no topic {topic.name}, and it can't be created: {error}"
        return Check(topic.name, "exists", State.FAILED, found, "python -m worker topics create --dry-run")
    return Check(topic.name, "exists", State.OK, f"not yet: the worker will create it with {new.described()}")


def _group(view: ClusterView, settings: Settings, topics: Mapping[str, Topic]) -> Iterator[Check]:
    (right,) = (it for it in needed(settings) if it.kind == "group")
    granted = view.may_join()
    yield right_check(right, settings, granted=granted)
    if not granted:
        return
    yield from group_checks(view.group(), settings)
    source = topics.get(settings.input_topic)
    if source is None or not source.partitions or source.leaderless:
        return
    positions = view.positions(source.partitions)
    yield from position_checks(positions, source, settings)
    yield from _tried(
        source.name, "clock", lambda: [clock_check(view.newest_ms(source.partitions), source)], needed=False
    )


def _producer(view: ClusterView, settings: Settings, topics: Mapping[str, Topic]) -> Iterator[Check]:
    """Sessions of producers; since Kafka 2.8 WRITE on any topic is enough for a plain one."""
    written = [it for name, it in topics.items() if name != settings.input_topic]
    if any("WRITE" in (it.rights or ()) for it in written):
        yield right_check(Right("IDEMPOTENT_WRITE", "cluster", ""), settings, granted=view.may_write())
    for right in needed(settings):
        if right.kind == "transactional-id":
            yield right_check(right, settings, granted=view.may_transact())
