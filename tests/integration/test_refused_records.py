"""What a broker refuses of one record is that record's fault: it is put aside, and everything else goes on."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from dev.account import Outcome, Position
from dev.kafka import AnyCluster, Cluster
from tests.integration.harness import Run

pytestmark = pytest.mark.kafka

_HOUR_MS = 3_600_000
_ANY_TIME = {"message.timestamp.after.max.ms": str(10**15)}
_TEXT = b'{"text":"quite good"}'


@dataclass(frozen=True)
class Case:
    """A record, what it comes to, and what its dead letter has had to leave out."""

    name: str
    kind: str = "output_refused"
    left_out: str = ""
    hours: int = 0
    key: bytes | None = b"k"
    value: bytes | None = _TEXT
    headers: tuple[tuple[str, bytes], ...] = (("trace", b"1"),)


_STRICT = {
    "cleanup.policy": "compact",
    "max.message.bytes": "6000",
    "message.timestamp.before.max.ms": str(24 * _HOUR_MS),
    "min.compaction.lag.ms": str(24 * _HOUR_MS),  # each outcome is to be seen
}
_LONG = b'{"text":"%s"}' % (b"so good " * 1000)
_BOTH_STRICT = (
    Case("too far ahead", left_out="timestamp", hours=2),
    Case("too old", left_out="timestamp", hours=-48),
    Case("a tombstone too far ahead", left_out="timestamp", hours=2, value=None),
    Case("bad, and too old", "invalid_json", "timestamp", hours=-48, value=b"{"),
    Case("no key", left_out="key", key=None),
    Case("bad, without a key", "invalid_json", "key", key=None, value=b"{"),
    Case("no key, and too old", left_out="timestamp,key", hours=-48, key=None),
    Case("a large value", "output_too_large", "value", value=_LONG, headers=()),
    Case("large headers", "output_too_large", "headers", headers=(("h", b"." * 7000),)),
    Case("a large key", "output_too_large", "headers,value,key", key=b"." * 7000),
    Case("too large and too old", "output_too_large", "timestamp,headers,value,key", -48, b"." * 7000),
)
_DEAD_LETTERS_TAKE_ALL = (
    Case("too far ahead", hours=2),
    Case("too old", hours=-48),
    Case("no key", key=None),
    Case("a large result", "output_too_large", value=_LONG),
)


@pytest.fixture(params=["at-least-once", "exactly-once"])
def new_run(
    cluster: AnyCluster, bundle: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[[dict[str, str], dict[str, str]], Run]:
    """Makes runs with an output and a dead-letter topic of these settings; the input takes every timestamp."""
    return lambda output, dead: Run(cluster, bundle, tmp_path, 4, request.param, _ANY_TIME, output, dead)


def send_among_others(run: Run, *cases: Case, times: int = 1) -> dict[Position, Case]:
    """Good records on every partition, and the guilty ones of each case between them; where those are."""
    now_ms = int(time.time() * 1000)
    guilty: dict[Position, Case] = {}

    def good() -> None:
        for number in range(12):
            run.send(_TEXT, partition=number % 4, timestamp_ms=now_ms)
        run.producer.flush()

    for number, case in enumerate(cases):
        good()
        before = set(run.sent)
        for _ in range(times):
            run.send(
                case.value, key=case.key, partition=number % 3, headers=case.headers,
                timestamp_ms=now_ms + case.hours * _HOUR_MS,
            )  # fmt: skip
        run.producer.flush()
        guilty.update(dict.fromkeys(set(run.sent) - before, case))
    good()
    return guilty


@pytest.mark.parametrize(("cases", "dead"), [(_BOTH_STRICT, _STRICT), (_DEAD_LETTERS_TAKE_ALL, _ANY_TIME)])
def test_a_guilty_record_is_put_aside_and_its_neighbours_come_once(
    new_run: Callable[[dict[str, str], dict[str, str]], Run], cases: Sequence[Case], dead: dict[str, str]
) -> None:
    """Everything comes once, in order, and is committed; the same worker goes on, and ends in good order."""
    with new_run(_STRICT, dead) as run:
        guilty = send_among_others(run, *cases)
        with run.worker(input_bytes_max=100_000) as worker:
            run.read_all()
            run.read_until(lambda: sum(run.committed().values()) == len(run.sent), what="not all is committed")
            worker.terminate()
            assert worker.wait(30) == 0, worker.log_file.read_text()

        assert run.account.duplicated() == []
        assert run.account.disorders == []
        for position, (outcome,) in run.account.outcomes.items():
            if position in guilty:
                check(outcome, run, guilty[position])
            else:
                assert (outcome.kind, outcome.key) == ("result", b"k")


def check(dead: Outcome, run: Run, case: Case) -> None:
    """A dead letter has all of its record but what it says is left out."""
    said = dict(dead.headers)
    left_out = set(case.left_out.split(",")) - {""}
    assert (dead.kind, said.get("x-dlq-left-out", b"").decode()) == (case.kind, case.left_out), case.name
    place = f"{run.input_topic}/{dead.position[0]}/{dead.position[1]}".encode()
    assert dead.key == (place if "key" in left_out else case.key)
    assert dead.value == (b"" if "value" in left_out else case.value)
    assert all((header in dead.headers) == ("headers" not in left_out) for header in case.headers)
    is_now = abs(dead.timestamp_ms - time.time() * 1000) < _HOUR_MS
    assert is_now == ("timestamp" in left_out or not case.hours)
    hashed = left_out - {"timestamp"} - ({"key"} if case.key is None else set())
    assert {name for name in said if name.endswith("-sha256")} == {
        "x-dlq-model-sha256", *(f"x-dlq-{part}-sha256" for part in hashed)
    }  # fmt: skip


def test_many_guilty_records_do_not_hold_up_the_others(
    new_run: Callable[[dict[str, str], dict[str, str]], Run],
) -> None:
    """Each is put aside, however many there are; other partitions have nothing to do with it."""
    with new_run({}, {}) as run:
        guilty = send_among_others(run, Case("too far ahead", hours=2), times=300)
        with run.worker() as worker:
            run.read_all()

            dead = {place for place, (outcome, *_) in run.account.outcomes.items() if outcome.kind != "result"}
            assert dead == guilty.keys()
            assert run.account.duplicated() == []
            assert run.account.disorders == []
            assert worker.exit_code is None


def test_a_topic_that_refuses_every_dead_letter_ends_the_worker(
    new_run: Callable[[dict[str, str], dict[str, str]], Run],
) -> None:
    """Exit code 4 with the topic and the setting named, nothing lost."""
    with new_run({}, {"max.message.bytes": "200"}) as run:
        run.send(b"{", partition=0)
        run.producer.flush()
        worker = run.worker(ready=False)
        assert worker.wait(60) == 4, worker.log_file.read_text()
        assert f"{run.dlq} refuses even a dead letter without" in worker.log_file.read_text()
        assert run.committed().get(0, 0) == 0


@pytest.fixture(scope="module")
def denying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A broker that can deny rights."""
    settings = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
    }
    with Cluster(tmp_path_factory.mktemp("denying"), settings=settings) as cluster:
        yield cluster


@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
@pytest.mark.parametrize(("limit_bytes", "kind"), [(3_000_000, "result"), (10_000, "output_too_large")])
def test_a_limit_that_the_worker_may_not_read_is_tried(
    denying: Cluster, bundle: Path, tmp_path: Path, delivery: str, limit_bytes: int, kind: str
) -> None:
    """Kafka's default is not taken for the topic's limit, neither above nor below it."""
    large = {"max.message.bytes": "3000000"}
    output = {"max.message.bytes": str(limit_bytes)}
    with Run(denying, bundle, tmp_path, 4, delivery, {**large, **_ANY_TIME}, output, large) as run:
        admin = AdminClient({"bootstrap.servers": run.cluster.bootstrap_servers})
        rules = [
            AclBinding(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, "User:*", "*", *rule)
            for topic in (run.input_topic, run.output_topic, run.dlq)
            for rule in (
                (AclOperation.ALL, AclPermissionType.ALLOW),
                (AclOperation.DESCRIBE_CONFIGS, AclPermissionType.DENY),
            )
        ]
        for future in admin.create_acls(rules).values():
            future.result(10)
        value = b'{"text":"%s"}' % (b"so good " * 250_000)
        (guilty,) = send_among_others(run, Case("large", kind, value=value))
        with run.worker(input_bytes_max=2_500_000):
            run.read_all()

        assert run.account.outcomes[guilty][0].kind == kind
        assert run.account.kinds()["result"] == len(run.sent) - (kind != "result")
        assert run.account.duplicated() == []
