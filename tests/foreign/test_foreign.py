"""The published contract and the report, as ajv, AsyncAPI's parser and a browser see them."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.fields import Fields
from contract.training_record import TrainingRecord
from dev.hostile import hostile_records
from tests.contract.test_schemas import events
from tests.evaluations import HISTORY, sample_evaluation, sample_record
from tests.faked_pipeline import FakedPipeline
from tests.worker.test_status_page import sample_status
from training.report.page import write_report
from worker.core.decoding import decode
from worker.status_page import render

pytestmark = pytest.mark.foreign
_HERE = Path(__file__).parent
_CONTRACTS = _HERE.parents[1] / "docs" / "contracts"


def node(script: str, *arguments: object, stdin: str = "") -> Any:
    """What a script says, as JSON."""
    done = subprocess.run(
        ["node", _HERE / script, *map(str, arguments)], input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def held(schema: str, values: Sequence[bytes]) -> list[bool]:
    """Whether each value holds a schema, as ajv says."""
    answers: list[bool] = node("ajv.js", _CONTRACTS / schema, stdin="\n".join(value.decode() for value in values))
    return answers


@given(st.lists(events, min_size=200, max_size=200))
@settings(max_examples=5, suppress_health_check=list(HealthCheck))
def test_ajv_takes_what_the_worker_scores_and_nothing_else(some: list[Any]) -> None:
    """A validator in another language, whose patterns are ECMAScript's, agrees on every event."""
    values = [json.dumps(event).encode() for event in some]
    scored = [isinstance(decode(value, text_field=None, bytes_max=10**6), Fields) for value in values]

    assert held("review.schema.json", values) == scored


def test_every_result_holds_its_schema_under_ajv() -> None:
    """Results of good, odd and hostile events are what the contract says, by formats and patterns too."""
    faked = FakedPipeline()
    odd = [record.value for record in hostile_records() if record.expected == "result"]
    values = [value for value in odd if value and len(value) < 1000]  # more is too large for this pipeline
    values += [json.dumps({"reviewText": f"text {chr(code)} {code}"}).encode() for code in range(32, 0x2100, 21)]
    faked.receive(values)
    while len(faked.sink.written) < len(values):
        faked.pipeline.run(faked.window())
    results = [item.value for item in faked.sink.written if item.kind == "result" and item.value]

    assert len(results) == len(values)
    one_line = [json.dumps(json.loads(value, parse_int=float)).encode() for value in results]
    assert all(held("review.sentiment.schema.json", one_line))
    assert not any(held("review.sentiment.schema.json", [v.replace(b'Z"', b'"') for v in one_line]))


def test_the_asyncapi_document_is_one() -> None:
    """AsyncAPI's own parser finds no error, the schemas, and each message in its channel."""
    assert node("asyncapi.js", _CONTRACTS / "asyncapi.json") == {
        "errors": [],
        "messages": {
            "reviews": ["review"],
            "reviews.sentiment": ["sentiment", "tombstone"],
            "reviews.dlq": ["deadLetter"],
        },
    }


def test_the_report_fits_its_screen(tmp_path: Path) -> None:
    """Wide screens show every column, and a telephone scrolls tables and not the page."""
    browser = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium: install the package chromium, or name one in CHROMIUM")
    record = sample_record() | {"license": "mit", "size_bytes": 10**8, "parameters": 10**7, "texts_per_s": 100.0}
    judged = replace(sample_evaluation(), macro_f1_min=0.6)
    write_report(tmp_path, "demo", judged, HISTORY, TrainingRecord.model_validate(record))

    found = node("widths.js", browser, tmp_path / "report.html", 390, 1200, 1600)

    assert [found[width]["page"] for width in ("390", "1200", "1600")] == [False] * 3
    assert found["1200"]["tables"] == found["1600"]["tables"] == []


@pytest.mark.parametrize("partitions", [0, 3, 500])
def test_the_status_page_fits_its_screen(tmp_path: Path, partitions: int) -> None:
    """Telephones and wide screens, whatever the worker has to show; SCREENSHOTS=FOLDER keeps the pictures."""
    browser = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium: install the package chromium, or name one in CHROMIUM")
    page = tmp_path / "status.html"
    page.write_text(render(sample_status(partitions=partitions)))

    found = node("widths.js", browser, page, 390, 1200)

    assert found == {width: {"page": False, "tables": []} for width in ("390", "1200")}
