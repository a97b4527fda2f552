"""What a producing team is told of its records is what the worker would do with them."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from contract.events import Reason
from tests.faked_pipeline import FakedPipeline
from worker.validation import NOT_SEEN, DeadLine, Tally, dead_lines

_ROOT = Path(__file__).parents[2]
_LINES = (
    b'{"reviewText":"good"}',
    b"{",
    b"[]",
    b'{"stars":5}',
    b'{"text":1}',
    b'{"text":" "}',
    b'{"text":"good","sentiment":null}',
    b'{"text":"%s"}' % (b"good " * 300),
    b'{"text":NaN}',
    b'\xef\xbb\xbf{"text":"good"}',
    b'{"text":1,"body":"good"}',
    b'{"text":"\xff"}',
)


def found(*lines: bytes) -> tuple[list[DeadLine], Tally]:
    """With the limit of the pipeline on fakes."""
    tally = Tally()
    return list(dead_lines(io.BytesIO(b"\n".join(lines)), tally, text_field=None, bytes_max=1000)), tally


def test_it_says_what_the_worker_does() -> None:
    """Reason and detail of each line are those of the dead letter, and no other line becomes one."""
    faked = FakedPipeline()
    faked.receive(list(_LINES))
    faked.pipeline.run(faked.window())
    dead = [
        (item.source.offset + 1, item.detail, dict(item.headers)["__connect.errors.exception.message"].decode())
        for item in faked.sink.written
        if "x-dlq-reason" in dict(item.headers)
    ]
    told, tally = found(*_LINES)
    assert [(number, reason, detail) for number, (reason, detail) in told] == dead
    assert (tally.records, tally.reasons.total()) == (12, 10)


def test_every_reason_is_told_or_said_not_to_be() -> None:
    """A new one has to be in one of the two."""
    told = {rejection.reason for _, rejection in found(*_LINES)[0]}
    assert told | set(NOT_SEEN) == set(Reason)
    assert not told & set(NOT_SEEN)


def test_lines_end_as_lines_do() -> None:
    """With CR and LF, or not at all; an empty one is no record, a space is one, and U+2028 ends none."""
    told, tally = found(b'{"text":"good"}\r', b"", b" ", '{"text":"\u2028"}'.encode(), b'{"text":"good"}')
    assert [(number, rejection.reason) for number, rejection in told] == [(3, "invalid_json"), (4, "blank_text")]
    assert tally.told() == (
        "4 records: 2 would be scored, 2 would be dead letters (invalid_json 1, blank_text 1); "
        "1 empty lines passed over"
    )


def test_the_command_counts_and_fails_if_any_would_be_dead(
    tmp_path: Path, run_command: Callable[..., tuple[int, str, str]]
) -> None:
    """By file and line; settings decide as they do for a worker, and no bundle is asked for."""
    file = tmp_path / "events.jsonl"
    file.write_bytes(b'{"text":"good"}\n{"comment":"good"}\n')
    code, told, _ = run_command("contracts", "validate", str(file))
    assert (code, told.splitlines()[0].split(": ")[:2]) == (1, [f"{file}:2", "missing_text"])
    assert told.splitlines()[1] == "2 records: 1 would be scored, 1 would be dead letters (missing_text 1)"
    code, told, _ = run_command("contracts", "validate", str(file), "--text-field", "comment")
    assert (code, told.splitlines()[0].split(": ")[:2]) == (1, [f"{file}:1", "missing_text"])
    file.write_bytes(b'{"text":"good"}\n')
    assert run_command("contracts", "validate", str(file))[0] == 0
    code, _, errors = run_command("contracts", "validate", str(tmp_path))
    assert (code, errors.splitlines()[-1]) == (2, f"worker: can't read {tmp_path}: Is a directory")


@pytest.mark.parametrize("count", [1, 20_000])
def test_it_reads_a_pipe_and_needs_neither_kafka_nor_a_runtime(count: int) -> None:
    """Standard input; a reader of the answer may stop after the first line, and nothing is said of that."""
    program = (
        "import sys; from worker.__main__ import main; code = main(['contracts', 'validate', '-']); "
        "print(*{'kafka', 'onnxruntime', 'tokenizers'} & set(sys.modules), file=sys.stderr); sys.exit(code)"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", program], cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    with worker:
        assert worker.stdin
        assert worker.stdout
        assert worker.stderr
        worker.stdin.write(b"{\n" * count)
        worker.stdin.close()
        first = worker.stdout.readline()
        worker.stdout.close()
        errors = worker.stderr.read()
    assert (worker.returncode, errors) == (1, b"\n")
    assert first.startswith(b"-:1: invalid_json: ")


def test_contracts_still_writes_the_documents(
    tmp_path: Path, run_command: Callable[..., tuple[int, str, str]]
) -> None:
    """Which is what it does without `validate`."""
    assert run_command("contracts", "--output", str(tmp_path))[0] == 0
    assert json.loads((tmp_path / "asyncapi.json").read_text())["asyncapi"].startswith("3")
    assert run_command("contracts", "vaildate", "x")[0] == 2
