"""Labelled reviews for the small BERT, and what a worker answers to them."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.export.tiny_checkpoint import review_text
from tests.fakes import FakeSink, FakeTelemetry
from tests.review_files import write_lines
from worker.adapters.kafka_client import ClusterFacts
from worker.app import outcome_builder, pipeline_options
from worker.core.backpressure import Marks
from worker.core.breaker import Breaker, BreakerPolicy
from worker.core.records import Chunk, Partition, Record
from worker.core.windows import WindowPolicy
from worker.delivery import AtLeastOnce
from worker.in_flight import InFlight
from worker.model import load_model
from worker.pipeline import Pipeline
from worker.settings import Settings

STARS = (3.0, 5.0, 1.0)
"""Of class ids."""
MARK = "qz"
"""In every text of `write_labelled`, and nowhere else."""


def write_labelled(file: Path, count: int, seed: int, *, unclear_share: float = 0.4) -> list[dict[str, Any]]:
    """Write reviews, each text another; unclear ones have words of two classes, and the stars of one of them."""
    randomly, reviews = random.Random(seed), []
    for number in range(count):
        label, other = randomly.sample(range(3), 2)
        words = review_text(label, randomly).split()
        if randomly.random() < unclear_share:
            words += review_text(other, randomly).split()
            randomly.shuffle(words)
        text = " ".join([*words[:40], f"{MARK}{seed}{MARK}{number}"])
        reviews.append({"reviewText": text, "overall": STARS[label]})
    write_lines(file, reviews)
    return reviews


def worker_answers(bundle: Path, variant: str, events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The `sentiment` of each event, from the worker's own parts put together as it does; only Kafka is a fake."""
    settings = Settings(bundle=bundle, variant=variant, device="cpu")
    model, partition = load_model(settings), Partition("reviews", 0)
    in_flight = InFlight(
        WindowPolicy(512, window_ms_target=1e9, wait_ms_max=0, value_bytes_max=10**6), Marks(10**6, 10**9)
    )
    in_flight.assign([partition])
    sink, telemetry = FakeSink(), FakeTelemetry()
    outcomes = outcome_builder(settings, model, ClusterFacts("cluster", {}, {}), "session")
    pipeline = Pipeline(
        pipeline_options(settings, model), in_flight=in_flight, encoder=model.encoder, classifier=model.classifier,
        outcomes=outcomes, delivery=AtLeastOnce(in_flight, sink, outcomes, telemetry),
        breaker=Breaker(BreakerPolicy()), telemetry=telemetry,
    )  # fmt: skip
    records = tuple(Record(partition, n, 1000, b"k", json.dumps(event).encode()) for n, event in enumerate(events))
    in_flight.receive([Chunk(partition, records, len(records))])
    while len(sink.written) < len(events):
        window = in_flight.take()
        assert window is not None
        pipeline.run(window)
    return [json.loads(item.value or b"")["sentiment"] for item in sink.written]
