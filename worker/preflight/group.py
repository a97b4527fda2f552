"""Whether our group lets us in, and whether its positions are ones that a worker can go on from."""

import time
from collections.abc import Iterator, Sequence

from worker.adapters.kafka_view import Group, Position, Topic
from worker.errors import EventsExpiredError, InputReplacedError
from worker.preflight.checks import Check, State
from worker.settings import Settings

_ASSIGNOR = "cooperative-sticky"
_ALONE = ("Dead", "Empty")  # Kafka's words for a group that is not there yet, or has no members
_AHEAD_S = 5.0


def group_checks(group: Group, settings: Settings) -> Iterator[Check]:
    """Its members."""
    name = settings.group_id
    found = f"{group.state}, {group.members} members"
    other = "set WORKER_GROUP_ID to a group of its own: another program uses this one"
    if group.protocol_type not in ("", "consumer"):
        found = f"is a group of {group.protocol_type}, not of consumers"
        yield Check(name, "members", State.FAILED, found, other)
    elif group.state not in _ALONE and group.assignor not in ("", _ASSIGNOR):
        found += f", who share by {group.assignor}, where a worker shares by {_ASSIGNOR}"
        yield Check(name, "members", State.FAILED, found, other)
    else:
        yield Check(name, "members", State.OK, "none yet" if group.state in _ALONE else found)
    if group.holder is not None:
        found = f"member {group.holder.member_id} at {group.holder.host} has {settings.group_instance_id}"
        advice = (
            "fine where this replica takes its place; if both are to run, give each a WORKER_GROUP_INSTANCE_ID "
            "of its own"
        )
        yield Check(name, "instance", State.WARNING, found, advice)
    elif settings.group_instance_id:
        yield Check(name, "instance", State.OK, f"nobody has {settings.group_instance_id}")


def position_checks(positions: Sequence[Position], source: Topic, settings: Settings) -> Iterator[Check]:
    """Where it goes on."""
    name = settings.group_id
    replaced = [it for it in positions if source.topic_id and it.topic_id and it.topic_id != source.topic_id]
    cut = [it for it in positions if it not in replaced and it.offset > it.latest]
    expired = [it for it in positions if it not in replaced and it.offset < it.earliest]
    lag = sum(max(0, it.latest - max(it.offset, it.earliest)) for it in positions)
    if positions:
        found = f"of {len(positions)} of {source.partitions} partitions; {lag} records behind"
    else:
        found = "none: it begins at the earliest records"
    if (replaced or cut) and not settings.allow_replaced:
        which = _named(replaced or cut, source)
        what = f"{which} of another topic of this name" if replaced else f"{which} behind the end of the log"
        advice = "find out who recreated or cut it; WORKER_ALLOW_REPLACED=true for one start goes on with it"
        yield Check(name, "positions", State.FAILED, what, advice, InputReplacedError.exit_code)
    elif expired and not settings.allow_expired:
        what = f"unread events are gone from {_named(expired, source)}"
        advice = "raise the input's retention; WORKER_ALLOW_EXPIRED=true goes on at the earliest that is left"
        yield Check(name, "positions", State.FAILED, what, advice, EventsExpiredError.exit_code)
    else:
        yield Check(name, "positions", State.OK, found)


def clock_check(newest_ms: int | None, source: Topic) -> Check:
    """Our clock beside the newest timestamp of the input: the broker's own, or a producer's.

    Kafka tells nobody the time, but nothing in a log should be of the future.
    """
    if newest_ms is None:
        return Check(source.name, "clock", State.OK, "no record has a timestamp to compare with")
    ahead_s = newest_ms / 1000 - time.time()
    of_broker = source.configs.get("message.timestamp.type") == "LogAppendTime"
    whose = "the broker's" if of_broker else "a producer's"
    if ahead_s > _AHEAD_S:
        found = f"the newest record is {ahead_s:.0f} s in the future: our clock is behind {whose}"
        advice = "synchronise the clocks (NTP): latencies are wrong, and topics may refuse timestamps"
        return Check(source.name, "clock", State.WARNING, found, advice)
    return Check(source.name, "clock", State.OK, f"the newest record is {-ahead_s:.0f} s old by {whose} clock")


def _named(positions: Sequence[Position], source: Topic) -> str:
    return ", ".join(f"{source.name}/{it.partition} at {it.offset}" for it in positions)
