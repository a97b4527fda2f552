"""The worker's image, built and run as Kubernetes would: no right, no writable file, a user that nobody knows."""

import os
import shutil
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.kafka import AnyCluster
from tests.image.container import Container, Image, debian
from tests.integration.harness import Run, until

pytestmark = [
    pytest.mark.image,
    pytest.mark.skipif("IMAGE_BASE" not in os.environ, reason="`make test-image` says what these need"),
]
BYTES_MAX = 350_000_000
GRACE_S = 10.0


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image for CPUs, on the base that IMAGE_BASE names or on one made of Debian's packages."""
    folder = tmp_path_factory.mktemp("image")
    return Image.build("docker/worker.Dockerfile", "cpu", os.environ["IMAGE_BASE"] or debian(folder), folder)


@pytest.fixture(scope="module")
def files(image: Image) -> Iterator[Path]:
    """What is in the image."""
    with image.mounted() as folder:
        yield folder


@pytest.fixture(scope="module")
def linked_bundle(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle as a projected volume of Kubernetes has it: links through `..data` to a folder with a date."""
    folder = tmp_path_factory.mktemp("volume")
    shutil.copytree(bundle, folder / "..2026_11_27_10_00_00.1")
    (folder / "..data").symlink_to("..2026_11_27_10_00_00.1")
    for file in bundle.iterdir():
        (folder / file.name).symlink_to(Path("..data") / file.name)
    folder.chmod(0o755)
    return folder


@pytest.fixture
def topics(cluster: AnyCluster, bundle: Path, tmp_path: Path) -> Iterator[Run]:
    """Topics of this test's own, an upstream and a reader."""
    with Run(cluster, bundle, tmp_path) as running:
        yield running


def started(topics: Run, image: Image, files: Path, bundle: Path, port: int) -> Container:
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": topics.cluster.bootstrap_servers,
        "WORKER_INPUT_TOPIC": topics.input_topic,
        "WORKER_OUTPUT_TOPIC": topics.output_topic,
        "WORKER_DEAD_LETTER_TOPIC": topics.dlq,
        "WORKER_GROUP_ID": topics.group,
        "WORKER_THREADS": 1,
        "WORKER_HTTP_PORT": port,
        "WORKER_SHUTDOWN_TIMEOUT_MS": int(GRACE_S * 1000) - 2000,
    }
    return Container(image, files, topics.folder, environment=environment, bundle=bundle)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return True
    except OSError:
        return False


def test_what_the_image_says_of_itself(image: Image) -> None:
    """A numeric user that is not root, a program without a shell around it, the signal that the worker takes."""
    config = image.config
    user, _, group = config["User"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert config["Entrypoint"][-3:] == ["python", "-m", "worker"]
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert config["Labels"]["org.opencontainers.image.revision"] == "test"


def test_the_image_is_small(image: Image) -> None:
    """Unpacked, as it lies on a node's disk."""
    print(
        f"\nimage: {image.bytes_uncompressed / 1e6:.0f} MB unpacked, {image.bytes_compressed / 1e6:.0f} MB "
        f"compressed, {image.layers} layers, user {image.config['User']}"
    )
    assert image.bytes_uncompressed < BYTES_MAX


def test_the_image_holds_no_tools(files: Path) -> None:
    """Neither PyTorch nor transformers, no compiler, no installer, none of the programs that make a model."""
    unwanted = {"torch", "transformers", "pip", "gcc", "cc", "g++", "ld", "training", "export", "reviews", "tests"}
    places = [files / "app", files / "usr/bin", *(files / "opt/venv").glob("bin")]
    places += (files / "opt/venv/lib").glob("python3*/site-packages")

    assert len(places) == 4
    assert unwanted & {entry.name for place in places for entry in place.iterdir()} == set()


def test_it_serves(image: Image, files: Path, linked_bundle: Path, topics: Run) -> None:
    """Each review has its result, the check of health agrees, and SIGTERM ends it with everything committed."""
    port = free_port()
    with started(topics, image, files, linked_bundle, port) as container:
        until(lambda: ready(port), "it is not ready", 60)
        print(f"\nready {time.monotonic() - container.started_s:.1f} s after its start")
        topics.send_reviews(40)
        topics.read_all()
        (_, *check) = image.config["Healthcheck"]["Test"]
        assert container.execute(*check, WORKER_HTTP_PORT=str(port)) == 0
        assert container.execute(*check, WORKER_HTTP_PORT="1") != 0
        container.terminate()

        assert container.wait(GRACE_S) == 0, container.log_file.read_text()
        assert [event["pid"] for event in container.logged("worker_starting")] == [1]
    assert topics.committed() == dict.fromkeys(range(4), 10)
    assert topics.account.duplicated() == []


@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.5, 2.0])
def test_a_signal_is_obeyed_whenever_it_comes(
    image: Image, files: Path, linked_bundle: Path, topics: Run, after_s: float
) -> None:
    """As PID 1, from the moment that it runs: it ends with 0, and is not killed at the end of its grace period."""
    with started(topics, image, files, linked_bundle, free_port()) as container:
        time.sleep(max(0.0, after_s - (time.monotonic() - container.started_s)))
        container.terminate()
        asked_s = time.monotonic()

        assert container.wait(GRACE_S) == 0, container.log_file.read_text()
        print(f"\nSIGTERM after {after_s} s: ended {time.monotonic() - asked_s:.2f} s later")
