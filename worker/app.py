"""Wires the parts into a worker and runs it; nothing else knows them all."""

import os
import sys
import threading
import uuid
from collections.abc import Callable

import structlog

from contract.errors import ReviewSentimentError
from worker.adapters.kafka_client import ClusterFacts, examine_cluster
from worker.adapters.kafka_sink import KafkaSink
from worker.adapters.kafka_source import KafkaSource
from worker.adapters.kafka_transactions import KafkaTransactionalSink
from worker.adapters.patience import Patience
from worker.core.backpressure import Marks
from worker.core.breaker import Breaker, BreakerPolicy
from worker.core.portions import PublishPace
from worker.core.windows import WindowPolicy
from worker.delivery import AtLeastOnce, Delivery, ExactlyOnce, TransactionPolicy
from worker.errors import InstanceFencedError, OverdueError, TransactionFencedError, brief
from worker.in_flight import InFlight
from worker.life import Life, State
from worker.loop import PollLoop
from worker.model import Model, load_model
from worker.outcomes import OutcomeBuilder
from worker.pipeline import Pipeline, PipelineOptions
from worker.portions import InPortions, PacedSink, PacedTransactions, Timer
from worker.ports import UNTRACED, Classifier, Telemetry, Tracing
from worker.settings import Settings
from worker.stages import Stages
from worker.standby import StandBy
from worker.stop import Stop, StopAskedError
from worker.watched import Watched

log = structlog.get_logger(__name__)

_RIVAL_JOINS_S = 10.0  # after it has fenced our transactions
_BYTES_PER_TOKEN = 8  # more than reviews have, so that few texts weigh less than they cost


class Worker:
    """One replica."""

    def __init__(self, settings: Settings, stop: Stop, wrap: Callable[[Classifier], Classifier]) -> None:
        """Prepare a worker; `wrap` lets a test or a demo make the model fail."""
        self._settings = settings
        self._stop = stop
        self._wrap = wrap
        self._life = Life()
        self._watched = Watched(settings, self._life)
        self._metrics = self._watched.metrics
        self._tracing = _tracing(settings, self._watched.name)

    def run(self) -> None:
        """Serve until a signal comes.

        Raises:
            ReviewSentimentError: If anything makes going on impossible; its `exit_code` says which kind of thing.
        """
        health = self._watched.serve()
        log.info("worker_starting", pid=os.getpid(), http_port=health.port)
        try:
            # The model first: a worker that can't score must not take partitions from one that can.
            model = load_model(self._settings)
            self._watched.has_model(model.identity)
            patience = Patience(self._settings)
            self._serve(model, examine_cluster(self._settings, patience), patience)
            self._life.become(State.STOPPED, "all that was in flight is settled and committed")
        except StopAskedError as asked:
            self._life.stop_signal = str(asked)
            self._life.become(State.DRAINING, f"{asked} during the start")
            self._life.become(State.STOPPED, "nothing was in flight yet")
        except BaseException as error:
            self._life.become(State.FAILED, brief(error))
            raise
        finally:
            health.close()
        totals = self._metrics.totals()
        log.info("worker_stopped", signal=self._life.stop_signal, records=totals.read, results=totals.results,
                 dead_letters=totals.dead_letters)  # fmt: skip

    def _drain(self, signal_name: str) -> None:
        """Ask for a clean stop; if that takes too long, end at once."""
        self._life.stop_signal = signal_name
        # Clients can wait for a broker that is gone longer than the orchestrator waits for us.
        overdue = threading.Timer(self._settings.shutdown_timeout_ms / 1000, _end_at_once)
        overdue.daemon = True
        overdue.start()

    def _serve(self, model: Model, facts: ClusterFacts, patience: Patience) -> None:
        settings = self._settings
        session = uuid.uuid4().hex
        in_flight = _in_flight(settings, model)
        outcomes = outcome_builder(settings, model, facts, session)
        source = KafkaSource(settings, in_flight, self._metrics, patience)
        delivery, sink = _delivery(settings, facts, in_flight, outcomes, self._metrics, source, patience)
        pipeline = Pipeline(
            pipeline_options(settings, model),
            in_flight=in_flight,
            encoder=model.encoder,
            classifier=self._wrap(model.classifier),
            delivery=delivery,
            outcomes=outcomes,
            breaker=Breaker(BreakerPolicy(settings.dead_letter_ratio_max, settings.dead_letter_records_min)),
            telemetry=self._metrics,
            tracing=self._tracing,
        )
        stages = Stages(pipeline, in_flight)
        self._stop.hold(self._drain)
        stages.start()
        log.info("worker_serving", session=session, topic=settings.input_topic, delivery=settings.delivery)
        loop = PollLoop(
            settings, self._life, source=source, in_flight=in_flight, stages=stages, delivery=delivery,
            metrics=self._metrics, history=self._watched.history, throttle_s=sink.throttle_s,
        )  # fmt: skip
        self._watched.loop_turned_s = lambda: loop.turned_s
        failure: BaseException | None = None
        try:
            loop.run()
        except BaseException as error:  # noqa: BLE001 - raised again below, once the group is left
            failure = error
        failure = failure or stages.failure
        member_id = source.membership.member_id
        settled = loop.drain(failure)
        failure = failure or (None if settled else stages.failure)
        sink.close()
        self._tracing.close()
        if settings.group_instance_id and isinstance(failure, (InstanceFencedError, TransactionFencedError)):
            failure = self._stand_by(failure, member_id)
        if failure is not None:
            raise _as_worker_error(failure) from failure
        if not settled:
            raise OverdueError(
                "not all was settled and committed within shutdown_timeout_ms; the rest comes again"
            )

    def _stand_by(self, failure: ReviewSentimentError, ours: str) -> ReviewSentimentError:
        """Leave our place to the member that has taken it; what to end with, once it has left."""
        stand_by = StandBy(self._settings, stopped=lambda: bool(self._life.stop_signal))
        self._watched.standing_by = True
        rival = stand_by.rival(ours, _RIVAL_JOINS_S)
        if rival is None and isinstance(failure, TransactionFencedError):
            return failure  # a transaction of ours that took too long
        return stand_by.wait(rival, lambda why: self._life.become(State.FAILED, why))


def run(
    settings: Settings,
    *,
    wrap: Callable[[Classifier], Classifier] = lambda it: it,
    stop: Stop | None = None,
) -> None:
    """Run a worker in this process until SIGTERM or SIGINT; for errors see `Worker.run`.

    Args:
        settings: All that can be set.
        wrap: Lets a test or a demo make the model fail.
        stop: Who has listened to the signals since the program began; None to listen from here on.
    """
    if stop is None:
        stop = Stop()
        stop.listen()
    # A thread that comes back from the device waits for the interpreter so long at most, not five milliseconds.
    sys.setswitchinterval(0.001)
    Worker(settings, stop, wrap).run()


def _tracing(settings: Settings, worker: str) -> Tracing:
    if not settings.tracing:
        return UNTRACED
    from worker.adapters.tracing import open_tracing  # noqa: PLC0415 - its packages are an extra

    return open_tracing(settings, worker)


def _in_flight(settings: Settings, model: Model) -> InFlight:
    """The book, which knows from the warm-up how much the device takes."""
    in_flight = InFlight(
        _window_policy(settings, model),
        Marks(settings.held_records_max, settings.held_bytes_max),
        transactional=settings.delivery == "exactly-once",
        callers=model.layout.callers,
    )
    in_flight.expect(model.warmup.size_bytes, model.warmup.elapsed_s)
    return in_flight


def _window_policy(settings: Settings, model: Model) -> WindowPolicy:
    """When windows close."""
    return WindowPolicy(
        records_max=settings.window_records_max,
        bytes_max=settings.window_bytes_max,
        window_ms_target=settings.window_ms_target,
        wait_ms_max=settings.wait_ms_max,
        value_bytes_max=model.bundle.manifest.encoding.tokens_max * _BYTES_PER_TOKEN,
    )


def pipeline_options(settings: Settings, model: Model) -> PipelineOptions:
    """How events are read and batched."""
    return PipelineOptions(
        text_field=settings.text_field,
        input_bytes_max=settings.input_bytes_max,
        batch_rows_max=model.layout.rows,
        batch_tokens_max=model.layout.tokens,
        row_tokens_max=model.bundle.manifest.encoding.tokens_max,
        temperature=model.bundle.variant(model.variant).temperature,
        served_tokens_max=max(len(golden.ids) for golden in model.bundle.goldens),
        callers=model.layout.callers,
        pass_tokens=model.layout.pass_tokens,
    )


def outcome_builder(settings: Settings, model: Model, facts: ClusterFacts, session: str) -> OutcomeBuilder:
    """Who writes the outgoing records."""
    return OutcomeBuilder(
        cluster_id=facts.cluster_id,
        session=session,
        model=model.identity,
        labels=model.bundle.manifest.labels,
        abstain_below=model.bundle.variant(model.variant).abstain_below,
        output_topic=settings.output_topic,
        dead_letter_topic=settings.dead_letter_topic,
    )


def _delivery(
    settings: Settings,
    facts: ClusterFacts,
    in_flight: InFlight,
    outcomes: OutcomeBuilder,
    telemetry: Telemetry,
    source: KafkaSource,
    patience: Patience,
) -> tuple[Delivery, KafkaSink]:
    """How windows are published and settled, and the client to close at the end.

    Raises:
        KafkaUnfitError: If no broker answers, or lets us write.
    """
    pace = PublishPace(_portion_s(settings))
    if settings.delivery == "at-least-once":
        sink = KafkaSink(settings, facts.message_bytes_max, patience)
        timer = Timer(pace, sink.throttle_left_s)
        at_least_once = AtLeastOnce(in_flight, PacedSink(sink, timer), outcomes, telemetry)
        return InPortions(at_least_once, in_flight, pace, timer), sink
    policy = TransactionPolicy(
        wait_ms_max=settings.transaction_ms_max,
        records_max=settings.transaction_records_max,
        retry_s_max=settings.publish_timeout_ms / 1000,
        overdue_s=1.25 * settings.transaction_timeout_ms / 1000,  # it could not be committed any more
        idle_ms=settings.commit_interval_ms,
    )
    transactions = KafkaTransactionalSink(settings, facts.message_bytes_max, source.positions.address, patience)
    timer = Timer(pace, transactions.throttle_left_s)
    paced = PacedTransactions(transactions, timer)
    exactly_once = ExactlyOnce(policy, in_flight, paced, outcomes, telemetry, source.membership.snapshot)
    return InPortions(exactly_once, in_flight, pace, timer), transactions


def _portion_s(settings: Settings) -> float:
    """How long publishing one portion may take, so that several fit into whatever waits for them."""
    waits_ms = [settings.publish_timeout_ms, settings.drain_timeout_ms]
    if settings.delivery == "exactly-once":
        waits_ms.append(settings.transaction_timeout_ms)
    return min(waits_ms) / 4 / 1000


def _end_at_once() -> None:
    log.error("worker_failed", error="not stopped within shutdown_timeout_ms", exit_code=OverdueError.exit_code)
    os._exit(OverdueError.exit_code)


def _as_worker_error(failure: BaseException) -> ReviewSentimentError:
    if isinstance(failure, ReviewSentimentError):
        return failure
    error = ReviewSentimentError(f"a stage of the pipeline failed, which is a bug: {brief(failure)}")
    error.__cause__ = failure
    return error
