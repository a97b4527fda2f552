"""Which fault happens when: a pure function of the seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

SLOT_S = 16.0
"""From one fault, or pair of faults, to the next: a session timeout of 6 s, and what comes after it."""
_SETTLE_S = 6.0  # at first, for the workers to be under way


class Kind(StrEnum):
    """The faults."""

    WORKER_KILL = "worker SIGKILL"
    WORKER_PAUSE = "worker SIGSTOP beyond its session"
    WORKER_STOP = "worker SIGTERM"
    SCALE_UP = "one worker more"
    SCALE_DOWN = "one worker fewer"
    BROKER_KILL = "broker SIGKILL"
    BROKER_RESTART = "broker restart: leaders and coordinators move"
    SLOW_MODEL = "slow model"
    FATAL_TEXT = "a text that crashes the model"
    POISON_TEXT = "a text that the model fails on"
    HOSTILE = "hostile records"
    TOPIC_RECREATED = "input topic recreated"
    TOPIC_RECREATED_PAUSED = "input topic recreated while reading is paused"
    UNCLEAN_ELECTION = "unclean election: a log is cut off and grows again"
    PARTITIONS_ADDED = "partitions added to all topics"
    REFUSED = "records that the output topic refuses"
    QUOTA = "quota on what workers write"

    @property
    def option(self) -> str:
        """Its name on the command line."""
        return self.name.lower().replace("_", "-")


BREAKS_BROKERS = frozenset({Kind.BROKER_KILL, Kind.BROKER_RESTART, Kind.UNCLEAN_ELECTION})
REPLACES_LOGS = frozenset({Kind.TOPIC_RECREATED, Kind.TOPIC_RECREATED_PAUSED, Kind.UNCLEAN_ELECTION})
CRASH_FREE = (Kind.WORKER_STOP, Kind.SCALE_UP, Kind.WORKER_STOP, Kind.SCALE_DOWN)
"""What operators do every night, over and over."""


@dataclass(frozen=True)
class Fault:
    """Something to break, `at_s` after the start; `target` is taken modulo what there is."""

    at_s: float
    kind: Kind
    target: int
    duration_s: float
    alone: bool


def schedule(seed: int, duration_s: float, mix: Sequence[Kind] = tuple(Kind)) -> list[Fault]:
    """Faults for a run of so many seconds: two slots with a fault alone, then one with two that overlap.

    Every kind of the mix comes once before any comes again. No two faults of one slot break brokers.
    """
    chance = random.Random(seed)
    kinds: list[Kind] = []
    faults: list[Fault] = []
    for slot in range(int((duration_s - _SETTLE_S) // SLOT_S)):
        at_s, pair = _SETTLE_S + slot * SLOT_S, slot % 3 == 2  # noqa: PLR2004 - half of the faults stand alone
        for offset_s in (0.0, chance.uniform(0.2, 3.0)) if pair else (0.0,):
            kinds = kinds or chance.sample(mix, len(mix))
            broken = any(fault.kind in BREAKS_BROKERS for fault in faults if fault.at_s >= at_s)
            kind = next((kind for kind in kinds if not (broken and kind in BREAKS_BROKERS)), Kind.WORKER_KILL)
            if kind in kinds:
                kinds.remove(kind)
            duration = chance.uniform(7.5, 9.0) if kind is Kind.WORKER_PAUSE else chance.uniform(2.0, 5.0)
            faults.append(
                Fault(round(at_s + offset_s, 2), kind, chance.randrange(1000), round(duration, 2), alone=not pair)
            )
    return faults


def crash_free(count: int, every_s: float = 6.0) -> list[Fault]:
    """So many restarts and scalings in good order, and nothing else."""
    return [
        Fault(_SETTLE_S + number * every_s, CRASH_FREE[number % len(CRASH_FREE)], number, 0.0, alone=True)
        for number in range(count)
    ]
