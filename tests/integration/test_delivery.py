"""The promises of delivery, on the real broker with a real BERT, read by a client that is not ours."""

import json
import signal
import time

import pytest
from jsonschema import Draft7Validator

from contract.schemas import contract_documents
from dev.hostile import FATAL, hostile_records
from dev.kafka import AnyCluster
from tests.integration.harness import Run
from worker.core.delivery_counts import DELIVERIES_MAX

pytestmark = pytest.mark.kafka


def test_an_event_is_enriched_and_nothing_else_about_it_changes(run: Run) -> None:
    """Key, timestamp, partition number, headers and every byte of the value survive; the schema holds."""
    value = b' {"asin":"B000", "overall":5.0,"reviewText":"Great!","n":1e400}\n'
    headers: list[tuple[str, bytes | None]] = [("h", b"1"), ("h", b"2"), ("ce_id", b"theirs"), ("null", None)]
    with run.worker():
        run.send(value, key=b"\x00\xff", partition=2, headers=headers, timestamp_ms=1_700_000_000_123)
        run.producer.flush()
        run.read_all()

    ((position, (outcome,)),) = run.account.outcomes.items()
    assert position == (2, 0)
    assert outcome.key == b"\x00\xff"
    assert outcome.timestamp_ms == 1_700_000_000_123
    assert outcome.value is not None
    start, end = outcome.value.index(b',"sentiment":'), outcome.value.rindex(b"}")
    assert value == outcome.value[:start] + outcome.value[end:]
    Draft7Validator(contract_documents()["review.sentiment.schema.json"]).validate(outcome.event)
    assert outcome.headers[:4] == [("h", b"1"), ("h", b"2"), ("x-source-ce_id", b"theirs"), ("null", b"")]
    added = dict(outcome.headers[4:])
    assert added["ce_id"].endswith(f"/{run.input_topic}/2/0".encode())
    assert added["ce_type"] == b"review.sentiment.v1"
    assert added["content-type"] == b"application/json"


def test_every_row_of_the_input_table_has_its_outcome(cluster: AnyCluster, run: Run) -> None:
    """Hostile records come to what the contract names, dead letters keep their bytes, and good ones still pass."""
    limits = {"max.message.bytes": "500000"}
    narrow = Run(
        cluster, run.bundle, run.folder, delivery=run.delivery, output_configs=limits, dead_letter_configs=limits
    )
    with narrow:
        expected = {}
        with narrow.worker(module="dev.faulty_worker") as worker:
            for number, item in enumerate(hostile_records()):
                narrow.send(item.value, key=item.key, headers=item.headers, partition=number % 4)
                narrow.producer.flush()
                expected[max(narrow.sent, key=lambda p: (p[0] == number % 4, p[1]))] = item
            silent = [position for position, item in expected.items() if item.expected == "unsendable"]
            for position in silent:
                del narrow.sent[position]
            narrow.read_all()
            assert worker.metric("sentiment_worker_unsendable_total") == len(silent) == 1

        outcomes = {position: narrow.account.outcomes[position][0] for position in narrow.sent}
        assert {expected[p].name: expected[p].expected for p in outcomes} == {
            expected[p].name: outcome.kind for p, outcome in outcomes.items()
        }
        for position, outcome in outcomes.items():
            item = expected[position]
            headers = dict(outcome.headers)
            assert outcome.key == item.key
            if "x-dlq-value-sha256" in headers:  # too large for the dead letters too
                assert outcome.value == b""
                assert int(headers["x-dlq-value-bytes"]) == len(item.value or b"")
            elif outcome.kind not in {"result", "forwarded"}:
                assert outcome.value == item.value
                assert headers["__connect.errors.topic"] == narrow.input_topic.encode()
                assert headers["__connect.errors.exception.message"]
        assert any("x-dlq-value-sha256" in dict(outcome.headers) for outcome in outcomes.values())


def test_positions_are_committed_and_a_restart_repeats_nothing(run: Run) -> None:
    """After a clean stop the group stands at the end, and the next worker starts there."""
    with run.worker() as worker:
        run.send_reviews(200)
        run.read_all()
        worker.terminate()
        assert worker.wait(20) == 0
    assert run.committed() == dict.fromkeys(range(4), 50)

    with run.worker():
        run.send_reviews(40)
        run.read_all()

    assert run.account.duplicated() == []
    assert run.account.disorders == []


def test_scaling_up_and_down_under_load_duplicates_nothing(run: Run) -> None:
    """1 -> 3 -> 1 workers, all ended cleanly: every position has one outcome, in order within a session."""
    first = run.worker()
    run.send_reviews(600)
    run.read_until(lambda: len(run.account.outcomes) > 100)
    others = [run.worker(ready=False), run.worker(ready=False)]
    for worker in others:
        run.send_reviews(300)
        worker.wait_ready()
    run.read_until(lambda: all(worker.metric("sentiment_worker_partitions_assigned") for worker in others))
    run.send_reviews(1200)
    for worker in others:
        worker.terminate()
        run.send_reviews(300)
        assert worker.wait(20) == 0
    run.read_all()

    assert all(any(event["event"] == "partitions_revoked" for event in worker.events()) for worker in others)
    assert first.exit_code is None
    assert run.account.lost(run.sent) == []
    assert run.account.duplicated() == []
    assert run.account.disorders == []
    revocations = [e for w in (first, *others) for e in w.events() if e["event"] == "partitions_revoked"]
    assert all(event["drained"] for event in revocations)


def test_a_killed_worker_loses_nothing(run: Run) -> None:
    """SIGKILL with windows in flight: a replacement answers every position, and repeats carry the same `ce_id`."""
    victim = run.worker(module="tests.integration.slow_worker", window_records_max=50)
    run.send_reviews(1000)
    run.read_until(lambda: len(run.account.outcomes) >= 100)
    in_flight = victim.metric("sentiment_worker_held_records")
    victim.kill()
    assert in_flight > 0
    assert len(run.account.outcomes) < 1000

    with run.worker():
        run.read_all()

    assert run.account.lost(run.sent) == []
    sessions = {outcome.session for outcomes in run.account.outcomes.values() for outcome in outcomes}
    assert len(sessions) == 2
    assert run.account.disorders == []
    assert run.delivery == "at-least-once" or run.account.duplicated() == []
    for position in run.account.duplicated():
        ids = {dict(outcome.headers)["ce_id"] for outcome in run.account.outcomes[position]}
        assert len(ids) == 1


def test_a_slow_model_pauses_reading_and_keeps_the_membership(run: Run) -> None:
    """Records held stay near the mark, and a model slower than the session timeout costs no partition."""
    worker = run.worker(
        module="tests.integration.slow_worker", window_records_max=10, held_records_max=20,
        session_timeout_ms=2000, drain_timeout_ms=1500,
    )  # fmt: skip
    run.send_reviews(80)
    highest, paused = 0.0, False
    deadline_s = time.monotonic() + 60
    while len(run.account.outcomes) < 80 and time.monotonic() < deadline_s:
        run.auditor.read()
        highest = max(highest, worker.metric("sentiment_worker_held_records"))
        paused = paused or bool(worker.metric("sentiment_worker_paused"))

    assert len(run.account.outcomes) == 80
    assert paused
    assert highest <= 20 + 10, "the high mark and one poll more"
    assert not any(event["event"] == "partitions_lost" for event in worker.events())
    assert run.account.duplicated() == []


def test_a_reader_behind_transactions_has_no_lag_left(run: Run) -> None:
    """Control records after the last event do not keep the group one behind; aborted events are not answered."""
    from confluent_kafka import Producer  # noqa: PLC0415

    producer = Producer(
        {"bootstrap.servers": run.cluster.bootstrap_servers, "transactional.id": run.group, "log_level": 0}
    )
    producer.init_transactions(10)
    for commit in (True, False, True):
        producer.begin_transaction()
        producer.produce(run.input_topic, b'{"text":"good %d"}' % commit, b"k", 0)
        producer.flush(10)  # or an aborted event would never reach the broker
        producer.commit_transaction(10) if commit else producer.abort_transaction(10)
    with run.worker():
        run.read_until(lambda: len(run.account.outcomes) >= 2)
        run.read_until(lambda: run.committed().get(0) == 6, 15)  # three events, three markers

    assert sorted(run.account.outcomes) == [(0, 0), (0, 4)]
    assert [json.loads(o[0].value or b"")["text"] for _, o in sorted(run.account.outcomes.items())] == [
        "good 1"
    ] * 2


def test_a_second_signal_ends_a_slow_stop_at_once(run: Run) -> None:
    """The first SIGTERM finishes what is in flight; the second does not wait for it."""
    worker = run.worker(module="tests.integration.slow_worker", window_records_max=400, batch_rows_max=1)
    run.send_reviews(400)
    run.read_until(lambda: worker.metric("sentiment_worker_held_records") > 0)
    worker.terminate()
    run.read_until(lambda: any(event["event"] == "worker_stopping" for event in worker.events()))
    worker.terminate()

    assert worker.wait(20) == 143
    assert set(run.committed().values()) <= {0}, "nothing was settled"


def test_the_wrong_bundle_or_topic_ends_with_its_own_exit_code(run: Run) -> None:
    """3 for a bundle that is none, 4 for a topic that is missing: before any partition is taken."""
    for settings, exit_code in (({"bundle": run.folder}, 3), ({"input_topic": "no-such-topic"}, 4)):
        worker = run.worker(ready=False, **settings)
        assert worker.wait(60) == exit_code, worker.log_file.read_text()


def test_the_record_that_kills_workers_becomes_a_dead_letter(run: Run) -> None:
    """After three deaths records are scored one at a time, and only the killer is put aside."""
    run.send_reviews(20)
    for partition in (0, 1):
        run.send(json.dumps({"text": f"It is {FATAL}!"}).encode(), partition=partition)
    run.producer.flush()
    killers = {max(position for position in run.sent if position[0] == partition) for partition in (0, 1)}
    run.send_reviews(20)

    exit_codes = []
    for _ in range(12):
        worker = run.worker(
            module="dev.faulty_worker", ready=False,
            session_timeout_ms=2000, drain_timeout_ms=1500, transaction_timeout_ms=2000,
        )  # fmt: skip
        while worker.exit_code is None and run.account.lost(run.sent):
            run.auditor.read()
        exit_codes.append(worker.exit_code)
        if worker.exit_code is None:
            break
    run.read_all()

    assert exit_codes[-1] is None, f"workers died on: {exit_codes}"
    assert set(exit_codes[:-1]) == {-signal.SIGKILL}
    assert len(exit_codes) - 1 >= DELIVERIES_MAX + 1
    for position, outcomes in run.account.outcomes.items():
        assert {outcome.kind for outcome in outcomes} == {"crashed_worker" if position in killers else "result"}
    assert run.account.disorders == []
    assert run.delivery == "at-least-once" or run.account.duplicated() == []
    worker.terminate()
    assert worker.wait(20) == 0
