"""Review files are read the same by every command that takes them."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from contract.errors import UsageError
from export import __main__ as export
from export import pipeline
from tests.review_files import write_lines
from training import __main__ as training

GOOD = [
    {"text": f"{word} {number}", "rating": stars}
    for number in range(9)
    for word, stars in (("a", 5), ("b", 3), ("c", 1))
]
_READS = {
    "fit": ("fit", "--data", "{file}", "--base-model", "{absent}", "--output", "{out}"),
    "fit --validation": (
        "fit", "--data", "{good}", "--validation", "{file}", "--base-model", "{absent}", "--output", "{out}",
    ),
    "distill": ("distill", "--data", "{file}", "--student", "s", "--teacher", "{absent}", "--output", "{out}"),
    "distill --unlabelled": (
        "distill", "--data", "{good}", "--unlabelled", "{file}", "--student", "s", "--teacher", "{absent}",
        "--output", "{out}",
    ),
    "training evaluate": ("evaluate", "--checkpoint", "{absent}", "--data", "{file}", "--no-baselines"),
    "training evaluate --calibration": (
        "evaluate", "--checkpoint", "{absent}", "--data", "{good}", "--calibration", "{file}", "--no-baselines",
    ),
    "training evaluate --train-data": (
        "evaluate", "--checkpoint", "{absent}", "--data", "{good}", "--train-data", "{file}",
    ),
    "--texts": ("bundle", "--checkpoint", "{checkpoint}", "--output", "{out}", "--texts", "{file}"),
    "--calibration": (
        "bundle", "--checkpoint", "{checkpoint}", "--output", "{out}", "--calibration", "{file}",
        "--calibration-part", "all",
    ),
    "--test": (
        "bundle", "--checkpoint", "{checkpoint}", "--output", "{out}", "--test", "{file}", "--test-part", "all",
    ),
    "--data": ("evaluate", "{bundle}", "--data", "{file}", "--variant", "fp32"),
    "--train-data": (
        "evaluate", "{bundle}", "--data", "{good}", "--variant", "fp32", "--baselines", "--train-data", "{file}",
    ),
}  # fmt: skip
"""Each command that takes review files. Those that load a model stop after the reading, since it is not there."""

Run = Callable[[str, Path], tuple[int, str]]


@pytest.fixture
def run(
    checkpoint: Path,
    exported: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Give a command a file; its exit code, and what it says in one line."""

    def no_model(checkpoint: object) -> None:
        raise UsageError("there is no model in this test")

    monkeypatch.setattr(pipeline, "load_model", no_model)
    good = write_lines(tmp_path / "good.jsonl", [line | {"text": f"other {line['text']}"} for line in GOOD])

    def run(reads: str, file: Path) -> tuple[int, str]:
        places = {
            "file": file, "good": good, "absent": tmp_path / "absent", "out": tmp_path / "out",
            "checkpoint": checkpoint, "bundle": exported,
        }  # fmt: skip
        arguments = [word.format(**places) for word in _READS[reads]]
        program = export.main if arguments[0] == "bundle" or "--variant" in arguments else training.main
        if program is export.main:
            arguments += ["--threads", "1", *(["--variants", "fp32"] if arguments[0] == "bundle" else [])]
        code = program(arguments)
        return code, " ".join(capsys.readouterr().err.split())

    return run


@pytest.mark.parametrize("reads", _READS)
def test_lines_are_read_or_left_out_by_every_command_alike(reads: str, run: Run, tmp_path: Path) -> None:
    """A byte-order mark and Python literals are read, an endless number is a line left out, and all is told."""
    file = tmp_path / "odd.jsonl"
    long = json.dumps({"text": "long", "rating": 3, "id": "N"}).replace('"N"', "1" * 5000)
    literal = r"{'reviewText': 'Caf\xc3\xa9', 'overall': 5.0}"
    write_lines(file, [*GOOD, long, literal])
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())

    _, said = run(reads, file)

    assert "1 line left out: not JSON, first" in said
    assert f"odd.jsonl:{len(GOOD) + 1}" in said.replace(" ", "")
    assert "1 line with text that Python 2 wrote as bytes, read as UTF-8" in said


@pytest.mark.parametrize("reads", _READS)
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(gzip.compress(b'{"text": "a", "rating": 5}\n' * 9, mtime=0)[:-9], id="cut"),
        pytest.param(gzip.compress(b"x" * 99, mtime=0)[:10] + b"\xff" * 20, id="damaged"),
    ],
)
def test_a_damaged_file_ends_every_command_alike(content: bytes, reads: str, run: Run, tmp_path: Path) -> None:
    """Exit code 2, and a message that names the file."""
    file = tmp_path / "bad.jsonl.gz"
    file.write_bytes(content)
    code, said = run(reads, file)
    assert code == 2
    assert "can't read" in said
    assert "bad.jsonl.gz" in said.replace(" ", ""), "the console may break the line anywhere in a path"


def test_files_are_utf_8_in_any_locale(tmp_path: Path) -> None:
    """A machine that is set up for another encoding reads the same letters, with every reader of the export."""
    (tmp_path / "r.jsonl").write_bytes('{"text": "caf\u00e9", "rating": 5}\n'.encode())
    script = (
        "import pathlib, sys\n"
        "from contract.fields import Fields\n"
        "from export.gates.texts import collect_texts\n"
        "golden = [Fields(f'a review with {word} in it to cut') for word in ('joy', 'rage', 'doubt')]\n"
        "print(ascii(collect_texts(golden, [pathlib.Path(sys.argv[1])]).private))\n"
    )
    other = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "r.jsonl"],
        env={**os.environ, **other}, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert "caf\\xe9" in ran.stdout, ran.stderr
