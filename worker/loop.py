"""The poll loop: one thread that reads, pauses, commits and watches, and at the end drains."""

import time
from collections.abc import Callable, Mapping

import structlog

from contract.errors import ReviewSentimentError
from worker.adapters.kafka_source import KafkaSource
from worker.adapters.metrics import Metrics
from worker.core.history import History, Sample
from worker.core.records import Partition
from worker.core.watchdog import Watchdog
from worker.delivery import Delivery
from worker.errors import (
    DeviceFullError,
    EventsExpiredError,
    InputReplacedError,
    InstanceFencedError,
    KafkaUnfitError,
    ModelFailedError,
    brief,
)
from worker.in_flight import InFlight
from worker.isolation import Isolation
from worker.life import Life, State
from worker.settings import Settings
from worker.stages import Stages
from worker.summary import Summary

log = structlog.get_logger(__name__)

_POLL_TIMEOUT_MS = 100
_POLL_TIMEOUT_HURRIED_MS = 1
_REPORT_EVERY_S = 1.0
_ALONE_S_MAX = 120.0
_WINDOWS_IN_FLIGHT = 5  # three stages, and a slot between two of them
_READING_FAILED = (KafkaUnfitError, EventsExpiredError, InputReplacedError)


class PollLoop:
    """Polls until a stop is asked for or something fails, then settles what is in flight and leaves the group."""

    def __init__(
        self,
        settings: Settings,
        life: Life,
        *,
        source: KafkaSource,
        in_flight: InFlight,
        stages: Stages,
        delivery: Delivery,
        metrics: Metrics,
        history: History,
        throttle_s: Callable[[], float],
    ) -> None:
        """Poll `source`; `throttle_s` tells for how long the brokers have made a publication wait of late."""
        self._settings, self._life, self._source, self._in_flight = settings, life, source, in_flight
        self._stages, self._delivery, self._metrics = stages, delivery, metrics
        self._history, self._summary = history, Summary(settings.summary_interval_ms / 1000)
        # So many offsets can have been in the pipeline when a worker died.
        self._isolation = Isolation(
            source, in_flight, offsets_max=_WINDOWS_IN_FLIGHT * settings.window_records_max
        )
        self._watchdog = Watchdog(settings.stall_timeout_ms / 1000)
        self._turned_s = self._joined_s = time.monotonic()
        self._placeless: list[Partition] = []
        self._throttle_s, self._throttled = throttle_s, False

    @property
    def turned_s(self) -> float:
        """When the loop last turned, in seconds of the monotonic clock. For any thread."""
        return self._turned_s

    def run(self) -> None:
        """Poll until a stop is asked for or a stage fails.

        Raises:
            ReviewSentimentError: If reading or committing fails for good.
        """
        commits = self._settings.delivery == "at-least-once"  # transactions commit offsets themselves
        commit_at_s = report_at_s = self._joined_s = time.monotonic()
        self._life.become(State.JOINING, "not in the group yet")
        while not self._life.stop_signal and self._stages.failure is None:
            self._turn()
            now_s = self._turned_s
            if commits and now_s >= commit_at_s:
                self._source.commit()
                commit_at_s = now_s + self._settings.commit_interval_ms / 1000
            if now_s >= report_at_s:
                self._watch_membership(now_s)
                self._report(now_s)
                report_at_s = now_s + _REPORT_EVERY_S

    def drain(self, failure: BaseException | None) -> bool:
        """Settle what is in flight, commit, leave the group; what only waits is left to the next owner.

        Args:
            failure: What ended the loop or a stage; None for a stop that was asked for.

        Returns:
            Whether all that was in flight is settled and committed.
        """
        deadline_s = time.monotonic() + self._settings.shutdown_timeout_ms / 1000
        why = f"failure: {brief(failure)}" if failure else "failure of a stage"
        self._life.become(State.DRAINING, self._life.stop_signal or why)
        log.info(
            "worker_stopping",
            signal=self._life.stop_signal or "failure",
            held_records=self._in_flight.pressure()[0],
        )
        if isinstance(failure, InstanceFencedError):  # another answers what we have in flight
            self._in_flight.forget()
        sound = self._stages.failure is None and (failure is None or isinstance(failure, _READING_FAILED))
        if failure and sound:  # what was read before is answered now: a restart may fail at the same record
            self._in_flight.wait_empty(deadline_s - time.monotonic() - 2)
        self._in_flight.stop()
        settled = sound and self._stages.join(max(0.0, deadline_s - time.monotonic() - 2))
        if not settled:
            # The listener must not wait for windows that will not be settled any more.
            self._in_flight.abandon()
            failure = failure or self._stages.failure
        # A second is left for the words about it, before the worker's timer ends everything.
        committed = self._source.close(
            max(1.0, deadline_s - time.monotonic() - 1), in_good_order=_says_nothing_of_records(failure)
        )
        return settled and committed

    def _turn(self) -> None:
        source, isolation, in_flight = self._source, self._isolation, self._in_flight
        chunks = source.poll(_POLL_TIMEOUT_HURRIED_MS if isolation.hurried else _POLL_TIMEOUT_MS)
        self._turned_s = time.monotonic()
        isolation.take_in(chunks)
        self._delivery.raise_if_overdue()
        self._metrics.read(sum(len(chunk.records) for chunk in chunks))
        held_records, held_bytes, paused = in_flight.pressure()
        self._metrics.held(held_records, held_bytes, paused=paused)
        source.pause(paused=paused or isolation.blocked)

    def _watch_membership(self, now_s: float) -> None:
        """A client that has lost its way into the group would poll for ever, in vain."""
        membership = self._source.membership
        if membership.fenced:
            raise InstanceFencedError("another member of the group has our WORKER_GROUP_INSTANCE_ID")
        if membership.joined:
            self._joined_s = now_s
            if membership.confirmed:
                self._life.become(State.SERVING, "in the group")
            else:  # its broker is away, and the client comes back by itself
                self._life.become(State.JOINING, "no answer of the group's coordinator within session_timeout_ms")
            return
        alone_s = now_s - self._joined_s
        self._life.become(State.JOINING, f"not in the group for {alone_s:.0f} s")
        if alone_s > max(_ALONE_S_MAX, 3 * self._settings.session_timeout_ms / 1000):
            raise KafkaUnfitError(f"not in the group for {alone_s:.0f} s; a restart joins it again")

    def _report(self, now_s: float) -> None:
        ends, unsettled = self._source.ends(), self._in_flight.unsettled()
        held_back = self._isolation.waiting()
        lag = {p: unread + unsettled.get(p, 0) + held_back[p] for p, unread in self._source.unread().items()}
        self._metrics.partitions(lag, self._in_flight.oldest_ms())
        self._metrics.gauge("delivery_count_max", self._in_flight.delivery_count_max())
        self._metrics.gauge("isolated_partitions", self._isolation.isolating)
        settled = self._in_flight.positions(ends)
        # What has no place counts as having records: it is not read, so nobody knows.
        missing = self._without_place()
        positions = {p: (settled.get(p, -1), end) for p, end in ends.items()} | dict.fromkeys(missing, (-1, 0))
        # Back-pressure holds up all of them, until what is held is settled.
        turn = self._in_flight.held_partitions() | set(held_back)
        waiting = set(positions) if self._in_flight.pressure()[2] else turn
        stalled = self._watchdog.observe(now_s, positions, waiting.difference(missing))
        if stalled != set(self._life.stalled):
            report = log.error if stalled else log.info
            names = sorted(f"{partition.topic}/{partition.number}" for partition in stalled)
            report(
                "partitions_stalled", partitions=names, settled={str(p.number): settled.get(p) for p in stalled}
            )
            self._life.stalled = frozenset(stalled)
        self._metrics.gauge("stalled_partitions", len(stalled))
        self._report_throttling()
        self._remember(now_s, lag)

    def _remember(self, now_s: float, lag: Mapping[Partition, int]) -> None:
        """For the status page, and for readers of the log."""
        sample_is_due, summary_is_due = self._history.is_due(now_s), self._summary.is_due(now_s)
        if not (sample_is_due or summary_is_due):
            return
        totals = self._metrics.totals()
        if sample_is_due:
            self._history.add(Sample(now_s, totals, lag))
        if summary_is_due:
            self._summary.tell(now_s, totals, lag, self._in_flight.pressure()[0])

    def _report_throttling(self) -> None:
        """Tell when the brokers begin and cease to slow our publishing down."""
        throttle_s = self._throttle_s()
        self._metrics.gauge("publish_throttle_seconds", throttle_s)
        if bool(throttle_s) != self._throttled:
            self._throttled = bool(throttle_s)
            report = log.warning if throttle_s else log.info
            report("publishing_throttled", throttle_s=throttle_s)

    def _without_place(self) -> list[Partition]:
        """Partitions that are not read, since their outcomes could be written nowhere; each change is told."""
        missing = sorted(self._source.without_place())
        if missing != self._placeless:
            self._placeless = missing
            report = log.error if missing else log.info
            report(
                "partitions_without_place",
                partitions=[f"{p.topic}/{p.number}" for p in missing],
                reason="the outgoing topics have no partition of that number: give them as many as the input has",
            )
            self._metrics.gauge("partitions_without_place", len(missing))
        return missing


def _says_nothing_of_records(failure: BaseException | None) -> bool:
    """Whether the same records can be tried again without isolation."""
    if isinstance(failure, ModelFailedError):
        return isinstance(failure, DeviceFullError)
    return failure is None or isinstance(failure, ReviewSentimentError)
