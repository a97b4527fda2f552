"""Prometheus itself, of Debian's package: run for as long as it is needed, and asked over HTTP."""

import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from dev.kafka.cluster import free_ports
from dev.kafka.jars import exclusive
from dev.kafka.properties import HOST
from dev.paths import cache_folder
from dev.processes import die_with_parent

SCRAPE_S = 1.0
_START_S = 30.0


class PrometheusUnavailableError(Exception):
    """There is no Prometheus here, or it does not start; the message says why."""


class Series(NamedTuple):
    """Labels, and samples as (seconds since 1970, value)."""

    labels: Mapping[str, str]
    samples: tuple[tuple[float, float], ...]


def program() -> str:
    """The installed program, or the one of Debian's package, unpacked into the cache.

    Raises:
        PrometheusUnavailableError: If there is neither.
    """
    if installed := shutil.which("prometheus"):
        return installed
    folder = cache_folder().absolute() / "prometheus"
    with exclusive(folder):
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                _unpack(Path(scratch))
                (Path(scratch) / "unpacked").rename(folder)
    return str(folder / "usr" / "bin" / "prometheus")


def _unpack(scratch: Path) -> None:
    try:
        subprocess.run(["apt-get", "download", "prometheus"], cwd=scratch, check=True, capture_output=True)
        (package,) = scratch.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", package, scratch / "unpacked"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise PrometheusUnavailableError(f"install Debian's package prometheus: {error}") from error


class Prometheus:
    """A server with its data in a folder; as a context manager it is ended at the end."""

    def __init__(self, folder: Path, rules: Mapping[str, Any]) -> None:
        """Start it; it scrapes what `targets_file` names, every second.

        Raises:
            PrometheusUnavailableError: If there is none, or if it does not answer.
        """
        folder.mkdir(parents=True)
        self.targets_file = folder / "targets.json"
        self.targets_file.write_text("[]")
        (folder / "rules.json").write_text(json.dumps(rules))
        discovery = {"files": [str(self.targets_file)], "refresh_interval": "1s"}
        interval = f"{SCRAPE_S:.0f}s"
        config = {
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
            "rule_files": [str(folder / "rules.json")],
            "scrape_configs": [{"job_name": "review-sentiment-worker", "file_sd_configs": [discovery]}],
        }
        (folder / "prometheus.json").write_text(json.dumps(config))
        self._address = f"{HOST}:{free_ports(1)[0]}"
        command = [
            program(), f"--config.file={folder / 'prometheus.json'}", f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={self._address}", "--log.level=warn",
        ]  # fmt: skip
        with (folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - nothing else ties a child to its parent
            )
        self._wait_ready(folder / "prometheus.log")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def query(self, expression: str, at_s: float) -> list[Series]:
        """What an expression gives at a moment; a range selector gives the samples themselves.

        Raises:
            ValueError: If Prometheus refuses it; its reason is in the message.
        """
        return self._series("query", query=expression, time=at_s)

    def query_range(self, expression: str, from_s: float, until_s: float, step_s: float) -> list[Series]:
        """What an expression gives over a time.

        Raises:
            ValueError: If Prometheus refuses it; its reason is in the message.
        """
        return self._series("query_range", query=expression, start=from_s, end=until_s, step=step_s)

    def _series(self, path: str, **parameters: object) -> list[Series]:
        url = f"http://{self._address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                data = json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(f"{parameters['query']}: {error.read().decode()}") from error
        if data["resultType"] == "scalar":
            return [Series({}, (_sample(data["result"]),))]
        return [
            Series(it["metric"], tuple(map(_sample, it.get("values") or [it["value"]]))) for it in data["result"]
        ]

    def _wait_ready(self, log: Path) -> None:
        deadline_s = time.monotonic() + _START_S
        while time.monotonic() < deadline_s and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://{self._address}/-/ready", timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        self._process.kill()
        self._process.wait()
        raise PrometheusUnavailableError(f"Prometheus does not start:\n{log.read_text()[-2000:]}")


def _sample(pair: list[Any]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])
