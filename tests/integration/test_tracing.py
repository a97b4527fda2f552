"""Traces of workers on the real broker, as a receiver gets them over OTLP, and receivers in trouble."""

import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from dev.kafka import AnyCluster
from tests.integration.harness import Run
from tests.integration.otlp_receiver import Receiver, attributes, receiver
from tests.traced_pipeline import PARENT, SAMPLED, TRACE, UNSAMPLED

pytestmark = pytest.mark.kafka

CANARY = "canarytext"
MALFORMED = f"00-{TRACE}-01"
REVIEW = json.dumps({"text": f"a quite good {CANARY}"}).encode()


def test_an_events_trace_goes_through_the_worker(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With either delivery, for all kinds of outcomes: sent on at the end at the latest, and without any text."""
    sent: list[tuple[bytes | None, str | None]] = [
        (REVIEW, SAMPLED), (REVIEW, UNSAMPLED), (REVIEW, MALFORMED), (REVIEW, None), (CANARY.encode(), SAMPLED),
        (None, SAMPLED),
    ]  # fmt: skip
    with receiver() as traces:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", traces.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")  # so that what comes was sent at the end
        worker = run.worker(tracing=True)
        for value, traceparent in sent:
            headers = [("traceparent", traceparent.encode())] if traceparent else []
            run.send(value, key=CANARY.encode(), partition=0, headers=[(CANARY, CANARY.encode()), *headers])
        run.producer.flush()
        run.read_all()
        worker.terminate()
        assert worker.wait(20) == 0

    passed_on = [
        dict(run.account.outcomes[0, offset][0].headers).get("traceparent") for offset in range(len(sent))
    ]
    ours = {f"00-{TRACE}-{span.span_id.hex()}-01".encode(): span for span in traces.spans("create")}
    assert passed_on[1:4] == [UNSAMPLED.encode(), MALFORMED.encode(), None]
    goes_on = [ours[it] for it in (passed_on[0], passed_on[4], passed_on[5]) if it]
    assert [span.name for span in goes_on] == [
        f"create {it}" for it in (run.output_topic, run.dlq, run.output_topic)
    ]
    assert {(span.trace_id.hex(), span.parent_span_id.hex()) for span in goes_on} == {(TRACE, PARENT)}
    assert attributes(goes_on[1])["error.type"] == "invalid_json"
    _assert_windows(traces, run, linked=[0, 1, 4, 5])
    assert CANARY.encode() not in b"".join(it.SerializeToString() for it in traces.requests)


def _assert_windows(traces: Receiver, run: Run, *, linked: list[int]) -> None:
    """The windows hold all events, are linked to those with a context, and are who they say."""
    windows = traces.spans(f"process {run.input_topic}")
    assert sum(int(attributes(it)["messaging.batch.message_count"]) for it in windows) == len(run.sent)
    assert {attributes(it)["messaging.consumer.group.name"] for it in windows} == {run.group}
    links = [link for it in windows for link in it.links]
    assert sorted(attributes(it)["messaging.kafka.offset"] for it in links) == linked
    assert {(it.trace_id.hex(), it.span_id.hex()) for it in links} == {(TRACE, PARENT)}
    ids = {it.span_id for it in windows}
    assert {link.span_id for it in traces.spans("create") for link in it.links} <= ids
    for stage in ("decode", "encode", "infer", "publish"):
        assert {it.parent_span_id for it in traces.spans(stage)} == ids
    (names,) = {
        attributes(it.resource)["service.name"] for request in traces.requests for it in request.resource_spans
    }
    assert names == "review-sentiment"


@pytest.mark.parametrize("status", [None, 503, 400])
def test_a_receiver_in_trouble_stops_nothing(
    cluster: AnyCluster, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int | None
) -> None:
    """Gone, busy or refusing: every review has its result, the end is a clean one, and the log says it once."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "16")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
    answers = receiver(status) if status else nullcontext(Receiver("http://127.0.0.1:9"))
    with answers as traces, Run(cluster, bundle, tmp_path) as run:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", traces.url)
        worker = run.worker(tracing=True)
        for number in range(200):
            run.send(REVIEW, partition=number % run.partitions, headers=[("traceparent", SAMPLED.encode())])
        run.producer.flush()
        run.read_all()
        worker.terminate()
        assert worker.wait(20) == 0
        assert bool(traces.requests) is bool(status)
        assert run.account.kinds() == {"result": 200}
    assert all(line.startswith("{") for line in worker.log_file.read_text().splitlines())
    told = [it["message"].split()[0] for it in worker.logged("library")]
    assert told
    assert len(set(told)) == len(told)
