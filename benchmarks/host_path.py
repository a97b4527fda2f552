"""What an event costs the host of a worker, verb by verb, without a broker and without a model.

A worker with a GPU is limited by its host (docs/experiments.md), so this is what its throughput depends on. CPU
time of one thread, in microseconds an event; the median of several rounds. Beside it, in the same rounds, are the
limit, which is the JSON parser and the tokenizer on their own, and the baseline for results, the contract's model.
"""

import argparse
import json
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer

from benchmarks.events import event_values
from benchmarks.gpu.host import Discarded
from contract.encoding import Encoding
from contract.events import ModelIdentity, Probabilities, Sentiment, Source
from contract.fields import TEXT_FIELDS, first_text
from contract.labels import LABELS
from dev.samples import encoder_folder
from worker.adapters.encoder import TokenizersEncoder
from worker.adapters.metrics import Metrics
from worker.core.backpressure import Marks
from worker.core.breaker import Breaker, BreakerPolicy
from worker.core.records import Chunk, Partition, Record
from worker.core.splicing import splice
from worker.core.windows import WindowPolicy
from worker.cores import cpu_name
from worker.in_flight import InFlight
from worker.outcomes import OutcomeBuilder
from worker.pipeline import Pipeline, PipelineOptions

_EVENTS, _WINDOW, _ROUNDS = 4096, 512, 7
_IN = Partition("reviews", 0)
_MODEL = ModelIdentity(name="m", version="1", sha256="0" * 64, variant="none", provider="none")


class _Answers:
    """A model that takes no time to speak of."""

    provider = "none"

    def logits(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        return np.tile(np.array([0.1, 0.2, 0.3], dtype=np.float32), (len(rows), 1))


class Host:
    """The worker's path for these events, and what it is compared with."""

    def __init__(self, tokenizer_file: Path, values: Sequence[bytes]) -> None:
        """Set the path up as a worker does."""
        self._values, self._read = values, 0
        self._tokenizer = Tokenizer.from_file(str(tokenizer_file))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._in_flight = InFlight(WindowPolicy(_WINDOW, 1e9, 0, 4096), Marks(10**6, 10**10))
        self._in_flight.assign([_IN])
        self._pipeline = Pipeline(
            PipelineOptions(None, 10**6, _WINDOW, 32 * 512, 512, temperature=1.0),
            in_flight=self._in_flight,
            encoder=TokenizersEncoder(tokenizer_file, Encoding(tokens_max=512)),
            classifier=_Answers(),
            delivery=Discarded(self._in_flight),
            outcomes=OutcomeBuilder("c", "s", _MODEL, LABELS, 0.5, "out", "dead"),
            breaker=Breaker(BreakerPolicy(1.0, 100)),
            telemetry=Metrics(),
        )

    def round(self) -> dict[str, float]:
        """CPU microseconds an event of each verb, and of what it is compared with."""
        spent_s: defaultdict[str, float] = defaultdict(float)

        @contextmanager
        def timed(name: str) -> Iterator[None]:
            start_s = time.process_time()
            yield
            spent_s[name] += time.process_time() - start_s

        records = tuple(
            Record(_IN, self._read + number, 1_700_000_000_000, b"key", value)
            for number, value in enumerate(self._values)
        )
        self._read += len(records)
        with timed("receive, close"):
            self._in_flight.receive([Chunk(_IN, records, self._read)])
        for _ in range(len(records) // _WINDOW):
            with timed("receive, close"):
                window = self._in_flight.take()
            assert window is not None  # noqa: S101 - a device that is idle gets one
            with timed("decode, encode"):
                prepared = self._pipeline.prepare(window)
            with timed("batch, probabilities"):
                scored = self._pipeline.collect(self._pipeline.submit(prepared))
            with timed("results, settle"):
                self._pipeline.deliver(scored)
        with timed("limit: json.loads"):
            events = [json.loads(value) for value in self._values]
        texts = [first_text(event, TEXT_FIELDS) or "" for event in events]
        with timed("limit: tokenizer"):
            self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        with timed("baseline: results by the contract's model"):
            self._modelled(records)
        return {name: seconds / len(records) * 1e6 for name, seconds in spent_s.items()}

    def _modelled(self, records: Sequence[Record]) -> None:
        """The values alone; the headers are left out."""
        shares = Probabilities(negative=0.3, neutral=0.3, positive=0.4)
        for record in records:
            sentiment = Sentiment.model_validate(
                {
                    "label": "positive", "confidence": 0.4, "probabilities": shares, "abstained": False,
                    "tokens": 80, "truncated": False, "model": _MODEL, "scored_at": datetime.now(UTC),
                    "source": Source(topic=_IN.topic, partition=_IN.number, offset=record.offset),
                }
            )  # fmt: skip
            splice(record.value or b"", "sentiment", sentiment.model_dump_json().encode())


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.host_path", description=__doc__)
    parser.add_argument("--tokenizer", type=Path, help="a tokenizer.json; default: bge-small's, of the samples")
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="review files; default: rated sentences")
    options = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # so that its CPU time is what it takes
    tokenizer = options.tokenizer or encoder_folder("bge-small-en-v1.5") / "tokenizer.json"
    host = Host(tokenizer, event_values(options.data, _EVENTS))
    host.round()
    rounds = [host.round() for _ in range(_ROUNDS)]
    table = Table(title=f"CPU µs an event · {cpu_name()} · median of {_ROUNDS} (least, most)")
    table.add_column("")
    for title in ("median", "least", "most"):
        table.add_column(title, justify="right")
    for name in rounds[0]:
        found = sorted(it[name] for it in rounds)
        table.add_row(name, *(f"{it:.1f}" for it in (statistics.median(found), found[0], found[-1])))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
