"""Which parts the settings ask for, and how each is set up."""

from collections.abc import Callable

from worker.adapters.kafka_client import ClusterFacts
from worker.adapters.kafka_sink import KafkaSink
from worker.adapters.kafka_transactions import KafkaTransactionalSink
from worker.core.windows import WindowPolicy
from worker.delivery import AtLeastOnce, Delivery, ExactlyOnce, TransactionPolicy
from worker.flow import Flow
from worker.model import Model
from worker.outcomes import Author
from worker.pipeline import PipelineOptions
from worker.ports import Telemetry
from worker.settings import Settings

_BYTES_PER_TOKEN = 8  # more than reviews have, so that few texts weigh less than they cost
_WINDOWS_IN_FLIGHT = 5  # three stages, and a slot between two of them


def window_policy(settings: Settings, model: Model) -> WindowPolicy:
    """When windows close."""
    return WindowPolicy(
        records_max=settings.window_records_max,
        window_ms_target=settings.window_ms_target,
        wait_ms_max=settings.wait_ms_max,
        value_bytes_max=model.bundle.manifest.encoding.tokens_max * _BYTES_PER_TOKEN,
    )


def pipeline_options(settings: Settings, model: Model) -> PipelineOptions:
    """How events are read and batched."""
    return PipelineOptions(
        text_field=settings.text_field,
        input_bytes_max=settings.input_bytes_max,
        batch_rows_max=settings.batch_rows_max,
        batch_tokens_max=settings.batch_tokens_max,
        row_tokens_max=model.bundle.manifest.encoding.tokens_max,
        temperature=model.bundle.variant(model.variant).temperature,
    )


def author(settings: Settings, model: Model, facts: ClusterFacts, session: str) -> Author:
    """Who writes the outgoing records."""
    return Author(
        cluster_id=facts.cluster_id,
        session=session,
        model=model.identity,
        labels=model.bundle.manifest.labels,
        abstain_below=model.bundle.variant(model.variant).abstain_below,
        output_topic=settings.output_topic,
        dead_letter_topic=settings.dead_letter_topic,
    )


def delivery(
    settings: Settings,
    facts: ClusterFacts,
    flow: Flow,
    writer: Author,
    telemetry: Telemetry,
    membership: Callable[[], object | None],
) -> tuple[Delivery, KafkaSink]:
    """How windows are published and settled, and the client to close at the end.

    Raises:
        KafkaUnfitError: If no broker answers, or lets us write.
    """
    if settings.delivery == "at-least-once":
        sink = KafkaSink(settings, facts.message_bytes_max)
        return AtLeastOnce(flow, sink, writer, telemetry), sink
    policy = TransactionPolicy(
        wait_ms_max=settings.transaction_ms_max,
        records_max=settings.transaction_records_max,
        retry_s_max=settings.publish_timeout_ms / 1000,
        overdue_s=1.25 * settings.transaction_timeout_ms / 1000,  # it could not be committed any more
        idle_ms=settings.commit_interval_ms,
    )
    transactions = KafkaTransactionalSink(settings, facts.message_bytes_max)
    return ExactlyOnce(policy, flow, transactions, writer, telemetry, membership), transactions


def suspects_span(settings: Settings) -> int:
    """How many offsets can have been in the pipeline when a worker died."""
    return _WINDOWS_IN_FLIGHT * settings.window_records_max
