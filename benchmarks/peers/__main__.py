"""`python -m benchmarks.peers`: how many reviews a second a worker's forward passes score, and those of others.

On the same reviews and of the same checkpoint: the bundle as a worker runs it that nobody has tuned, CTranslate2,
OpenVINO, Optimum on ONNX Runtime, and as the baseline a pipeline of transformers. Ours and the first two are given
token ids, in batches of like length; the pipelines are given texts, and tokenise them within the time. Others run
in environments of their own (`.cache/peers`). All take turns, each round has other reviews, and of the layouts of
each the best one counts.
"""

import argparse
import json
from pathlib import Path
from statistics import fmean

from rich.console import Console

from benchmarks.events import event_values
from benchmarks.peers.answering import Job
from benchmarks.peers.comparison import compare, table
from benchmarks.peers.contest import Peer, contest
from contract.encoding import apply_template
from contract.fields import TEXT_FIELDS, Fields, first_text
from contract.labels import LABELS
from contract.variants import REFERENCE
from worker.adapters.bundle import read_bundle
from worker.cores import cores, cpu_name
from worker.model import load_encoder

_OURS = Peer("this worker", "benchmarks.peers.ours")
_TORCH = "torch==2.15.0"
_PEERS = (
    Peer(
        "CTranslate2", "benchmarks.peers.ctranslate2",
        ("ctranslate2==4.8.5", "transformers==4.57.6", _TORCH),  # its converter fails with transformers 5.24
    ),
    Peer(
        "OpenVINO", "benchmarks.peers.openvino",
        ("openvino==2026.4.1", "nncf==3.4.0", "transformers==5.24.0", _TORCH),
    ),
    Peer(
        "Optimum, ONNX Runtime", "benchmarks.peers.optimum",
        ("optimum-onnx==0.1.0", "onnxruntime==1.32.0", "transformers==4.57.6", _TORCH),
    ),
    Peer("transformers, PyTorch", "benchmarks.peers.transformers"),
)  # fmt: skip
_CALIBRATION = 300
"""Texts; NNCF's own default."""
_ENVIRONMENTS, _OUTPUT = Path(".cache/peers"), Path("runs/benchmarks/peers.json")


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("runs/demo/bundle"))
    parser.add_argument("--checkpoint", type=Path, default=Path("runs/demo/checkpoint"), help="of the bundle")
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="review files; default: rated sentences")
    parser.add_argument("--reviews", type=int, default=128, help="of a round (default: %(default)d)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", nargs="+", choices=[it.name for it in _PEERS], help="these and ours alone")
    parser.add_argument("--json", type=Path, default=_OUTPUT, help="default: %(default)s")
    options = parser.parse_args()
    job, console = _job(options), Console(width=150)
    peers = [it for it in _PEERS if it.name in (options.peers or [it.name])]
    found = contest((_OURS, *peers), job, _ENVIRONMENTS.absolute(), Console(stderr=True).print)
    rows, tokens = compare(found, _OURS.name), fmean(map(len, job.rows))
    result = {
        "cpu": cpu_name(), "cores": job.cores, "reviews": len(job.rows), "tokens_mean": tokens,
        "versions": found.versions, "rows": [row._asdict() for row in rows],
        "layouts": [[*way, speeds] for way, speeds in found.speeds.items()],
        "failed": [[*way, reason] for way, reason in found.failed.items()],
    }  # fmt: skip
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, indent=2) + "\n")
    title = f"{cpu_name()}, {job.cores} cores · {len(job.rows)} reviews of {tokens:.0f} tokens in the mean"
    console.print(table(rows, found.failed, title))


def _job(options: argparse.Namespace) -> Job:
    bundle = read_bundle(options.bundle)
    count = options.reviews * (1 + options.rounds)  # the first round warms up
    values = event_values(options.data, count + _CALIBRATION)
    fields = [Fields(first_text(json.loads(value), TEXT_FIELDS) or "") for value in values]
    rows = [one.ids for one in load_encoder(bundle).encode(fields)]
    texts = [apply_template(one, bundle.manifest.encoding) for one in fields[:count]]
    others = [name for name in bundle.servable("cpu") if name != REFERENCE.name]
    return Job(
        bundle=str(options.bundle.absolute()),
        checkpoint=str(options.checkpoint.absolute()),
        labels=list(LABELS),
        texts=texts,
        rows=rows[:count],
        calibration=rows[count:],
        cores=cores(),
        graphs={name: str(bundle.folder / bundle.variant(name).file) for name in others},
        rounds=1 + options.rounds,
    )


if __name__ == "__main__":
    main()
