"""A broker with ACLs: the ones that docs/operations.md lists are enough, and each one that is missing is named."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from dev.kafka import Cluster, ExistingCluster
from tests.integration.harness import Run, until
from tests.integration.test_connections import free_addresses
from tests.integration.test_redrive import counts, produce_dead_letters, redrive
from worker.preflight.checks import Check, State
from worker.preflight.run import cluster_checks
from worker.settings import Settings

pytestmark = [
    pytest.mark.kafka,
    # kafka-python leaves sockets that failed to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

_PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
_ME = {
    "SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "SASL_MECHANISM": "PLAIN",
    "SASL_USERNAME": "worker",
    "SASL_PASSWORD": "right",
}
_KINDS = {
    "--topic": ResourceType.TOPIC,
    "--group": ResourceType.GROUP,
    "--transactional-id": ResourceType.TRANSACTIONAL_ID,
}


@pytest.fixture(scope="module")
def sasl_address() -> str:
    """Where the broker wants to know who we are."""
    return free_addresses(1)[0]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, sasl_address: str) -> Iterator[Cluster]:
    """A broker at which everybody but its own side needs rights."""
    login = "org.apache.kafka.common.security.plain.PlainLoginModule"
    settings = {
        "listeners": f"SASL_PLAINTEXT://{sasl_address}",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": f'{login} required user_worker="right";',
    }
    with Cluster(tmp_path_factory.mktemp("rights"), settings=settings) as cluster:
        yield cluster


def documented(run: Run) -> list[AclBinding]:
    """The commands of the page, for the topics and the group of this run."""
    names = {
        "reviews": run.input_topic, "reviews.sentiment": run.output_topic, "reviews.dlq": run.dlq,
        "review-sentiment": run.group, "review-sentiment-": f"{run.group}-",
    }  # fmt: skip
    bindings = []
    for line in re.findall(r"^kafka-acls\.sh --add .*$", _PAGE, re.MULTILINE):
        words = shlex.split(line)
        kind = next(it for it in _KINDS if it in words)
        after = {word: words[words.index(word) + 1] for word in ("--allow-principal", "--operation", kind)}
        pattern = ResourcePatternType.PREFIXED if "prefixed" in words else ResourcePatternType.LITERAL
        bindings.append(
            AclBinding(
                _KINDS[kind], names[after[kind]], pattern, after["--allow-principal"], "*",
                AclOperation[after["--operation"].upper()], AclPermissionType.ALLOW,
            )
        )  # fmt: skip
    return bindings


def granted(admin: AdminClient, *bindings: AclBinding) -> None:
    for future in admin.create_acls(list(bindings)).values():
        future.result(10)


def revoked(admin: AdminClient, it: AclBinding) -> None:
    rule = AclBindingFilter(
        it.restype, it.name, it.resource_pattern_type, it.principal, it.host, it.operation, it.permission_type
    )
    for future in admin.delete_acls([rule]).values():
        future.result(10)


def failed(settings: Settings) -> list[Check]:
    return [it for it in cluster_checks(settings) if it.state is State.FAILED]


def test_the_documented_rights_are_enough_and_each_is_needed(
    guarded: Cluster, sasl_address: str, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With exactly those a worker serves, exactly once, and `check` is content; it names each that lacks."""
    for name, value in _ME.items():
        monkeypatch.setenv(f"KAFKA_{name}", value)
    with Run(guarded, bundle, tmp_path, delivery="exactly-once") as run:
        admin = AdminClient({"bootstrap.servers": guarded.bootstrap_servers})
        rights = documented(run)
        granted(admin, *rights)
        settings = Settings(
            bundle=bundle, input_topic=run.input_topic, output_topic=run.output_topic, dead_letter_topic=run.dlq,
            group_id=run.group, group_instance_id="one", delivery="exactly-once",
            kafka_bootstrap_servers=sasl_address,
        )  # fmt: skip
        until(lambda: not failed(settings), "check finds something missing")

        run.send_reviews(8)
        run.send(b"{", partition=0)
        run.producer.flush()
        run.cluster = ExistingCluster(sasl_address)
        worker = run.worker(group_instance_id="one")
        run.cluster = guarded
        run.read_all()
        run.read_until(lambda: sum(run.committed().values()) >= len(run.sent), what="not all is committed")
        assert run.account.kinds() == {"result": 8, "invalid_json": 1}
        serving = {it.name: it for it in cluster_checks(settings)}
        assert serving["members"].found == "Stable, 1 members"
        assert serving["positions"].found == "of 4 of 4 partitions; 0 records behind"
        assert serving["instance"].state is State.WARNING
        assert serving["right WRITE"].state is State.OK  # though its transactional id is that of a live producer
        run.send_reviews(8)
        run.read_all()
        assert run.account.kinds() == {"result": 16, "invalid_json": 1}
        worker.terminate()
        assert worker.wait(30) == 0, worker.log_file.read_text()

        for right in rights:
            revoked(admin, right)
            what = (
                f"{right.operation.name} on {right.restype.name.lower().replace('_', '-')} {right.name} is missing"
            )
            until(lambda what=what: any(what in it.found for it in failed(settings)), what)  # type: ignore[misc]
            (check,) = (it for it in failed(settings) if what in it.found)
            assert f"--operation {right.operation.name.title()}" in check.advice
            assert f" {right.name}" in check.advice
            granted(admin, right)


def test_redrive_takes_the_documented_rights_and_names_what_lacks(
    guarded: Cluster, sasl_address: str, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 4 without any of them, and nothing is sent."""
    for name, value in _ME.items():
        monkeypatch.setenv(f"KAFKA_{name}", value)
    with Run(guarded, bundle, tmp_path) as run:
        produce_dead_letters(run, run.input_topic, 3)
        run.cluster = ExistingCluster(sasl_address)
        admin = AdminClient({"bootstrap.servers": guarded.bootstrap_servers})
        rights = [
            AclBinding(
                kind, name, ResourcePatternType.LITERAL, "User:worker", "*", operation, AclPermissionType.ALLOW
            )
            for kind, name, operation in (
                (ResourceType.TOPIC, run.dlq, AclOperation.READ),
                (ResourceType.GROUP, f"{run.group}-redrive", AclOperation.READ),
                (ResourceType.TOPIC, run.input_topic, AclOperation.WRITE),
            )
        ]
        granted(admin, *rights)
        until(lambda: redrive(run)[0] == 0, "the rights are not enough")
        for right in rights:
            revoked(admin, right)
            until(lambda: redrive(run)[0] == 4, f"it does not need {right}")
            code, lines, log = redrive(run, "--send")
            assert (code, lines) == (4, []), log
            assert "not authorised" in log
            assert right.name in log
            granted(admin, right)
            until(lambda: redrive(run)[0] == 0, "the right does not come back")
        assert counts(run, "--send") == {"invalid_json": 3}
