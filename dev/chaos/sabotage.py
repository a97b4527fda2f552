"""Workers that break one promise each: what the harness has to catch, or its silence would mean nothing.

`python -m dev.chaos.sabotage` is a worker with the sabotage that CHAOS_SABOTAGE names.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dev import faulty_worker
from dev.chaos.run import Plan
from dev.chaos.schedule import Fault, Kind
from worker import outcomes
from worker.adapters.kafka_log_guard import LogGuard
from worker.adapters.kafka_positions import LogPositions
from worker.adapters.kafka_rebalances import Rebalances
from worker.adapters.kafka_sink import KafkaSink
from worker.adapters.kafka_transactions import KafkaTransactionalSink
from worker.core.ledger import Commit
from worker.core.records import Record
from worker.delivery import Answered, AtLeastOnce
from worker.in_flight import InFlight
from worker.outcomes import Outgoing, Unwritten
from worker.passage import Scored, Submitted
from worker.pipeline import Pipeline
from worker.settings import load_settings
from worker.stop import leave


@dataclass(frozen=True)
class Sabotage:
    """What is broken, which words of the verdict name it, and what brings it to light."""

    apply: Callable[[], None]
    breaks: str
    faults: tuple[Fault, ...] = ()
    delivery: str = "at-least-once"
    environment: Mapping[str, object] = field(default_factory=dict)
    """More settings of its workers, so that it comes to light soon."""


def _commit_before_acknowledgement() -> None:
    original = AtLeastOnce.deliver

    def deliver(self: Any, answered: Answered) -> None:
        self._in_flight.settled(answered.window)
        time.sleep(1)  # a commit comes in between
        self._in_flight.settled, kept = (lambda _: None), self._in_flight.settled
        original(self, answered)
        self._in_flight.settled = kept

    AtLeastOnce.deliver = deliver  # type: ignore[method-assign]


def _change_answers(change: Callable[[list[Outgoing]], list[Outgoing]]) -> None:
    original = Pipeline.answer

    def answer(self: Any, scored: Scored) -> Answered:
        answered = original(self, scored)
        return replace(answered, outgoing=tuple(change(list(answered.outgoing))))

    Pipeline.answer = answer  # type: ignore[method-assign]


def _drop_a_record() -> None:
    _change_answers(lambda outgoing: outgoing[1:])


def _swap_two() -> None:
    def swap(outgoing: list[Outgoing]) -> list[Outgoing]:
        for index, item in enumerate(outgoing):
            later = [n for n in range(index + 1, len(outgoing)) if outgoing[n].target == item.target]
            if later:
                outgoing[index], outgoing[later[0]] = outgoing[later[0]], item
                break
        return outgoing

    _change_answers(swap)


def _skip_the_commit_on_revocation() -> None:
    async def no_commit(*_: object, drained: bool) -> None:
        pass

    Rebalances._commit = no_commit  # type: ignore[method-assign,assignment]  # noqa: SLF001


def _send_outside_the_transaction() -> None:
    original = KafkaTransactionalSink.transact

    def transact(self: Any, outgoing: Sequence[Outgoing], offsets: Commit, member: object) -> list[Unwritten]:
        if not hasattr(self, "outside"):
            settings = load_settings()
            self.outside = KafkaSink(settings, {})
        unwritten: list[Unwritten] = self.outside.publish(outgoing)
        time.sleep(1)  # a crash comes in between
        original(self, [], offsets, member)
        return unwritten

    KafkaTransactionalSink.transact = transact  # type: ignore[method-assign]


def _swap_two_answers() -> None:
    original = Pipeline.collect

    def collect(self: Any, submitted: Submitted) -> Scored:
        scored = original(self, submitted)
        if len(scored.answers) < 2:  # noqa: PLR2004
            return scored
        first, *_, last = scored.answers
        swapped = {first: scored.answers[last], last: scored.answers[first]}
        return replace(scored, answers={**scored.answers, **swapped})

    Pipeline.collect = collect  # type: ignore[method-assign]


def _never_commit() -> None:
    InFlight.due = lambda *_: {}  # type: ignore[method-assign]
    InFlight.farewell = lambda *_, **__: {}  # type: ignore[method-assign]


def _commit_an_old_position_into_a_new_topic() -> None:
    LogPositions.check = lambda *_: None  # type: ignore[method-assign]
    LogGuard._is_foreign = lambda *_: False  # type: ignore[method-assign]  # noqa: SLF001


def _drop_what_is_refused() -> None:
    original = KafkaSink.publish

    def publish(self: Any, outgoing: Sequence[Outgoing]) -> list[Any]:
        now_ms = time.time() * 1000
        taken = [
            item for item in outgoing if item.kind is outcomes.Kind.DEAD_LETTER or _is_taken(item.source, now_ms)
        ]
        return original(self, taken)

    KafkaSink.publish = publish  # type: ignore[method-assign]


def _is_taken(record: Record, now_ms: float) -> bool:
    return record.key is not None and record.timestamp_ms <= now_ms + 60_000


def _fault(at_s: float, kind: Kind) -> Fault:
    return Fault(at_s, kind, 0, 0.0, alone=False)  # at its time: what a sabotage loses is never calm


_KILLS = tuple(_fault(at_s, Kind.WORKER_KILL) for at_s in (8.0, 16.0, 24.0))
_SCALINGS = (_fault(8, Kind.SCALE_UP), _fault(14, Kind.SCALE_DOWN), _fault(20, Kind.WORKER_STOP))
SABOTAGES = {
    "commit-before-acknowledgement": Sabotage(_commit_before_acknowledgement, "lost", _KILLS),
    "drop-one-record": Sabotage(_drop_a_record, "lost"),
    "swap-two-records": Sabotage(_swap_two, "out of order"),
    "no-commit-on-revocation": Sabotage(_skip_the_commit_on_revocation, "more than one outcome", _SCALINGS),
    "send-outside-the-transaction": Sabotage(
        _send_outside_the_transaction, "more than one outcome", _KILLS, "exactly-once"
    ),
    "swap-two-answers": Sabotage(
        _swap_two_answers, "not their own input's", environment={"WORKER_WAIT_MS_MAX": 300}
    ),
    "never-commit": Sabotage(_never_commit, "not committed"),
    "old-position-into-new-topic": Sabotage(
        _commit_an_old_position_into_a_new_topic, "lost", (_fault(5.0, Kind.TOPIC_RECREATED_PAUSED),)
    ),
    "drop-what-is-refused": Sabotage(_drop_what_is_refused, "lost", (_fault(5.0, Kind.REFUSED),)),
}


def scenario(name: str, *, sabotaged: bool = True) -> Plan:
    """A short run that brings a sabotage to light; without the sabotage nothing may be found in it."""
    sabotage = SABOTAGES[name]
    return Plan(
        duration_s=28 if sabotage.faults else 8,
        faults=sabotage.faults,
        delivery=sabotage.delivery,
        brokers=1,
        workers=2,
        settle_s_max=15,
        module="dev.chaos.sabotage" if sabotaged else "dev.faulty_worker",
        environment={
            "CHAOS_SABOTAGE": name,
            # Commits are far apart, so that it matters which one is left out.
            "WORKER_COMMIT_INTERVAL_MS": 1500 if "revocation" in name else 300,
            **sabotage.environment,
        },
    )


if __name__ == "__main__":
    SABOTAGES[os.environ["CHAOS_SABOTAGE"]].apply()
    leave(faulty_worker.main())
