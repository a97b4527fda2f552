"""`python -m dev.demo`: fine-tune, export, start Kafka and two workers, stream, and account for every record."""

import argparse
import contextlib
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.live import Live

from contract.errors import InputError
from dev.account import Auditor
from dev.demo.load import Upstream
from dev.demo.prepare import Material, prepare
from dev.demo.summary import Summary, show, summarise
from dev.demo.view import View
from dev.hostile import hostile_records
from dev.kafka import AnyCluster, KafkaUnavailableError, cluster_or_existing
from dev.processes import WorkerDiedError, WorkerProcess
from dev.samples import SampleUnavailableError

_PARTITIONS = 4
_WORKERS = 2
_BURST_S = 30
_STEADY_S = 30
_STEADY_SHARE = 0.3
_OUTPUT_BYTES_MAX = 500_000  # small enough that one hostile record's result does not fit
_STALLED_S = 60


def main() -> int:
    """Run the demo; 0 only if every promise held."""
    parser = argparse.ArgumentParser(prog="python -m dev.demo", description=__doc__)
    parser.add_argument("--reviews", type=Path, nargs="*", default=[], help="your own Amazon review files")
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/demo"), help="emptied first; holds report and logs"
    )
    options = parser.parse_args()
    console = Console()
    try:
        console.rule("1  Fine-tune and export")
        material = prepare(options.folder, options.reviews)
        console.rule("2  Kafka and two workers")
        with _servers(options.folder, material) as (cluster, topics, workers):
            view = View(console)
            summary = _stream(cluster, topics, workers, material, view)
        show(summary, material, console)
    except KeyboardInterrupt:
        console.print("interrupted; nothing is left running")
        return 130
    except (KafkaUnavailableError, SampleUnavailableError, InputError, WorkerDiedError) as error:
        console.print(f"demo: {error}", style="red", markup=False)
        return 1
    except subprocess.CalledProcessError as error:
        console.print(f"demo: {error.cmd[2]} ended with code {error.returncode}", style="red", markup=False)
        return 1
    (options.folder / "summary.json").write_text(json.dumps(asdict(summary), indent=2) + "\n")
    picture = Console(record=True, width=100, file=io.StringIO())
    picture.print(view)
    show(summary, material, picture)
    picture.save_svg(str(options.folder / "demo.svg"), title="make demo", code_format=_svg_format())
    return 1 if summary.failures else 0


@contextlib.contextmanager
def _servers(
    folder: Path, material: Material
) -> Iterator[tuple[AnyCluster, tuple[str, str, str], list[WorkerProcess]]]:
    """A Kafka with topics of this run's own, and two workers on it."""
    run = f"demo-{int(time.time())}"
    topics = (f"{run}.reviews", f"{run}.reviews.sentiment", f"{run}.reviews.dlq")
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(cluster_or_existing(folder / "kafka"))
        cluster.create_topics({topics[0]: _PARTITIONS, topics[2]: _PARTITIONS})
        cluster.create_topics({topics[1]: _PARTITIONS}, {"max.message.bytes": str(_OUTPUT_BYTES_MAX)})
        settings = {
            "WORKER_BUNDLE": material.bundle,
            "KAFKA_BOOTSTRAP_SERVERS": cluster.bootstrap_servers,
            "WORKER_INPUT_TOPIC": topics[0],
            "WORKER_OUTPUT_TOPIC": topics[1],
            "WORKER_DEAD_LETTER_TOPIC": topics[2],
            "WORKER_GROUP_ID": run,
            "WORKER_CALLERS": 1,  # two workers on two cores
        }
        workers = [
            stack.enter_context(WorkerProcess(folder / f"worker-{n}.log", settings, module="dev.faulty_worker"))
            for n in range(1, _WORKERS + 1)
        ]
        for worker in workers:
            worker.wait_ready()
        yield cluster, topics, workers


def _stream(
    cluster: AnyCluster,
    topics: tuple[str, str, str],
    workers: list[WorkerProcess],
    material: Material,
    view: View,
) -> Summary:
    upstream = Upstream(cluster.bootstrap_servers, topics[0])
    hostile = hostile_records(output_bytes_max=_OUTPUT_BYTES_MAX)
    silent = view.silent = sum(item.expected == "unsendable" for item in hostile)
    texts = material.held_out
    latencies_s: list[float] = []
    with contextlib.closing(Auditor(cluster.bootstrap_servers, *topics[1:])) as auditor, view.live() as live:
        outcomes = auditor.account.outcomes

        def answered() -> bool:
            return len(outcomes) >= len(upstream.sent) - silent and not sending.is_alive()

        view.phase = "the held-out texts and the hostile records"
        sending = upstream.burst(texts, hostile, "first")
        _follow(auditor, view, live, upstream, answered)
        view.phase = f"bursts without a pause: {_BURST_S} s of work"
        first, started_s = len(outcomes), time.monotonic()
        sending = upstream.keep_waiting(texts, _BURST_S, lambda: len(upstream.sent) - len(outcomes), "burst")
        _follow(auditor, view, live, upstream, answered)
        burst = len(outcomes) - first, time.monotonic() - started_s
        per_second = _STEADY_SHARE * burst[0] / burst[1]
        view.phase = f"a steady {per_second:,.0f} records/s"
        sending = upstream.steady(texts, per_second, _STEADY_S, "steady")
        _follow(auditor, view, live, upstream, answered, latencies_s)
        # A little longer, for whatever should not come.
        until_s = time.monotonic() + 1
        _follow(auditor, view, live, upstream, lambda: time.monotonic() > until_s)
    unsendable = int(sum(worker.metric("sentiment_worker_unsendable_total") for worker in workers))
    return summarise(
        auditor.account,
        upstream.sent,
        material,
        burst=burst,
        steady_per_second=per_second,
        latencies_s=latencies_s,
        unsendable=unsendable,
    )


def _follow(
    auditor: Auditor,
    view: View,
    live: Live,
    upstream: Upstream,
    done: Callable[[], bool],
    latencies_s: list[float] | None = None,
) -> None:
    """Read and show outcomes until done, or until nothing has come for a minute."""
    moved_s = drawn_s = time.monotonic()
    while not done() and time.monotonic() - moved_s < _STALLED_S:
        outcomes = auditor.read(timeout_s=0.05)
        now_s, monotonic_s = time.time(), time.monotonic()
        if outcomes:
            moved_s = monotonic_s
            view.saw(outcomes)
        if latencies_s is not None:
            latencies_s += [now_s - outcome.timestamp_ms / 1000 for outcome in outcomes]
        if monotonic_s - drawn_s > 0.25:  # noqa: PLR2004 - seconds
            drawn_s = monotonic_s
            view.refresh(live, len(upstream.sent))
    view.refresh(live, len(upstream.sent))


def _svg_format() -> str:
    """Rich's picture without the fonts that it would have a reader's browser fetch."""
    from rich._export_format import CONSOLE_SVG_FORMAT  # noqa: PLC0415 - rich exports no public name for it

    before, _, rest = CONSOLE_SVG_FORMAT.partition("@font-face")
    style = ".{unique_id}-matrix"
    return before + style + rest.partition(style)[2]


if __name__ == "__main__":
    sys.exit(main())
