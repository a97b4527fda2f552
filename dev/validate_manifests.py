"""Validate deploy/ and docker/compose.yaml offline; `make validate-manifests` gives it an environment of its own.

Kubernetes' own kinds are held to its schemas, strictly. Those of operators are held to their definitions
where a folder with these is named, and said not to be validated where none is.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

_ROOT = Path(__file__).parents[1]
_VERSION = "1.34"


def main(folders: list[str]) -> int:
    """Validate everything; `folders` may name one with CustomResourceDefinitions."""
    definitions = dict(_definitions(Path(folders[0]))) if folders else {}
    wrong = 0
    for name, manifest in _manifests():
        kind = f"{manifest['apiVersion']} {manifest['kind']}"
        try:
            how = _validate(manifest, definitions.get(kind))
        except (kubernetes_validate.ValidationError, jsonschema.ValidationError) as error:
            wrong += 1
            how = f"WRONG at {'/'.join(map(str, error.path))}: {error.message}"
        print(f"{name}: {kind} {manifest['metadata']['name']}: {how}")
    compose = [_tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "docker/compose.yaml"]
    wrong += subprocess.run(compose, cwd=_ROOT, check=False).returncode != 0
    return min(wrong, 1)


def _validate(manifest: dict[str, Any], definition: dict[str, Any] | None) -> str:
    if definition is not None:
        jsonschema.validate(manifest, definition)
        return "valid by its definition"
    try:
        kubernetes_validate.validate(manifest, _VERSION, strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        return "NOT VALIDATED: name a folder with its CustomResourceDefinition"
    return f"valid for Kubernetes {_VERSION}"


def _manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    for overlay in sorted((_ROOT / "deploy" / "overlays").iterdir()):
        done = subprocess.run(["kubectl", "kustomize", overlay], check=True, stdout=subprocess.PIPE, text=True)
        for manifest in yaml.safe_load_all(done.stdout):
            yield overlay.name, manifest
    for manifest in yaml.safe_load_all((_ROOT / "deploy" / "topics" / "strimzi.yaml").read_text()):
        yield "topics", manifest


def _definitions(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The schema of each version of each kind, which refuses a field that it does not name."""
    for file in folder.rglob("*.yaml"):
        for definition in yaml.safe_load_all(file.read_text()):
            if definition and definition.get("kind") == "CustomResourceDefinition":
                spec = definition["spec"]
                for version in spec["versions"]:
                    kind = f"{spec['group']}/{version['name']} {spec['names']['kind']}"
                    schema = version["schema"]["openAPIV3Schema"]
                    schema["properties"]["metadata"] = {"type": "object"}
                    yield kind, _strict(schema)


def _strict(schema: Any) -> Any:
    """The schema without room for names that it does not know, as the API server has it."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {name: _strict(value) for name, value in schema.items()}
    if schema.get("x-kubernetes-int-or-string"):
        strict.pop("type", None)
    if isinstance(pattern := schema.get("pattern"), str):
        strict["pattern"] = pattern.replace("^(?i)", "(?i)^")  # Go's flags stand anywhere, Python's at the start
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if schema.get("type") == "object" and isinstance(schema.get("properties"), dict) and not open_ended:
        strict["additionalProperties"] = False
    return strict


def _tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
