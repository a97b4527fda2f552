"""Wires the parts into a worker and runs it; nothing else knows them all."""

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

import structlog

from worker.adapters.bundle import Bundle, read_bundle
from worker.adapters.classifier import OnnxClassifier, available_device
from worker.adapters.encoder import TokenizersEncoder
from worker.adapters.http import HealthServer
from worker.adapters.kafka_client import ClusterFacts, examine_cluster
from worker.adapters.kafka_sink import KafkaSink
from worker.adapters.kafka_source import KafkaSource
from worker.adapters.metrics import Metrics
from worker.adapters.warmup import warm_up
from worker.contracts import ModelIdentity
from worker.core.backpressure import Marks
from worker.core.breaker import Breaker, BreakerPolicy
from worker.core.windows import WindowPolicy
from worker.errors import OverdueError, UsageError, WorkerError
from worker.flow import Flow
from worker.outcomes import Author
from worker.pipeline import Pipeline, PipelineOptions
from worker.ports import Classifier, Encoder
from worker.settings import Settings
from worker.stages import Stages

log = structlog.get_logger(__name__)

_POLL_TIMEOUT_MS = 100
_REPORT_EVERY_S = 1.0
_BYTES_PER_TOKEN = 8  # more than reviews have, so that few texts weigh less than they cost


@dataclass(frozen=True)
class Model:
    """A bundle's graph, loaded, warm and checked on the device that serves."""

    bundle: Bundle
    variant: str
    encoder: Encoder
    classifier: Classifier

    @property
    def identity(self) -> ModelIdentity:
        """What every event says of it."""
        return ModelIdentity(
            name=self.bundle.manifest.name,
            version=self.bundle.manifest.version,
            sha256=self.bundle.sha256,
            variant=self.variant,
            provider=self.classifier.provider,
        )


def load_model(settings: Settings) -> Model:
    """Load, verify and warm up the bundle.

    Raises:
        BundleRefusedError: If it is incomplete or altered, or does not reproduce its golden texts here.
        ModelFailedError: If the device can't be used.
        UsageError: If the settings don't fit the bundle.
    """
    started_s = time.monotonic()
    device = available_device(settings.device)
    bundle = read_bundle(settings.bundle)
    if settings.batch_tokens_max < bundle.manifest.encoding.tokens_max:
        raise UsageError(f"batch_tokens_max must be at least the bundle's {bundle.manifest.encoding.tokens_max}")
    name = bundle.choose_variant(device, settings.variant)
    encoder = TokenizersEncoder(bundle.tokenizer_file, bundle.manifest.encoding)
    classifier = OnnxClassifier(
        bundle.folder / bundle.variant(name).file,
        device=device,
        threads=settings.threads,
        memory_bytes_max=settings.device_memory_bytes_max,
    )
    report = warm_up(bundle, name, encoder, classifier)
    model = Model(bundle, name, encoder, classifier)
    log.info(
        "model_ready",
        **model.identity.model_dump(),
        golden_texts=report.texts,
        golden_delta_max=round(report.probability_delta_max, 6),
        elapsed_s=round(time.monotonic() - started_s, 2),
    )
    return model


class Worker:
    """One replica: the poll loop, and the state that the probes ask for."""

    def __init__(self, settings: Settings, *, wrap: Callable[[Classifier], Classifier] = lambda it: it) -> None:
        """Prepare a worker; `wrap` lets a test or a demo make the model fail."""
        self._settings = settings
        self._wrap = wrap
        self._metrics = Metrics()
        self._stopping = ""  # the name of the signal
        self._ready = False
        self._turned_s = time.monotonic()
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
            ready=lambda: (self._ready, "serving" if self._ready else "starting, stopping, or not in the group"),
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
        overdue = threading.Timer(
            self._settings.shutdown_timeout_ms / 1000, os._exit, args=(OverdueError.exit_code,)
        )
        overdue.daemon = True
        overdue.start()

    def _live(self) -> tuple[bool, str]:
        still_s = time.monotonic() - self._turned_s
        return still_s < self._live_s, f"the poll loop turned {still_s:.1f} s ago"

    def _serve(self, model: Model, facts: ClusterFacts) -> None:
        settings = self._settings
        session = uuid.uuid4().hex
        sink = KafkaSink(settings, facts.message_bytes_max)
        flow = Flow(_window_policy(settings, model), Marks(settings.held_records_max, settings.held_bytes_max))
        pipeline = Pipeline(
            _pipeline_options(settings, model),
            flow=flow,
            encoder=model.encoder,
            classifier=self._wrap(model.classifier),
            sink=sink,
            author=_author(settings, model, facts, session),
            breaker=Breaker(BreakerPolicy(settings.dead_letter_ratio_max, settings.dead_letter_records_min)),
            telemetry=self._metrics,
        )
        stages = Stages(pipeline, flow)
        source = KafkaSource(settings, flow)
        stages.start()
        log.info("worker_serving", session=session, topic=settings.input_topic)
        try:
            self._poll_until_stopped(source, flow, stages)
        finally:
            self._finish(source, flow, stages, sink)
        if stages.failure is not None:
            raise _as_worker_error(stages.failure) from stages.failure
        log.info("worker_stopped", signal=self._stopping)

    def _poll_until_stopped(self, source: KafkaSource, flow: Flow, stages: Stages) -> None:
        commit_at_s = report_at_s = time.monotonic()
        while not self._stopping and stages.failure is None:
            chunks = source.poll(_POLL_TIMEOUT_MS)
            self._turned_s = now_s = time.monotonic()
            flow.receive(chunks)
            self._metrics.read(sum(len(chunk.records) for chunk in chunks))
            held_records, held_bytes, paused = flow.pressure()
            self._metrics.held(held_records, held_bytes, paused=paused)
            source.pause(paused=paused)
            if now_s >= commit_at_s:
                source.commit()
                commit_at_s = now_s + self._settings.commit_interval_ms / 1000
            if now_s >= report_at_s:
                self._ready = self._ready or source.joined
                lag = source.lag()
                self._metrics.lag(lag)
                self._metrics.partitions(len(lag))
                report_at_s = now_s + _REPORT_EVERY_S

    def _finish(self, source: KafkaSource, flow: Flow, stages: Stages, sink: KafkaSink) -> None:
        """Settle what is in flight, commit, leave the group; what only waits is left to the next owner."""
        self._ready = False
        deadline_s = time.monotonic() + self._settings.shutdown_timeout_ms / 1000
        log.info("worker_stopping", signal=self._stopping or "failure", held_records=flow.pressure()[0])
        flow.stop()
        settled = stages.join(max(0.0, deadline_s - time.monotonic() - 1))
        if not settled:
            # The listener must not wait for windows that will not be settled any more.
            flow.abandon()
        source.close(max(1.0, deadline_s - time.monotonic()))
        sink.close()


def _as_worker_error(failure: BaseException) -> WorkerError:
    if isinstance(failure, WorkerError):
        return failure
    error = WorkerError(f"a stage of the pipeline failed, which is a bug: {failure!r}")
    error.__cause__ = failure
    return error


def _window_policy(settings: Settings, model: Model) -> WindowPolicy:
    return WindowPolicy(
        records_max=settings.window_records_max,
        window_ms_target=settings.window_ms_target,
        wait_ms_max=settings.wait_ms_max,
        value_bytes_max=model.bundle.manifest.encoding.tokens_max * _BYTES_PER_TOKEN,
    )


def _pipeline_options(settings: Settings, model: Model) -> PipelineOptions:
    return PipelineOptions(
        text_field=settings.text_field,
        input_bytes_max=settings.input_bytes_max,
        batch_rows_max=settings.batch_rows_max,
        batch_tokens_max=settings.batch_tokens_max,
        row_tokens_max=model.bundle.manifest.encoding.tokens_max,
        temperature=model.bundle.variant(model.variant).temperature,
    )


def _author(settings: Settings, model: Model, facts: ClusterFacts, session: str) -> Author:
    return Author(
        cluster_id=facts.cluster_id,
        session=session,
        model=model.identity,
        labels=model.bundle.manifest.labels,
        abstain_below=model.bundle.variant(model.variant).abstain_below,
        output_topic=settings.output_topic,
        dead_letter_topic=settings.dead_letter_topic,
    )


def run(settings: Settings, *, wrap: Callable[[Classifier], Classifier] = lambda it: it) -> None:
    """Run a worker in this process until SIGTERM or SIGINT; for errors see `Worker.run`."""
    worker = Worker(settings, wrap=wrap)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, worker.stop)
    worker.run()
