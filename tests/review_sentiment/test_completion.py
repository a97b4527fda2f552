"""What bash completes after `review-sentiment`, with the script that is written for it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_COMPLETE = """
source "$1"; shift
function=$(complete -p review-sentiment | sed 's/.* -F \\([^ ]*\\) .*/\\1/')
COMP_WORDS=(review-sentiment "$@") COMP_CWORD=$#
"$function"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def run(*arguments: str, without: str = "") -> subprocess.CompletedProcess[str]:
    """The console script, where a module can't be imported."""
    program = (
        f"import sys\nsys.modules.update({{name: None for name in {without.split()}}})\n"
        "from review_sentiment.__main__ import main\nsys.exit(main())"
    )
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = run("--print-completion", "bash")
    assert written.returncode == 0, written.stderr
    file = tmp_path_factory.mktemp("completion") / "review-sentiment"
    file.write_text(written.stdout)
    return file


def complete(script: Path, words: str) -> list[str]:
    """What bash offers for the last word."""
    command = ["bash", "--norc", "-c", _COMPLETE, "bash", str(script), *words.split(" ")]
    done = subprocess.run(
        command, cwd=_ROOT, capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"}
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("tr", ["training"]),
        ("worker ch", ["check"]),
        ("worker topics ", ["create"]),
        ("worker topics create --part", ["--partitions"]),
        ("worker redrive --reason output_", ["output_too_large", "output_refused"]),
        ("worker check --str", ["--strict"]),
        ("worker check --kafka-ssl-ca", ["--kafka-ssl-cafile"]),
        ("worker run --device ", ["auto", "cpu", "cuda"]),
        ("worker run --bundle dock", ["docker"]),
        ("worker contracts vali", ["validate"]),
        ("training fit --split ", ["stratified", "hash"]),
        ("training distill --teach", ["--teacher"]),
        ("export bundle --calibration READ", ["README.md"]),
        ("export evaluate --macro", ["--macro-f1-min"]),
    ],
)
def test_bash_completes(script: Path, words: str, expected: list[str]) -> None:
    """Programs, commands, options, their choices and files, from the script alone: no program of ours runs."""
    assert complete(script, words) == expected


def test_every_command_of_a_worker_is_completed(script: Path) -> None:
    """Those that its --help lists."""
    usage = run("worker", "--help").stdout
    assert complete(script, "worker ") == re.findall(r"^  (\w+)  ", usage, re.MULTILINE)


def test_a_worker_alone_completes_itself() -> None:
    """Where the packages of training are not installed, its program is left out."""
    written = run("--print-completion", "bash", without="torch pyarrow rich")
    assert (written.returncode, "--kafka-ssl-cafile" in written.stdout) == (0, True)
    assert "--early-stopping" not in written.stdout


@pytest.mark.parametrize(
    ("shell", "without", "message"), [("cmd", "", "bash, zsh"), ("bash", "shtab", "the extra `completion`")]
)
def test_wrong_usage_is_told(shell: str, without: str, message: str) -> None:
    """With 2, and what to do."""
    written = run("--print-completion", shell, without=without)
    assert (written.returncode, written.stdout) == (2, "")
    assert message in written.stderr
