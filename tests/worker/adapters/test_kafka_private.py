"""The private names of kafka-python that the worker leans on: all listed, all there, and a clear word if not."""

import ast
import re
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from kafka.record.default_records import DefaultRecordBatch

from worker.adapters import kafka_private
from worker.adapters.kafka_private import (
    OF_A_BATCH,
    OF_A_CONSUMER,
    OF_A_PRODUCER,
    OF_A_TRANSACTIONAL_PRODUCER,
    OF_AN_ADMIN,
    look_for,
)
from worker.errors import KafkaUnfitError

_ROOT = Path(__file__).parents[3]
_ADAPTERS = sorted((_ROOT / "worker" / "adapters").glob("kafka_*.py"))


@pytest.mark.parametrize("file", _ADAPTERS, ids=lambda file: file.name)
def test_every_private_name_is_listed(file: Path) -> None:
    """Whatever an adapter takes of another object with an underscore before it stands in the one list."""
    lists = (OF_A_CONSUMER, OF_A_PRODUCER, OF_A_TRANSACTIONAL_PRODUCER, OF_AN_ADMIN, OF_A_BATCH)
    listed = {part for names in lists for name in names for part in name.split(".")}
    used = {
        node.attr
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr)
        if not (isinstance(node.value, ast.Name) and node.value.id == "self")
    }
    own = set(re.findall(r"self\.(_[a-z_]+)(?:: \w+)? =|def (_[a-z_]+)", file.read_text()))
    assert used - {name for pair in own for name in pair} <= listed


def test_what_is_missing_is_named_at_the_start() -> None:
    """With the version that would do, which is the one that the project asks for."""
    look_for(OF_A_BATCH, DefaultRecordBatch)
    stripped = SimpleNamespace(_cluster=SimpleNamespace(), _coordinator=SimpleNamespace(rejoining=False))
    with pytest.raises(KafkaUnfitError, match=r"_cluster\.topic_id, .*kafka-python>=3\.0\.12,<3\.1") as caught:
        look_for(OF_A_CONSUMER, stripped)
    assert "_coordinator.rejoining" not in str(caught.value)

    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    (needed,) = (item for item in project["dependencies"] if item.startswith("kafka-python"))
    assert needed.endswith(">=3.0.12,<3.1")
    assert ">=3.0.12,<3.1" in Path(kafka_private.__file__).read_text()
