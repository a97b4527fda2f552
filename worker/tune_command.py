"""`python -m worker tune`: measure how this machine serves the bundle fastest, show it, and write it down."""

import argparse
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import structlog

from contract.encoding import Encoded
from contract.errors import UsageError
from contract.fields import Fields
from worker.adapters.bundle import Bundle, read_bundle
from worker.adapters.classifier import available_device
from worker.core.batching import Layout, default_layout
from worker.core.decoding import Rejection, decode
from worker.cores import cores, cpu_name
from worker.flags import Parser
from worker.model import load_encoder
from worker.settings import Settings
from worker.tuned import Choice, here, require_writable, write_choice
from worker.tuning import Candidate, Speed, candidates, loader, measure

log = structlog.get_logger(__name__)

_TEXTS_MAX = 128
"""Of a file: more would make a round longer, and so the rounds fewer."""
_SECONDS_MAX = 24 * 60 * 60
_BAR = 20


def parser() -> argparse.ArgumentParser:
    """What the command takes beside the settings of `run`."""
    flags = Parser(
        "tune",
        description="Measure graphs, passes at a time, threads and batches on this machine. Needs no Kafka.",
        epilog="""\
any setting of `run` is a flag here; examples:
  python -m worker tune --bundle runs/demo/bundle                     # look, on the bundle's own texts
  python -m worker tune --texts events.jsonl --output tuning.json     # texts as yours are long; keep what wins
  WORKER_TUNING_FILE=tuning.json python -m worker run                 # on any machine: others' entries don't count
""",
    )  # fmt: skip
    flags.add_argument("--texts", type=Path, help="values of records, one a line; else the bundle's golden texts")
    flags.add_argument("--seconds", type=_seconds, default=60.0, help="about how long (default: %(default)g)")
    flags.add_argument("--output", type=Path, help="file to add the fastest to, for WORKER_TUNING_FILE")
    return flags


def _seconds(word: str) -> float:
    seconds = float(word)
    if not 0 <= seconds <= _SECONDS_MAX:
        raise argparse.ArgumentTypeError(f"{word} is not between 0 and {_SECONDS_MAX} seconds")
    return seconds


def tune(settings: Settings, texts: Path | None, seconds: float, output: Path | None) -> str:
    """Measure, and write the fastest layout to `output`.

    Returns:
        A table for people.

    Raises:
        UsageError: If the texts can't be read or hold none, or `output` can't be written.
        BundleRefusedError: If the bundle is not fit to serve.
    """
    if output:
        require_writable(output)
    device, bundle = available_device(settings.device), read_bundle(settings.bundle)
    encoded = load_encoder(bundle).encode(_texts(settings, texts, bundle))
    rows, tokens_min = [one.ids for one in encoded], bundle.manifest.encoding.tokens_max
    default = Candidate(bundle.choose_variant(device, settings.variant), default_layout(device, cores()))
    default = Candidate(default.variant, default.layout._replace(tokens=max(default.layout.tokens, tokens_min)))
    variants = bundle.servable(device) if settings.variant == "auto" else [default.variant]
    tried = candidates(
        variants, device, cores(), rows_max=settings.batch_rows_max or default.layout.rows, tokens_min=tokens_min
    )
    speeds = measure(
        list(dict.fromkeys([default, *tried])),
        loader(bundle, device, settings.device_memory_bytes_max),
        rows,
        seconds,
        lambda said: log.info("tuning", said=said),
    )
    best = next(iter(speeds))
    told = _described(encoded, texts)
    if output:
        write_choice(output, _choice(here(bundle, device), best, speeds[best].median, told))
    return "\n".join(
        [*_table(speeds, default), f"on {cpu_name()}, {cores()} cores; {told}", *_advice(best, output)]
    )


def _texts(settings: Settings, file: Path | None, bundle: Bundle) -> list[Fields]:
    if file is None:
        return [Fields(golden.text, golden.title) for golden in bundle.goldens]
    try:
        with file.open("rb") as lines:
            decoded = (
                decode(line, text_field=settings.text_field, bytes_max=settings.input_bytes_max) for line in lines
            )
            found = list(islice((one for one in decoded if not isinstance(one, Rejection)), _TEXTS_MAX))
    except OSError as error:
        raise UsageError(f"can't read {file}: {error.strerror}") from error
    if not found:
        raise UsageError(f"no line of {file} is an event with a text: see `python -m worker contracts validate`")
    return found


def _choice(where: tuple[str, str, int, str, str], best: Candidate, speed: float, texts: str) -> Choice:
    sha256, cpu, usable, runtime, device = where
    return Choice.model_validate(
        {
            "bundle_sha256": sha256, "cpu": cpu, "cores": usable, "onnxruntime": runtime, "device": device,
            "variant": best.variant, "callers": best.layout.callers, "threads": best.layout.threads,
            "batch_tokens_max": best.layout.tokens, "reviews_per_s": round(speed, 1), "texts": texts,
        }
    )  # fmt: skip


def _described(encoded: list[Encoded], file: Path | None) -> str:
    lengths = sorted(len(one.ids) for one in encoded)
    whose = f"of {file.name}" if file else "of the bundle's golden texts"
    return (
        f"{len(lengths)} {whose}: {lengths[len(lengths) // 2]} tokens (median), "
        f"{sum(lengths) / len(lengths):.0f} (mean), {lengths[-1]} (most)"
    )


def _table(speeds: Mapping[Candidate, Speed], default: Candidate) -> list[str]:
    """One line a candidate, the fastest first, with a bar as long as it is fast."""
    best = max(speed.median for speed in speeds.values())

    def ratio(speed: Speed) -> str:
        return f"{speed.median / speeds[default].median:.2f}" if default in speeds else "-"

    titles = f"{'reviews/s':>10} {'least':>8} {'most':>8} {'rounds':>7} {'of default':>11}"
    lines = [f"{'graph':<12} {'callers':>7} {'threads':>7} {'tokens':>7} {titles}"]
    for candidate, speed in speeds.items():
        layout: Layout = candidate.layout
        figures = f"{speed.median:>10.1f} {speed.least:>8.1f} {speed.most:>8.1f} {speed.rounds:>7}"
        lines.append(
            f"{candidate.variant:<12} {layout.callers:>7} {layout.threads:>7} {layout.tokens:>7} {figures} "
            f"{ratio(speed):>11}  {'█' * round(_BAR * speed.median / best)}"
            f"{'  ← default' if candidate == default else ''}"
        )
    return lines


def _advice(best: Candidate, output: Path | None) -> list[str]:
    layout = best.layout
    if output:
        return [f"written to {output}: WORKER_TUNING_FILE={output} makes a worker on such a machine serve so"]
    flags = (
        f"WORKER_CALLERS={layout.callers} WORKER_THREADS={layout.threads} WORKER_BATCH_TOKENS_MAX={layout.tokens}"
    )
    return [f"to serve so: WORKER_VARIANT={best.variant} {flags}; or give --output FILE"]
