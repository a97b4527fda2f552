"""Wires the parts into a worker and runs it; nothing else knows them all."""

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable
from types import FrameType

import structlog

from contract.errors import WorkerError
from worker import assembly
from worker.adapters.http import HealthServer
from worker.adapters.kafka_client import ClusterFacts, examine_cluster
from worker.adapters.kafka_sink import KafkaSink
from worker.adapters.kafka_source import KafkaSource
from worker.adapters.metrics import Metrics
from worker.core.backpressure import Marks
from worker.core.breaker import Breaker, BreakerPolicy
from worker.core.records import Partition
from worker.core.watchdog import Watchdog
from worker.delivery import Delivery
from worker.errors import EventsExpiredError, KafkaUnfitError, ModelFailedError, OverdueError
from worker.flow import Flow
from worker.isolation import Intake
from worker.model import Model, load_model
from worker.pipeline import Pipeline
from worker.ports import Classifier
from worker.settings import Settings
from worker.stages import Stages

log = structlog.get_logger(__name__)

_POLL_TIMEOUT_MS = 100
_POLL_TIMEOUT_HURRIED_MS = 1
_REPORT_EVERY_S = 1.0
_ALONE_S_MAX = 120.0
_READING_FAILED = (KafkaUnfitError, EventsExpiredError)


class Worker:
    """One replica: the poll loop, and the state that the probes ask for."""

    def __init__(self, settings: Settings, *, wrap: Callable[[Classifier], Classifier] = lambda it: it) -> None:
        """Prepare a worker; `wrap` lets a test or a demo make the model fail."""
        self._settings = settings
        self._wrap = wrap
        self._metrics = Metrics()
        self._stopping = ""  # the name of the signal
        self._ready = False
        self._watchdog = Watchdog(settings.stall_timeout_ms / 1000)
        self._stalled: set[Partition] = set()
        self._turned_s = self._joined_s = time.monotonic()
        self._live_s = max(60.0, 2 * settings.drain_timeout_ms / 1000, 2 * settings.publish_timeout_ms / 1000)

    def run(self) -> None:
        """Serve until a signal comes.

        Raises:
            WorkerError: If anything makes going on impossible; its `exit_code` says which kind of thing.
        """
        health = HealthServer(
            self._settings.http_host,
            self._settings.http_port,
            live=self._live,
            ready=self._is_ready,
            metrics=self._metrics.exposition,
        )
        log.info("worker_starting", pid=os.getpid(), http_port=health.port, group=self._settings.group_id)
        try:
            # The model first: a worker that can't score must not take partitions from one that can.
            model = load_model(self._settings)
            self._metrics.model(model.identity)
            self._serve(model, examine_cluster(self._settings))
        finally:
            health.close()

    def stop(self, signal_number: int, _frame: FrameType | None = None) -> None:
        """Ask for a clean stop; asked again, or if that takes too long, end at once."""
        if self._stopping:
            os._exit(128 + signal_number)
        self._stopping = signal.Signals(signal_number).name
        # Clients can wait for a broker that is gone longer than the orchestrator waits for us.
        overdue = threading.Timer(self._settings.shutdown_timeout_ms / 1000, _end_at_once)
        overdue.daemon = True
        overdue.start()

    def _is_ready(self) -> tuple[bool, str]:
        if self._stalled:
            return False, f"partitions that do not move: {sorted(p.number for p in self._stalled)}"
        return self._ready, "serving" if self._ready else "starting, stopping, or not in the group"

    def _live(self) -> tuple[bool, str]:
        still_s = time.monotonic() - self._turned_s
        return still_s < self._live_s, f"the poll loop turned {still_s:.1f} s ago"

    def _serve(self, model: Model, facts: ClusterFacts) -> None:
        settings = self._settings
        session = uuid.uuid4().hex
        flow = Flow(
            assembly.window_policy(settings, model), Marks(settings.held_records_max, settings.held_bytes_max)
        )
        author = assembly.author(settings, model, facts, session)
        source = KafkaSource(settings, flow)
        delivery, sink = assembly.delivery(settings, facts, flow, author, self._metrics, source.membership)
        pipeline = Pipeline(
            assembly.pipeline_options(settings, model),
            flow=flow,
            encoder=model.encoder,
            classifier=self._wrap(model.classifier),
            delivery=delivery,
            author=author,
            breaker=Breaker(BreakerPolicy(settings.dead_letter_ratio_max, settings.dead_letter_records_min)),
            telemetry=self._metrics,
        )
        stages = Stages(pipeline, flow)
        stages.start()
        log.info("worker_serving", session=session, topic=settings.input_topic, delivery=settings.delivery)
        failure: BaseException | None = None
        try:
            self._poll_until_stopped(source, flow, stages, delivery)
        except BaseException as error:  # noqa: BLE001 - raised again below, once the group is left
            failure = error
        failure = failure or stages.failure
        settled = self._finish(source, flow, stages, sink, failure)
        if failure is not None:
            raise _as_worker_error(failure) from failure
        if not settled:
            raise OverdueError(
                "not all was settled and committed within shutdown_timeout_ms; the rest comes again"
            )
        log.info("worker_stopped", signal=self._stopping)

    def _poll_until_stopped(self, source: KafkaSource, flow: Flow, stages: Stages, delivery: Delivery) -> None:
        intake = Intake(source, flow, suspects_span=assembly.suspects_span(self._settings))
        commits = self._settings.delivery == "at-least-once"  # transactions commit positions themselves
        commit_at_s = report_at_s = self._joined_s = time.monotonic()
        while not self._stopping and stages.failure is None:
            chunks = source.poll(_POLL_TIMEOUT_HURRIED_MS if intake.hurried else _POLL_TIMEOUT_MS)
            self._turned_s = now_s = time.monotonic()
            intake.take_in(chunks)
            delivery.raise_if_overdue()
            self._metrics.read(sum(len(chunk.records) for chunk in chunks))
            held_records, held_bytes, paused = flow.pressure()
            self._metrics.held(held_records, held_bytes, paused=paused)
            source.pause(paused=paused or intake.blocked)
            if commits and now_s >= commit_at_s:
                source.commit()
                commit_at_s = now_s + self._settings.commit_interval_ms / 1000
            if now_s >= report_at_s:
                self._watch_membership(source, now_s)
                self._report(source, flow, now_s)
                report_at_s = now_s + _REPORT_EVERY_S

    def _watch_membership(self, source: KafkaSource, now_s: float) -> None:
        """A client that has lost its way into the group would poll for ever, in vain."""
        if source.joined:
            self._ready, self._joined_s = True, now_s
        alone_s = now_s - self._joined_s
        if alone_s > max(_ALONE_S_MAX, 3 * self._settings.session_timeout_ms / 1000):
            raise KafkaUnfitError(f"not in the group for {alone_s:.0f} s; a restart joins it anew")

    def _report(self, source: KafkaSource, flow: Flow, now_s: float) -> None:
        lag, ends = source.lag(), source.ends()
        self._metrics.lag(lag)
        self._metrics.partitions(len(lag))
        settled = flow.positions(ends)
        stalled = self._watchdog.observe(now_s, {p: (settled.get(p, -1), end) for p, end in ends.items()})
        if stalled != self._stalled:
            report = log.error if stalled else log.info
            names = sorted(f"{partition.topic}/{partition.number}" for partition in stalled)
            report(
                "partitions_stalled", partitions=names, settled={str(p.number): settled.get(p) for p in stalled}
            )
            self._stalled = stalled
        self._metrics.stalled(len(stalled))

    def _finish(
        self, source: KafkaSource, flow: Flow, stages: Stages, sink: KafkaSink, failure: BaseException | None
    ) -> bool:
        """Settle what is in flight, commit, leave the group; what only waits is left to the next owner.

        Returns:
            Whether all that was in flight is settled and committed.
        """
        self._ready = False
        deadline_s = time.monotonic() + self._settings.shutdown_timeout_ms / 1000
        log.info("worker_stopping", signal=self._stopping or "failure", held_records=flow.pressure()[0])
        sound = stages.failure is None and (failure is None or isinstance(failure, _READING_FAILED))
        if failure and sound:  # what was read before is answered now: a restart may fail at the same record
            flow.wait_empty(deadline_s - time.monotonic() - 2)
        flow.stop()
        settled = sound and stages.join(max(0.0, deadline_s - time.monotonic() - 2))
        if not settled:
            # The listener must not wait for windows that will not be settled any more.
            flow.abandon()
        # A second is left for the words about it, before the timer of `stop` ends everything.
        committed = source.close(
            max(1.0, deadline_s - time.monotonic() - 1), in_good_order=_says_nothing_of_records(failure)
        )
        sink.close()
        return settled and committed


def _end_at_once() -> None:
    log.error("worker_failed", error="not stopped within shutdown_timeout_ms", exit_code=OverdueError.exit_code)
    os._exit(OverdueError.exit_code)


def _says_nothing_of_records(failure: BaseException | None) -> bool:
    """Whether the same records can be tried again without suspicion."""
    return failure is None or (isinstance(failure, WorkerError) and not isinstance(failure, ModelFailedError))


def _as_worker_error(failure: BaseException) -> WorkerError:
    if isinstance(failure, WorkerError):
        return failure
    error = WorkerError(f"a stage of the pipeline failed, which is a bug: {failure!r}")
    error.__cause__ = failure
    return error


def run(settings: Settings, *, wrap: Callable[[Classifier], Classifier] = lambda it: it) -> None:
    """Run a worker in this process until SIGTERM or SIGINT; for errors see `Worker.run`."""
    worker = Worker(settings, wrap=wrap)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, worker.stop)
    worker.run()
