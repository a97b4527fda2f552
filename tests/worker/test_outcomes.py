"""What becomes of a record."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from contract.encoding import Encoded
from contract.events import Reason
from tests.faked_pipeline import P0, FakedPipeline, due, outcome_builder, review
from worker.core.decoding import Rejection
from worker.core.records import Chunk, Header, Record
from worker.errors import KafkaUnfitError
from worker.outcomes import Kind, Outgoing


def test_a_confidence_below_the_threshold_is_marked_and_keeps_its_label() -> None:
    """`abstained` follows the bundle's threshold; the probabilities are in no class-id order but by name."""
    faked = FakedPipeline()
    faked.receive([review("a")])
    faked.pipeline.run(faked.window())

    sentiment = json.loads(faked.sink.written[0].value or b"")["sentiment"]
    assert sentiment["label"] == "positive"
    assert sentiment["confidence"] == sentiment["probabilities"]["positive"] == pytest.approx(0.986703)
    assert sentiment["abstained"] is False


def test_a_window_is_scored_at_one_time_and_the_next_one_later() -> None:
    """In the event and in the header `ce_time`; a worker that runs for days does not keep its first."""
    moments = (datetime(2026, 11, 23, 10, 0, second, tzinfo=UTC) for second in count())
    builder = replace(outcome_builder(), now=lambda: next(moments))
    times = []
    for epoch in (1, 1, 2):
        outcomes = builder.in_assignment(epoch)
        for offset in (0, 1):
            record = Record(P0, offset, 1000, None, review("a"))
            result = outcomes.result(record, Encoded([1, 2, 3], truncated=False), np.array([0.1, 0.2, 0.7]))
            scored_at = json.loads(result.value or b"")["sentiment"]["scored_at"]
            assert dict(result.headers)["ce_time"] == scored_at.encode()
            times.append(scored_at)

    assert times == [f"2026-11-23T10:00:0{second}.000Z" for second in (0, 0, 1, 1, 2, 2)]


def test_a_result_too_large_becomes_a_dead_letter_and_that_one_may_lose_its_value() -> None:
    """`output_too_large` keeps the input's bytes where they fit, else their hash and size."""
    faked = FakedPipeline(message_bytes_max=100)
    fits, too_long = review("a" * 60), review("a" * 300)
    faked.receive([fits, too_long])
    faked.pipeline.run(faked.window())

    assert faked.kinds() == ["output_too_large"] * 2
    assert [item.value for item in faked.sink.written] == [fits, b""]
    assert dict(faked.sink.written[1].headers)["x-dlq-value-bytes"] == str(len(too_long)).encode()
    assert [item.kind for item in faked.telemetry.acknowledged] == [Kind.DEAD_LETTER] * 2


def test_a_dead_letter_is_cut_until_its_topic_takes_it() -> None:
    """What is left in the end says where the record is, and why it is here; less than that is no dead letter."""
    faked = FakedPipeline()
    faked.sink.broker.refuses = lambda item: item.kind is Kind.RESULT or item.key == b"k"
    faked.receive([review("a")])
    faked.pipeline.run(faked.window())

    (dead,) = faked.sink.written
    said = dict(dead.headers)
    assert (dead.detail, dead.key, dead.value, dead.timestamp_ms) == ("output_refused", b"in/0/0", b"", None)
    assert said["x-dlq-left-out"] == b"timestamp,value,key"
    assert said["x-dlq-timestamp-ms"] == b"1000"
    assert said["x-dlq-reason"] == b"output_refused"

    faked.sink.broker.refuses = lambda item: True
    faked.receive([review("a")], first=1)
    with pytest.raises(KafkaUnfitError, match="dead refuses even a dead letter without"):
        faked.pipeline.run(faked.window())
    assert due(faked) == {P0: 1}


def test_a_dead_letter_of_nothing_at_all_has_a_key() -> None:
    """Without key and value no client of ours could send it."""
    record = Record(P0, 2, 0, None, None)
    dead = outcome_builder().dead_letter(record, Rejection(Reason.CRASHED_WORKER, "died"), stage="decode")
    assert (dead.key, dead.value, dict(dead.headers)["x-dlq-left-out"]) == (b"in/0/2", None, b"key")


def test_tombstones_pass_and_empty_records_are_settled() -> None:
    """A null value with a key is forwarded; without one it is counted, and the position moves past both."""
    faked = FakedPipeline()
    faked.receive([None, review("a")])
    faked.in_flight.receive([Chunk(P0, (Record(P0, 2, 0, None, None),), 3)])
    faked.pipeline.run(faked.window())

    assert faked.kinds() == ["forwarded", "positive"]
    assert [record.offset for record in faked.telemetry.unsent] == [2]
    assert due(faked) == {P0: 3}


def outcome_of(value: bytes | None, headers: tuple[Header, ...]) -> Outgoing:
    faked = FakedPipeline()
    faked.in_flight.receive([Chunk(P0, (Record(P0, 7, 1000, b"k", value, headers),), 8)])
    faked.pipeline.run(faked.window())
    return faked.sink.written[0]


def names_once(outgoing: Outgoing) -> dict[str, bytes]:
    """The headers, of which none may stand twice."""
    names = [name for name, _ in outgoing.headers]
    assert sorted(set(names)) == sorted(names)
    return dict(outgoing.headers)


def test_a_dead_letter_sent_back_three_times_has_its_last_failure_and_its_first_origin() -> None:
    """Each header of ours once; what the event had of its own stays."""
    headers: tuple[Header, ...] = (("trace", b"1"), ("ce_id", b"theirs"), ("null", None))
    for value, reason in ((b"{", "invalid_json"), (b"[]", "not_an_object"), (b"{}", "missing_text")):
        dead = outcome_of(value, headers)
        said = names_once(dead)
        assert dead.kind is Kind.DEAD_LETTER
        assert (said["x-dlq-reason"], said["__connect.errors.exception.class.name"]) == (reason.encode(),) * 2
        headers = tuple(
            (name, b"41" if (name, reason) == ("__connect.errors.offset", "invalid_json") else value)
            for name, value in dead.headers
        )
    assert dead.headers[:3] == [("trace", b"1"), ("ce_id", b"theirs"), ("null", b"")]
    assert (said["__connect.errors.topic"], said["__connect.errors.offset"]) == (b"in", b"41")


@pytest.mark.parametrize("value", [review("a"), None])
def test_a_result_does_not_carry_an_old_failure(value: bytes | None) -> None:
    """Corrected and sent back, the event has a result; what it failed of stands under other names."""
    dead = outcome_of(b"{", (("content-type", b"text/plain"), ("trace", b"1")))
    said = names_once(outcome_of(value, tuple(dead.headers)))
    assert not [name for name in said if name.startswith(("x-dlq-", "__connect.errors."))]
    assert (said["x-source-x-dlq-reason"], said["x-source-content-type"]) == (b"invalid_json", b"text/plain")
    assert said["ce_id"] == b"cluster/in/0/7"
    assert said["trace"] == b"1"


@pytest.mark.parametrize("page", ["consumers.md", "architecture.md", "contracts/asyncapi.json"])
def test_the_id_of_a_result_is_what_the_pages_say(page: str) -> None:
    """Of its four parts, the cluster's id is the first."""
    text = (Path(__file__).parents[2] / "docs" / page).read_text()
    forms = set(re.findall(r"(?<!/)\b[A-Z_]+(?:/[A-Z]+)*/OFFSET\b", text))
    assert len(forms) == 1
    parts = {"CLUSTER_ID": "cluster", "TOPIC": "in", "PARTITION": "0", "OFFSET": "7"}
    told = "/".join(parts[part] for part in forms.pop().split("/"))
    assert names_once(outcome_of(review("a"), ()))["ce_id"] == told.encode()


@pytest.mark.parametrize(
    "headers",
    [
        (("__connect.errors.topic", b"t"), ("__connect.errors.partition", b"3"),
         ("__connect.errors.offset", b"4")),
        (("x-dlq-reason", b"invalid_json"), ("__connect.errors.topic", b"t")),
        (("x-dlq-reason", b"r"), ("__connect.errors.topic", b"t"), ("__connect.errors.partition", b"x"),
         ("__connect.errors.offset", b"4")),
        (("x-dlq-reason", b"r"), ("__connect.errors.topic", b"t" * 250), ("__connect.errors.partition", b"3"),
         ("__connect.errors.offset", b"4")),
        (("x-dlq-reason", b"r"), ("__connect.errors.topic", b"t"), ("__connect.errors.partition", b"3"),
         ("__connect.errors.offset", b"4" * 30)),
    ],
)  # fmt: skip
def test_an_origin_that_is_not_ours_or_not_whole_is_replaced(headers: tuple[Header, ...]) -> None:
    """Only a dead letter of ours knows where its event was first."""
    said = names_once(outcome_of(b"{", headers))
    assert (said["__connect.errors.topic"], said["__connect.errors.partition"]) == (b"in", b"0")
    assert said["__connect.errors.offset"] == b"7"
