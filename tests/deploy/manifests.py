"""What deploy/ and docker/ say, put together by rules of our own: Kustomize and Compose may be missing."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
OVERLAYS = sorted(folder.name for folder in (DEPLOY / "overlays").iterdir())


def load(path: Path) -> Any:
    """The one document of a file."""
    return yaml.safe_load(path.read_text())


def kustomizations(folder: Path) -> Iterator[Path]:
    """The folders that make up one, those that it builds on first, and itself last."""
    for name in (inside := load(folder / "kustomization.yaml")).get("resources", []) + inside.get(
        "components", []
    ):
        if (folder / name).is_dir():
            yield from kustomizations((folder / name).resolve())
    yield folder


def settings(overlay: str) -> dict[str, str]:
    """The worker's environment in an overlay."""
    found = {entry["name"]: entry["value"] for entry in container(overlay)["env"]}
    for folder in kustomizations(DEPLOY / "overlays" / overlay):
        for generator in load(folder / "kustomization.yaml").get("configMapGenerator", []):
            found |= dict(literal.split("=", 1) for literal in generator["literals"])
    return found


def pod() -> dict[str, Any]:
    """The pod that all overlays share."""
    template: dict[str, Any] = load(DEPLOY / "base" / "deployment.yaml")["spec"]["template"]["spec"]
    return template


def container(overlay: str = "cpu") -> dict[str, Any]:
    """The worker's container, with an overlay's resources."""
    (worker,) = pod()["containers"]
    patch = DEPLOY / "overlays" / overlay / "device.yaml"
    if patch.exists():
        worker |= load(patch)["spec"]["template"]["spec"]["containers"][0]
    return dict(worker)


def topics() -> dict[str, dict[str, Any]]:
    """What Strimzi is told of each topic."""
    documents = yaml.safe_load_all((DEPLOY / "topics" / "strimzi.yaml").read_text())
    return {document["metadata"]["name"]: document["spec"] for document in documents}


def services() -> dict[str, dict[str, Any]]:
    """Compose's services, with the defaults of its variables."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (ROOT / "docker" / "compose.yaml").read_text())
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)["services"]
    return found
