"""deploy/ and docker/ agree with the worker, and with each other."""

import itertools
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

import worker.adapters.http
from dev.rules import MANIFEST, prometheus_rule
from tests.deploy.manifests import (
    DEPLOY,
    OVERLAYS,
    ROOT,
    container,
    kustomizations,
    load,
    pod,
    services,
    settings,
    topics,
)
from worker.environment import CONFIG_VARIABLE, variable
from worker.settings import Settings, load_settings

_FILES = [file for folder in (DEPLOY, ROOT / "docker") for file in sorted(folder.rglob("*")) if file.is_file()]
_ENVIRONMENTS = {
    **{overlay: settings(overlay) for overlay in OVERLAYS},
    **{f"compose's {name}": services()[name]["environment"] for name in ("worker", "worker-gpu")},
}
_ADDED_BYTES_MAX = 8192
"""More than a result or a dead letter is larger than its record."""


def accepted(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings that a worker makes of it and of what is in its image."""
    for name, value in {"WORKER_BUNDLE": "/bundle", **environment}.items():
        monkeypatch.setenv(name, str(value))
    return load_settings()


@pytest.mark.parametrize("file", [it for it in _FILES if it.suffix in {".yaml", ".yml"}], ids=lambda it: it.name)
def test_every_file_is_yaml(file: Path) -> None:
    """Each document of it."""
    assert all(list(yaml.safe_load_all(file.read_text())))


@pytest.mark.parametrize("name", _ENVIRONMENTS)
def test_a_worker_takes_its_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each name is a setting, each value is one that it takes, and together they fit."""
    assert accepted(_ENVIRONMENTS[name], monkeypatch).kafka_bootstrap_servers != "localhost:9092"


def test_every_setting_that_is_named_exists() -> None:
    """In comments and in the guide too."""
    known = {variable(name) for name in Settings.model_fields} | {CONFIG_VARIABLE}
    texts = [file.read_text() for file in [*_FILES, ROOT / "docs" / "deployment.md"]]
    named = {name for text in texts for name in re.findall(r"WORKER_[A-Z_]+[A-Z]", text)}

    assert len(named) > 8
    assert named - known == {"WORKER_SERVICE_HOST"} & named


def test_probes_and_scrapes_ask_for_what_there_is() -> None:
    """By the paths and the port of the worker."""
    served = Path(worker.adapters.http.__file__).read_text()
    probes = [container()[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")]
    (endpoint,) = load(DEPLOY / "components/monitoring/servicemonitor.yaml")["spec"]["endpoints"]
    (scraped,) = load(ROOT / "docker/prometheus.yml")["scrape_configs"][0]["dns_sd_configs"]
    (port,) = container()["ports"]
    dockerfile = (ROOT / "docker/worker.Dockerfile").read_text()

    assert [f'"{probe["path"]}"' in served for probe in (*probes, endpoint)] == [True] * 4
    assert {probe["port"] for probe in (*probes, endpoint)} == {port["name"]}
    assert str(port["containerPort"]) == settings("cpu")["WORKER_HTTP_PORT"]
    assert scraped["port"] == Settings.model_fields["http_port"].default
    assert re.findall(r"^EXPOSE (\d+)$", dockerfile, re.MULTILINE) == [str(scraped["port"])]
    assert '"/livez"' in served
    assert "/livez'" in dockerfile


@pytest.mark.parametrize("name", _ENVIRONMENTS)
def test_nobody_is_killed_while_it_ends_in_good_order(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The grace period is longer than the worker's own, and a start may take as long as brokers are waited for."""
    made = accepted(_ENVIRONMENTS[name], monkeypatch)
    graces = [
        pod()["terminationGracePeriodSeconds"],
        *(int(it["stop_grace_period"].rstrip("s")) for it in workers()),
    ]
    startup = container()["startupProbe"]

    assert min(graces) * 1000 >= made.shutdown_timeout_ms + 5000
    assert startup["periodSeconds"] * startup["failureThreshold"] * 1000 >= made.start_timeout_ms + 60_000


def workers() -> list[dict[str, str]]:
    return [services()[name] for name in ("worker", "worker-gpu")]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_passes_are_what_the_container_has_cores_for(overlay: str) -> None:
    """More would wait for each other, and fewer would idle; a GPU takes one at a time."""
    wanted = settings(overlay)
    cpus = container(overlay)["resources"]["requests"]["cpu"]
    assert wanted["WORKER_CALLERS"] == ("1" if wanted.get("WORKER_DEVICE") == "cuda" else cpus)


def test_the_pod_holds_to_the_restricted_profile() -> None:
    """Kubernetes' Pod Security Standards, and a little more."""
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert pod()["securityContext"]["runAsUser"] > 0
    assert pod()["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod()["automountServiceAccountToken"] is False
    assert pod()["enableServiceLinks"] is False
    for each in (*pod()["containers"], *pod()["initContainers"]):
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    for each in (it for name, it in services().items() if name.startswith("worker")):
        assert each["read_only"] is True
        assert each["cap_drop"] == ["ALL"]


def test_the_autoscaler_looks_at_what_the_workers_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same brokers, group and topic, and never more replicas than partitions."""
    made = accepted(settings("cpu"), monkeypatch)
    spec = load(DEPLOY / "components/keda/scaledobject.yaml")["spec"]
    (trigger,) = spec["triggers"]

    assert trigger["metadata"]["bootstrapServers"] == made.kafka_bootstrap_servers
    assert trigger["metadata"]["consumerGroup"] == made.group_id
    assert trigger["metadata"]["topic"] == made.input_topic
    assert spec["minReplicaCount"] <= spec["maxReplicaCount"] <= topics()[made.input_topic]["partitions"]
    assert spec["scaleTargetRef"]["name"] == load(DEPLOY / "base/deployment.yaml")["metadata"]["name"]
    assert "replicas" not in load(DEPLOY / "base/deployment.yaml")["spec"], "applying it would undo the scaling"


def test_topics_take_what_the_worker_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three topics of as many partitions; a result and a dead letter fit, keep their time and each stay."""
    made = accepted(settings("cpu"), monkeypatch)
    source, *outgoing = (topics()[it] for it in (made.input_topic, made.output_topic, made.dead_letter_topic))

    assert len(topics()) == 3
    for topic in outgoing:
        assert topic["partitions"] == source["partitions"]
        more = int(topic["config"]["max.message.bytes"]) - int(source["config"]["max.message.bytes"])
        assert more >= _ADDED_BYTES_MAX
        assert topic["config"]["cleanup.policy"] == "delete"
        assert topic["config"]["message.timestamp.type"] == "CreateTime"
    assert int(source["config"]["max.message.bytes"]) > made.input_bytes_max


def test_the_commands_make_the_same_topics() -> None:
    """Whether by the operator or by hand."""
    done = subprocess.run(
        ["sh", DEPLOY / "topics/create.sh"], check=True, capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin", "KAFKA_TOPICS": "echo", "BOOTSTRAP": "b:1"},
    )  # fmt: skip
    made = {}
    for line in done.stdout.splitlines():
        pairs = list(itertools.pairwise(line.split()))
        options = dict(pairs)
        configs = [value for option, value in pairs if option == "--config"]
        made[options["--topic"]] = {
            "partitions": int(options["--partitions"]),
            "replicas": int(options["--replication-factor"]),
            "config": dict(config.split("=") for config in configs),
        }

    assert made == topics()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_an_overlay_names_is_there(overlay: str) -> None:
    """Each resource, component and patch, of all that it builds on."""
    folders = list(kustomizations(DEPLOY / "overlays" / overlay))
    assert folders[0] == DEPLOY / "base"
    for folder in folders:
        described = load(folder / "kustomization.yaml")
        patches = [patch["path"] for patch in described.get("patches", []) if "path" in patch]
        named = [*described.get("resources", []), *described.get("components", []), *patches]
        assert [name for name in named if not (folder / name).exists()] == []


def test_what_compose_mounts_is_there() -> None:
    """Board and rules come from deploy/observability, the bundle from the user."""
    mounts = [mount["source"] for service in services().values() for mount in service.get("volumes", [])]
    assert len(mounts) > 5
    ours = [it for it in mounts if it != "../runs/bundle" and not it.startswith("../deploy/observability/")]
    assert [it for it in ours if not (ROOT / "docker" / it).is_file()] == []


def test_the_operators_rules_are_prometheus_rules() -> None:
    """`make contracts` writes the PrometheusRule from the one file of rules."""
    assert MANIFEST.read_text() == prometheus_rule()


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kustomize_builds_the_overlay(overlay: str) -> None:
    """The settings reach the pod, the images are named by version, and all is in one namespace."""
    done = subprocess.run(
        ["kubectl", "kustomize", DEPLOY / "overlays" / overlay], check=True, capture_output=True, text=True
    )
    made = list(yaml.safe_load_all(done.stdout))
    (config,) = (it for it in made if it["kind"] == "ConfigMap")
    (deployment,) = (it for it in made if it["kind"] == "Deployment")
    spec = deployment["spec"]["template"]["spec"]
    (running,) = spec["containers"]

    assert {it["metadata"]["namespace"] for it in made} == {"review-sentiment"}
    assert running["envFrom"] == [{"configMapRef": {"name": config["metadata"]["name"]}}]
    assert config["data"].items() <= settings(overlay).items()
    assert all(":" in it["image"] for it in (*spec["containers"], *spec["initContainers"]))
    assert spec["serviceAccountName"] == "review-sentiment-worker"
    assert (
        deployment["spec"]["selector"]["matchLabels"].items()
        <= deployment["spec"]["template"]["metadata"]["labels"].items()
    )
