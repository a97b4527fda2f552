"""What becomes of a record."""

import json

import pytest

from tests.faked_pipeline import P0, FakedPipeline, due, review
from worker.core.records import Chunk, Record
from worker.outcomes import Kind


def test_a_confidence_below_the_threshold_is_marked_and_keeps_its_label() -> None:
    """`abstained` follows the bundle's threshold; the probabilities are in no class-id order but by name."""
    faked = FakedPipeline()
    faked.receive([review("a")])
    faked.pipeline.run(faked.window())

    sentiment = json.loads(faked.sink.written[0].value or b"")["sentiment"]
    assert sentiment["label"] == "positive"
    assert sentiment["confidence"] == sentiment["probabilities"]["positive"] == pytest.approx(0.986703)
    assert sentiment["abstained"] is False


def test_a_result_too_large_becomes_a_dead_letter_and_that_one_may_lose_its_value() -> None:
    """`output_too_large` keeps the input's bytes where they fit, else their hash and size."""
    faked = FakedPipeline(message_bytes_max=100)
    fits, too_long = review("a" * 60), review("a" * 300)
    faked.receive([fits, too_long])
    faked.pipeline.run(faked.window())

    assert faked.kinds() == ["output_too_large"] * 2
    assert [item.value for item in faked.sink.written] == [fits, b""]
    assert dict(faked.sink.written[1].headers)["x-dlq-value-bytes"] == str(len(too_long)).encode()
    assert [item.kind for item in faked.telemetry.outcomes] == [Kind.DEAD_LETTER] * 2


def test_tombstones_pass_and_empty_records_are_settled() -> None:
    """A null value with a key is forwarded; without one it is counted, and the position moves past both."""
    faked = FakedPipeline()
    faked.receive([None, review("a")])
    faked.in_flight.receive([Chunk(P0, (Record(P0, 2, 0, None, None),), 3)])
    faked.pipeline.run(faked.window())

    assert faked.kinds() == ["forwarded", "positive"]
    assert [record.offset for record in faked.telemetry.unsent] == [2]
    assert due(faked) == {P0: 3}
