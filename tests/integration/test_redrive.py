"""Dead letters sent to the input topic again: those that were asked for, once, as the records that they were."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from contract.events import Reason
from dev.account import Outcome, committed_positions
from dev.hostile import POISON
from dev.kafka import AnyCluster
from tests.faked_pipeline import outcome_builder
from tests.integration.harness import Run
from tests.kafka_topics import recreate
from worker.adapters.kafka_dead_letters import DeadLetters
from worker.core.decoding import Rejection
from worker.core.records import Partition, Record
from worker.errors import KafkaUnfitError
from worker.settings import load_settings

pytestmark = pytest.mark.kafka

_TIME_MS = 1_700_000_000_000


@pytest.fixture
def plain(cluster: AnyCluster, bundle: Path, tmp_path: Path) -> Iterator[Run]:
    """A run of one kind of delivery, where it makes no difference."""
    with Run(cluster, bundle, tmp_path) as running:
        yield running


def redrive(run: Run, *arguments: str) -> tuple[int, list[str], str]:
    """The command as an operator gives it: its exit code, lines and log."""
    flags = {
        "kafka-bootstrap-servers": run.cluster.bootstrap_servers, "input-topic": run.input_topic,
        "dead-letter-topic": run.dlq, "group-id": run.group,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "worker", "redrive", *arguments, *(f"--{it}={flags[it]}" for it in flags)],
        capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "PYTHONUTF8": "1"},
    )  # fmt: skip
    return done.returncode, done.stdout.splitlines(), done.stderr


def counts(run: Run, *arguments: str) -> dict[str, int]:
    """How many dead letters of each reason the command says that it sends, or would."""
    code, lines, log = redrive(run, *arguments)
    assert code == 0, log
    found: dict[str, int] = {}
    for reason, _, chosen, _ in (line.split() for line in lines if line.partition(" ")[0] in set(Reason)):
        found[reason] = found.get(reason, 0) + int(chosen)
    return found


def came_back(run: Run) -> list[Outcome]:
    """Results of events that were dead letters."""
    outcomes = [it for answers in run.account.outcomes.values() for it in answers]
    return [it for it in outcomes if "x-source-x-dlq-reason" in dict(it.headers)]


def test_dead_letters_of_a_cause_that_is_fixed_are_answered(run: Run) -> None:
    """By reason, each once, as they were, where they were. What dies again keeps its origin, and can go again."""
    for number in range(4):
        run.send(
            json.dumps({"text": POISON, "id": number}).encode(), key=b"poison", partition=number,
            headers=[("trace", b"1")], timestamp_ms=_TIME_MS + number,
        )  # fmt: skip
        run.send(b"{", key=None, partition=number)
    run.send_reviews(40)
    worker = run.worker(module="dev.faulty_worker")
    run.read_all()
    dead = {"invalid_json": 4, "model_error": 4}
    assert run.account.kinds() == {"result": 40, **dead}

    assert counts(run) == counts(run) == dead, "a look changes nothing"
    worker.terminate()
    assert worker.wait(30) == 0
    assert counts(run, "--reason", "model_error", "--send") == {"model_error": 4}
    assert counts(run, "--reason", "model_error", "--send") == {}, "they have gone"
    assert counts(run) == {"invalid_json": 4}, "the others are still there"

    with run.worker():
        run.read_until(lambda: len(came_back(run)) == 4, what="not all are answered")
        for it in came_back(run):
            said = dict(it.headers)
            origin = int(said["x-source-__connect.errors.partition"])
            assert (it.position[0], it.event["id"], it.timestamp_ms) == (origin, origin, _TIME_MS + origin)
            assert (it.key, said["trace"], said["x-source-x-dlq-reason"]) == (b"poison", b"1", b"model_error")

        garbage = [place for place, answers in run.account.outcomes.items() if answers[0].kind == "invalid_json"]
        assert counts(run, "--send") == {"invalid_json": 4}
        run.read_until(
            lambda: all(len(run.account.outcomes[it]) == 2 for it in garbage), what="not all died again"
        )
        assert counts(run) == {"invalid_json": 4}, "what died again is another dead letter"
    assert len(came_back(run)) == 4


def test_what_lacks_its_value_is_named_and_stays(cluster: AnyCluster, bundle: Path, tmp_path: Path) -> None:
    """With the place where the record was first; the others go."""
    with Run(cluster, bundle, tmp_path, dead_letter_configs={"max.message.bytes": "3000"}) as run:
        run.send(b"[%s" % (b"1," * 3000), partition=2)
        run.send(b"{", partition=2)
        run.producer.flush()
        with run.worker():
            run.read_all()
        code, lines, log = redrive(run, "--send")
        assert code == 0, log
        assert lines[0].startswith(f"{run.dlq}/2/")
        assert lines[0].endswith(f" is without its value; the record was {run.input_topic}/2/0")
        assert [it.split() for it in lines if it.startswith("invalid_json")] == [["invalid_json", "2", "1", "1"]]


def produce_dead_letters(run: Run, topic: str, count: int) -> None:
    """As a worker writes them that reads `topic`."""

    def delivered(error: KafkaError | None, _: Message) -> None:
        assert error is None, error

    for offset in range(count):
        record = Record(Partition(topic, 1), offset, _TIME_MS, b"k", b"{")
        dead = outcome_builder().dead_letter(record, Rejection(Reason.INVALID_JSON, "?"), stage="decode")
        headers: list[tuple[str, str | bytes | None]] = list(dead.headers)
        run.producer.produce(run.dlq, dead.value, dead.key, partition=1, headers=headers, on_delivery=delivered)
    run.producer.flush()


def test_records_of_others_are_passed_over(plain: Run) -> None:
    """Dead letters of another input topic in the same dead-letter topic, and what is none at all."""
    produce_dead_letters(plain, plain.input_topic, 3)
    produce_dead_letters(plain, "other", 2)
    plain.producer.produce(plain.dlq, b"no dead letter", partition=0)
    plain.producer.flush()

    code, lines, log = redrive(plain, "--send")
    assert (code, lines[1].split()) == (0, ["invalid_json", "1", "3", "0"]), log
    assert f"3 records of {plain.dlq} are no dead letters of {plain.input_topic}, and stay" in lines


def test_a_dead_letter_topic_that_was_recreated_is_read_from_its_beginning(plain: Run) -> None:
    """The positions of the old one say nothing about it."""
    produce_dead_letters(plain, plain.input_topic, 5)
    assert counts(plain, "--send") == {"invalid_json": 5}
    recreate(plain.cluster, plain.dlq, 4)
    produce_dead_letters(plain, plain.input_topic, 2)
    assert counts(plain, "--send") == {"invalid_json": 2}


def test_kafkas_own_tools_see_and_set_where_the_next_run_begins(plain: Run) -> None:
    """Where all has gone, in many polls, an offset that is reset holds for every reason."""
    produce_dead_letters(plain, plain.input_topic, 1200)
    assert counts(plain, "--send", "--window-records-max", "100") == {"invalid_json": 1200}
    assert counts(plain) == counts(plain, "--reason", "invalid_json") == {}
    admin = AdminClient({"bootstrap.servers": plain.cluster.bootstrap_servers})
    group = f"{plain.group}-redrive"
    assert committed_positions(plain.cluster.bootstrap_servers, group, plain.dlq)[1] == 1200
    reset = ConsumerGroupTopicPartitions(group, [TopicPartition(plain.dlq, 1, 1000)])
    admin.alter_consumer_group_offsets([reset])[group].result(30)
    assert counts(plain) == counts(plain, "--reason", "invalid_json") == {"invalid_json": 200}


def test_positions_beyond_the_end_are_told_and_let_nothing_new_pass(plain: Run) -> None:
    """An election without a replica in sync cuts a log off; as after a reset that went too far, it is seen."""
    produce_dead_letters(plain, plain.input_topic, 5)
    assert counts(plain, "--send") == {"invalid_json": 5}
    admin, group = AdminClient({"bootstrap.servers": plain.cluster.bootstrap_servers}), f"{plain.group}-redrive"
    reset = ConsumerGroupTopicPartitions(group, [TopicPartition(plain.dlq, 1, 1000)])
    admin.alter_consumer_group_offsets([reset])[group].result(30)
    _, lines, _ = redrive(plain, "--send")
    assert f"1 partitions end before what {group} remembers: what comes now counts as new" in lines
    produce_dead_letters(plain, plain.input_topic, 2)
    assert counts(plain, "--send") == {"invalid_json": 2}


def test_two_runs_at_a_time_are_told_apart(plain: Run) -> None:
    """The one that commits second ends: what the first wrote down, for whatever reason, is not overwritten."""
    produce_dead_letters(plain, plain.input_topic, 3)
    settings = load_settings(
        [f"--kafka-bootstrap-servers={plain.cluster.bootstrap_servers}", f"--input-topic={plain.input_topic}",
         f"--dead-letter-topic={plain.dlq}", f"--group-id={plain.group}"], command="redrive", needs_bundle=False,
    )  # fmt: skip
    with DeadLetters(settings, ["invalid_json"]) as first, DeadLetters(settings, ["too_large"]) as second:
        assert [len(list(chain(*it.read()))) for it in (first, second)] == [3, 3]
        first.commit()
        with pytest.raises(KafkaUnfitError, match="another run is at work"):
            second.commit()
        first.commit()
    assert counts(plain) == {}, "the first one's position holds"


def test_what_the_input_topic_refuses_ends_it(cluster: AnyCluster, bundle: Path, tmp_path: Path) -> None:
    """Exit code 4 with its place and the broker's words; it is not passed over."""
    with Run(cluster, bundle, tmp_path, input_configs={"max.message.bytes": "200"}) as run:
        produce_dead_letters(run, run.input_topic, 1)
        for _ in range(2):
            code, _, log = redrive(run, "--send")
            assert code == 4, log
            assert f"{run.dlq}/1/0 can't go back: " in log
        assert counts(run) == {"invalid_json": 1}


@pytest.mark.parametrize("setting", ["INPUT", "DEAD_LETTER"])
def test_a_topic_that_is_missing_is_named(plain: Run, setting: str) -> None:
    """Exit code 4, with the setting."""
    missing = f"{plain.group}.none"
    if setting == "INPUT":
        plain.input_topic = missing
    else:
        plain.dlq = missing
    code, _, log = redrive(plain)
    assert code == 4
    assert f"there is no topic {missing}: look at WORKER_{setting}_TOPIC" in log
