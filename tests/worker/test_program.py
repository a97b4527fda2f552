"""The published contract, the generated tables of docs, what a worker does not import, how its commands end."""

import json
import os
import pkgutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

import worker
from contract.schemas import contract_documents
from dev.docs import DOCS, TABLES, generated

_ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "WORKER_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", contract_documents())
def test_the_published_contract_is_that_of_the_code(name: str) -> None:
    """docs/contracts is what `python -m worker contracts` writes; run `make contracts` when it is not."""
    published = json.loads((_ROOT / "docs" / "contracts" / name).read_text())

    assert published == contract_documents()[name]
    if name.endswith("schema.json"):
        Draft7Validator.check_schema(published)


def test_the_contract_says_what_is_not_sent_and_what_is_not_json() -> None:
    """In words where a schema can't: README and contract say the same of NaN; and parsers know the format."""
    documents = contract_documents()
    messages = documents["asyncapi.json"]["components"]["messages"]
    assert "neither" in messages["review"]["description"]
    assert "kafka-python" in messages["review"]["description"]
    for message in ("review", "sentiment"):
        assert messages[message]["payload"]["schemaFormat"] == "application/schema+json;version=draft-07"
    pages = [
        documents["review.schema.json"]["description"],
        (_ROOT / "README.md").read_text(),
        (_ROOT / "docs" / "architecture.md").read_text(),
    ]
    for page in pages:
        (_, after) = page.split("raw Amazon review record works", 1)
        assert "NaN" in after[:200]
        assert "dead letter" in after[:400]


def test_the_golden_record_of_the_contract_holds() -> None:
    """The example that the contract was agreed on validates; without `sentiment` it does not."""
    golden = {
        "asin": "B000", "overall": 5.0, "reviewText": "Great!",
        "sentiment": {
            "label": "positive", "confidence": 0.97,
            "probabilities": {"negative": 0.01, "neutral": 0.02, "positive": 0.97},
            "abstained": False, "tokens": 4, "truncated": False,
            "model": {"name": "minilm-amazon", "version": "20261123.1", "sha256": "9f" * 32, "variant": "int8",
                      "provider": "CPUExecutionProvider"},
            "scored_at": "2026-11-23T10:00:00.123Z",
            "source": {"topic": "reviews", "partition": 3, "offset": 1234},
        },
    }  # fmt: skip
    validator = Draft7Validator(contract_documents()["review.sentiment.schema.json"])

    assert validator.is_valid(golden)
    assert not validator.is_valid({"asin": "B000"})
    assert not validator.is_valid({**golden, "sentiment": {**golden["sentiment"], "label": "great"}})  # type: ignore[dict-item]


@pytest.mark.parametrize("name", TABLES)
def test_the_generated_tables_are_those_of_the_code(name: str) -> None:
    """docs/settings.md and docs/metrics.md are current; run `make contracts` when they are not."""
    text = (DOCS / f"{name}.md").read_text()

    assert text == generated(name, text)


def test_the_worker_leaves_torch_and_transformers_unimported() -> None:
    """Importing every module of the worker loads neither, nor anything else of training's."""
    modules = [
        item.name for item in pkgutil.walk_packages(worker.__path__, "worker.") if "__main__" not in item.name
    ]
    code = f"""
import importlib, sys
for name in {modules}: importlib.import_module(name)
print([name for name in ("torch", "transformers", "onnx", "sklearn", "training", "export") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=_ROOT)

    assert len(modules) > 25
    assert done.stdout.strip() == "[]"


def test_nothing_of_an_extra_is_imported_unless_it_is_asked_for() -> None:
    """A worker runs where they are not installed, and starts no slower where they are."""
    code = """
import sys, worker.app, worker.cli, worker.preflight.run
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=_ROOT)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["worker-cpu", "worker-gpu", "worker-cpu-tracing", "worker-gpu-tracing"])
def test_the_workers_install_has_neither_torch_nor_transformers(name: str) -> None:
    """The pinned requirements of a worker are few, and without addresses."""
    text = (_ROOT / "requirements" / f"{name}.txt").read_text()
    packages = {line.split("==")[0] for line in text.splitlines() if "==" in line and not line.startswith(" ")}

    assert "kafka-python" in packages
    assert not packages & {"torch", "transformers", "onnx", "scikit-learn"}
    assert ("opentelemetry-sdk" in packages) is name.endswith("-tracing")
    assert "://" not in text


@pytest.mark.parametrize("program", ["worker", "training", "export"])
def test_each_program_tells_its_version(program: str) -> None:
    """`--version` gives that of pyproject.toml."""
    done = subprocess.run(
        [sys.executable, "-m", program, "--version"], capture_output=True, text=True, check=True, cwd=_ROOT
    )
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]

    assert done.stdout == f"review-sentiment {project['version']}\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "usage: python -m worker COMMAND"),
        (["rum"], "worker: there is no command rum (did you mean run?)"),
        (["zzz"], "worker: there is no command zzz (python -m worker --help lists them)"),
        (["run", "--threads"], "worker: the settings don't hold: argument --threads: expected one argument"),
        (["contracts", "--nope"], "worker: python -m worker contracts takes --output FOLDER, or validate FILE"),
        (["contracts", "validate"], "worker: the following arguments are required: FILE. See python -m worker "),
        (["topics", "make"], "worker: argument create: invalid choice: 'make'"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], told: str) -> None:
    """Wrong words on the command line are told on standard error, by name."""
    command = [sys.executable, "-m", "worker", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=_ROOT)

    assert done.returncode == 2
    assert done.stderr.startswith(told)


def test_the_settings_in_force_need_no_bundle() -> None:
    """Without one it is null, as what is not set; from the environment it is shown as from a flag."""
    for given, bundle in (({}, None), ({"WORKER_BUNDLE": "b"}, "b")):
        done = subprocess.run(
            [sys.executable, "-m", "worker", "config"],
            env={**os.environ, **given}, capture_output=True, text=True, check=True, cwd=_ROOT,
        )  # fmt: skip
        assert json.loads(done.stdout)["bundle"] == bundle


@pytest.mark.parametrize("arguments", [["config"], ["--help"], ["contracts", "--help"]])
def test_a_reader_that_has_seen_enough_ends_a_command_as_it_ends_any_program(arguments: list[str]) -> None:
    """With the code of SIGPIPE, as `head` does, and not with a traceback that calls it a bug."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-u", "-m", "worker", *arguments],  # unbuffered, as a page of output is not
        stdout=write, stderr=subprocess.PIPE, check=False, cwd=_ROOT,
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_contracts_has_help_as_every_command() -> None:
    """And ends with 0."""
    command = [sys.executable, "-m", "worker", "contracts", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=_ROOT).stdout
    assert told.startswith("usage: python -m worker contracts")
