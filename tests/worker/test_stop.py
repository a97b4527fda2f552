"""SIGTERM and SIGINT while nothing is held: the process ends at once, with 0, wherever it is."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from onnx import TensorProto, helper

from dev.processes import WorkerProcess
from tests.integration.harness import until
from worker.stop import Stop, StopAskedError

_ROOT = Path(__file__).parents[2]
_AS_PID_1 = ["unshare", "--user", "--map-root-user", "--fork", "--pid"]


@pytest.fixture
def stop() -> Iterator[Stop]:
    """A stop that listens in this process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    stop = Stop()
    stop.listen()
    yield stop
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_stop_is_an_exception_until_something_is_held(stop: Stop) -> None:
    """Like Ctrl-C it comes out of whatever is going on; a clause for errors does not hold it up."""
    with pytest.raises(StopAskedError, match="SIGTERM"), contextlib.suppress(Exception):
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_stop_that_was_swallowed_comes_again(stop: Stop) -> None:
    """Where Python can't raise, as in a finaliser, it is noticed before anything is held."""
    with contextlib.suppress(StopAskedError):
        os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(StopAskedError, match="SIGINT"):
        stop.hold(pytest.fail)


def test_a_stop_is_a_call_once_something_is_held(stop: Stop) -> None:
    """The poll loop settles it; nothing is torn out of the middle."""
    asked: list[str] = []
    stop.hold(asked.append)
    os.kill(os.getpid(), signal.SIGTERM)
    assert asked == ["SIGTERM"]


_DEAF = """
import signal, threading
from worker.stop import Stop

stop = Stop()
stop.listen()
stop.hold(lambda name: None)
signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
print("waiting", flush=True)
threading.Event().wait(30)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_stop_needs_no_main_thread(number: signal.Signals) -> None:
    """A main thread that no signal wakes, as one that came just before its wait, does not delay the end."""
    with subprocess.Popen([sys.executable, "-c", _DEAF], cwd=_ROOT, stdout=subprocess.PIPE) as waiting:
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == b"waiting\n"
        waiting.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):  # the first one is left to the main thread
            waiting.wait(0.5)
        waiting.send_signal(number)

        assert waiting.wait(10) == 128 + number


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        ("run", 0, ""),
        ("check", 128 + signal.SIGTERM, "worker: check was ended by SIGTERM\n"),
        ("redrive", 128 + signal.SIGTERM, "worker: redrive was ended by SIGTERM\n"),
    ],
)
@pytest.mark.parametrize("module", ["structlog", "pydantic_settings"])
def test_a_signal_during_the_imports_is_obeyed(
    tmp_path: Path, command: str, code: int, told: str, module: str
) -> None:
    """`run` ends with 0, since it held nothing; another command did not do what it was for, and says so.

    As PID 1, where the kernel ignores a signal that has no handler: it comes as the first library is imported.
    """
    if subprocess.run([*_AS_PID_1, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no namespaces here")
    (tmp_path / f"{module}.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n")
    done = subprocess.run(
        [*_AS_PID_1, sys.executable, "-m", "worker", command],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{_ROOT}"}, capture_output=True, text=True, check=False,
        cwd=_ROOT,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (code, told)


def test_a_signal_before_the_first_line_is_kept() -> None:
    """Started with signals blocked, as in the image, PID 1 ends by what came before Python ran."""
    if subprocess.run([*_AS_PID_1, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no namespaces here")
    early = "import os, sys; os.kill(1, 15); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    done = subprocess.run(
        [*_AS_PID_1, "env", "--block-signal=TERM", sys.executable, "-c", early, "-m", "worker", "run"],
        env={**os.environ, "WORKER_BUNDLE": "no-such-folder"}, capture_output=True, text=True, check=False,
        cwd=_ROOT,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a broker that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("event", ["worker_starting", "model_ready"])
def test_a_start_is_given_up_at_once(
    bundle: Path, tmp_path: Path, silent: str, event: str, number: signal.Signals
) -> None:
    """While the model is loaded or no broker answers: 0, though its grace period would be over much later."""
    settings = {
        "WORKER_BUNDLE": bundle,
        "KAFKA_BOOTSTRAP_SERVERS": silent,
        "WORKER_SHUTDOWN_TIMEOUT_MS": 3_600_000,
    }
    with WorkerProcess(tmp_path / "log", settings) as worker:
        until(lambda: bool(worker.logged(event)), "it does not start")
        worker.signal(number)

        assert worker.wait(20) == 0, worker.log_file.read_text()
        assert [event["signal"] for event in worker.logged("worker_stopped")] == [number.name]


_AT_WORK = """
import sys, threading, time
import numpy as np, onnxruntime
from worker.stop import leave

session = onnxruntime.InferenceSession(sys.argv[1])
rows = {"rows": np.ones((64, 64), np.float32)}
threading.Thread(target=lambda: [session.run(None, rows) for _ in iter(int, 1)], daemon=True).start()
time.sleep(0.2)
print("gone")
leave(9)
"""


def test_a_device_at_work_does_not_change_how_it_ends(tmp_path: Path) -> None:
    """The code is the one asked for, and what was written is there: `sys.exit` would end in C++'s abort()."""
    product = helper.make_node("MatMul", ["rows", "rows"], ["products"])
    shape = (TensorProto.FLOAT, [64, 64])
    given, made = (helper.make_tensor_value_info(name, *shape) for name in ("rows", "products"))
    graph = helper.make_graph([product], "g", [given], [made])
    opset = [helper.make_opsetid("", 17)]
    (tmp_path / "m.onnx").write_bytes(
        helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    )

    ended = subprocess.run(
        [sys.executable, "-c", _AT_WORK, tmp_path / "m.onnx"],
        cwd=_ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert (ended.returncode, ended.stdout, ended.stderr) == (9, "gone\n", "")
