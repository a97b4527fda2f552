"""Every metric on the worker's `/metrics` page, in one closed table.

`worker.adapters.metrics` registers what is here and nothing else; docs/metrics.md is generated from here
(`make contracts`), and the alert rules and the board in deploy/observability are held to it by the tests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from contract.events import Reason
from contract.labels import LABELS

PREFIX = "sentiment_worker_"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_LATENCIES = (*_SECONDS[2:], 120, 300, 600)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_TOKENS = (8, 16, 32, 64, 128, 256, 512)
_BATCH_TOKENS = (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
_SHARES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)

STAGES = ("queue", "decode", "encode", "infer", "publish", "transaction", "commit")
"""The parts of a window's way: waiting to be taken, four verbs of the pipeline, a transaction or a commit."""
REBALANCES = ("assigned", "revoked", "lost")


@dataclass(frozen=True)
class Metric:
    """One metric, as it is on the page."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    help: str
    advice: str
    """What to do when it moves; empty for what only explains others."""
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The values that each label takes, which are there from the start; none where they come with the work."""
    buckets: tuple[float, ...] = ()

    @property
    def ours(self) -> bool:
        """Whether the worker fills it; the others come from Prometheus' client library."""
        return self.name.startswith(PREFIX)


def _of_us(
    name: str, kind: Literal["counter", "gauge"], unit: str, text: str, advice: str = "", /,
    **labels: tuple[str, ...],
) -> Metric:  # fmt: skip
    return Metric(PREFIX + name, kind, unit, text, advice, labels)


def _histogram(
    name: str, unit: str, buckets: tuple[float, ...], text: str, advice: str = "", /, **labels: tuple[str, ...]
) -> Metric:
    return Metric(PREFIX + name, "histogram", unit, text, advice, labels, buckets)


def _of_library(name: str, kind: Literal["counter", "gauge"], unit: str, text: str, advice: str = "") -> Metric:
    labels = {"python_info": ("implementation", "major", "minor", "patchlevel", "version")}
    per_generation: tuple[str, ...] = ("generation",) if name.startswith("python_gc") else ()
    return Metric(name, kind, unit, text, advice, dict.fromkeys(labels.get(name, per_generation), ()))


TABLE = (
    # What comes in, and what becomes of it.
    _of_us("records_read_total", "counter", "records", "Records read, before anything is known of them.",
           "None while there is lag: see `paused` and `state`."),
    _of_us("results_total", "counter", "records", "Enriched events acknowledged by the broker.",
           "A mix of labels unlike last week's: look at what is sent, then at which model serves.", label=LABELS),
    _of_us("dead_letters_total", "counter", "records", "Dead letters acknowledged by the broker.",
           "Look the reason up in [operations](operations.md#reasons-of-dead-letters).", reason=tuple(Reason)),
    _of_us("forwarded_total", "counter", "records", "Tombstones passed on and acknowledged."),
    _of_us("unsendable_total", "counter", "records", "Records with neither key nor value, settled unanswered.",
           "Find who sends them: nobody can have a use for them."),
    _of_us("abstained_total", "counter", "records", "Results below the bundle's threshold of confidence.",
           "A growing share of the results: the events are no longer like those that the model learnt."),
    _of_us("truncated_total", "counter", "records", "Events whose text was longer than the model takes.",
           "A large share: train with longer texts (`--tokens-max`)."),
    _histogram("confidence", "share", _SHARES, "Confidence of the results.",
               "Falling: as for `abstained_total`."),
    _histogram("latency_seconds", "seconds", _LATENCIES,
               "From a record's timestamp to its acknowledged result; records without a timestamp are left out.",
               "High with lag: add replicas. High without: look at the stages."),
    # How far behind.
    _of_us("lag_records", "gauge", "records", "Records of a partition without an outcome, read or not.",
           "Growing: add replicas, up to the number of partitions.", topic=(), partition=()),
    _of_us("oldest_unsettled_seconds", "gauge", "seconds",
           "Age of the oldest record held of a partition, by its timestamp; 0 while none is held.",
           "Growing while others stand: that partition does not move; see `stalled_partitions`.",
           topic=(), partition=()),
    _of_us("held_records", "gauge", "records", "Records read and not yet settled."),
    _of_us("held_bytes", "gauge", "bytes", "Bytes of keys, values and headers read and not yet settled."),
    _of_us("paused", "gauge", "0 or 1", "1 while reading is paused for back-pressure.",
           "1 for long: the model is slower than the topic; add replicas, nothing is wrong."),
    _of_us("last_settled_timestamp_seconds", "gauge", "seconds since 1970",
           "When outcomes were last acknowledged; 0 before the first.",
           "Standing still while there is lag: look at the brokers, then at the log."),
    _of_us("stalled_partitions", "gauge", "partitions", "Partitions that do not move, though they have records.",
           "Not 0: see [when it does not move](operations.md#when-it-does-not-move)."),
    _of_us("partitions_without_place", "gauge", "partitions",
           "Partitions not read, since an outgoing topic has none of their number.",
           "Not 0: give the output and the dead-letter topic as many partitions as the input has."),
    # The model.
    _histogram("stage_seconds", "seconds", _SECONDS,
               "Time of a window in a stage, `infer` from when the one before had its answers; of a transaction or"
               " a commit, which may take several windows.",
               "`infer` grows: the device. `publish`, `transaction`, `commit`: the brokers. `queue`: more came.",
               stage=STAGES),
    _histogram("window_records", "records", _ROWS, "Records of a window."),
    _histogram("batch_rows", "rows", _ROWS, "Rows of a forward pass.",
               "Small while there is lag: the device ran out of memory, or a quota makes windows small."),
    _histogram("batch_tokens", "tokens", _BATCH_TOKENS, "Tokens of a forward pass, padding included."),
    _histogram("input_tokens", "tokens", _TOKENS, "Tokens of an event, special ones included.",
               "Longer texts than before cost throughput in proportion."),
    _of_us("tokens_total", "counter", "tokens", "Tokens through the model, and what padding added.",
           "A padding share above 0.3: windows are too small for rows of like length.", kind=("text", "padding")),
    _of_us("model_failures_total", "counter", "passes", "Forward passes that failed.",
           "By the error's name; passes are tried again, so look at `dead_letters_total` too.", error=()),
    _of_us("model_info", "gauge", "1", "The model that serves.",
           "More than one version for longer than a roll-out takes: a replica was left behind.",
           name=(), version=(), sha256=(), variant=(), provider=()),
    # The group and the brokers.
    _of_us("state", "gauge", "0 or 1", "1 for the state that the worker is in.",
           "`joining` for long: see [when it does not move](operations.md#when-it-does-not-move).", state=()),
    _of_us("partitions_assigned", "gauge", "partitions", "Partitions owned.",
           "0 in a serving worker: there are more replicas than partitions."),
    _of_us("rebalances_total", "counter", "rebalances", "Times that partitions were assigned, revoked or lost.",
           "Steady: members come and go; find out why. `lost` means that the group went on without this worker.",
           kind=REBALANCES),
    _histogram("revocation_seconds", "seconds", _SECONDS,
               "From a revocation until what was in flight is settled and committed.",
               "Near `WORKER_DRAIN_TIMEOUT_MS`: windows take too long; lower `WORKER_WINDOW_MS_TARGET`."),
    _of_us("delivery_count_max", "gauge", "deliveries",
           "The highest delivery count of the partitions owned: 1, unless workers died where this one began.",
           "2 or more: read how the last workers ended (exit code, memory) before a third one does."),
    _of_us("isolated_partitions", "gauge", "partitions",
           "Partitions of which records are tried in small groups, since workers died there.",
           "Wait: it ends with the dead letter `crashed_worker`, or with nothing found."),
    _of_us("transactions_aborted_total", "counter", "transactions", "Transactions aborted, to be tried again.",
           "A steady stream: members come and go, or `WORKER_TRANSACTION_TIMEOUT_MS` is too short."),
    _of_us("publish_throttle_seconds", "gauge", "seconds",
           "The longest that brokers held up publishing by a quota of late.",
           "Not 0: raise the quota, or take longer."),
    # The process, from Prometheus' client library.
    _of_library("process_start_time_seconds", "gauge", "seconds since 1970", "When the process started.",
                "Changing again and again: it restarts; look at its exit code."),
    _of_library("process_resident_memory_bytes", "gauge", "bytes", "Memory in use.",
                "Near its limit: see [memory](operations.md#memory)."),
    _of_library("process_virtual_memory_bytes", "gauge", "bytes", "Address space in use."),
    _of_library("process_cpu_seconds_total", "counter", "seconds", "Processor time used."),
    _of_library("process_open_fds", "gauge", "descriptors", "Open file descriptors."),
    _of_library("process_max_fds", "gauge", "descriptors", "File descriptors allowed."),
    _of_library("python_info", "gauge", "1", "The Python that runs it."),
    _of_library("python_gc_objects_collected_total", "counter", "objects", "Objects collected as garbage."),
    _of_library("python_gc_objects_uncollectable_total", "counter", "objects", "Objects that could not be."),
    _of_library("python_gc_collections_total", "counter", "collections", "Runs of the garbage collector."),
)  # fmt: skip


def metrics_table() -> str:
    """The table in Markdown, for docs/metrics.md."""
    rows = [
        "| metric | kind | unit | labels | meaning | what to do when it moves |",
        "|---|---|---|---|---|---|",
    ]
    for metric in TABLE:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(
            f"| `{metric.name}` | {metric.kind} | {metric.unit} | {labels} | {metric.help} | {metric.advice} |"
        )
    return "\n".join(rows) + "\n"
