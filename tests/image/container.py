"""Build an image by buildah and run it by runc, Docker's own runtime, where there is no engine; both need root."""

import contextlib
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
_BASE = "localhost/review-sentiment-base"
_ISOLATION = {"BUILDAH_ISOLATION": "chroot"}
_NO_CAPABILITIES: dict[str, list[str]] = {
    name: [] for name in ("bounding", "effective", "inheritable", "permitted", "ambient")
}


def run(*command: object, **environment: str) -> str:
    """What a program prints; what it says is shown when it fails."""
    done = subprocess.run(
        ["env", *(f"{name}={value}" for name, value in environment.items()), *map(str, command)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def buildah(*arguments: object) -> str:
    """Run buildah without namespaces of its own."""
    return run("buildah", *arguments, **_ISOLATION)


def debian(folder: Path) -> str:
    """The name of a base made of Debian's packages, as small as Debian's own slim one; kept for the next time."""
    if not buildah("images", "--quiet", "--filter", f"reference={_BASE}"):
        options = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "doc", "locale")]
        hooks = "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"  # or a package that does it brings Perl
        include = "--include=usr-is-merged"
        archive = folder / "base.tar"
        run("mmdebstrap", "--quiet", "--variant=minbase", hooks, include, *options, "bookworm", archive)
        container = buildah("from", "scratch").strip()
        buildah("add", "--quiet", container, archive, "/")
        buildah("commit", "--quiet", "--rm", container, _BASE)
    return _BASE


@dataclass(frozen=True)
class Image:
    """A built image, by its name, and what its configuration says."""

    name: str
    config: Mapping[str, Any]
    layers: int
    bytes_uncompressed: int

    @classmethod
    def build(cls, dockerfile: str, target: str, base: str, folder: Path) -> Self:
        """Build a target; pip is told which authorities this machine trusts, if it has a list of its own."""
        secret = folder / "pip.conf"
        authorities = Path("/etc/ssl/certs/ca-certificates.crt")
        secret.write_text("[global]\ncert = /run/authorities.crt\n" if authorities.exists() else "")
        mount = ["--volume", f"{authorities}:/run/authorities.crt:ro"] if authorities.exists() else []
        name = f"localhost/review-sentiment-worker:{target}"
        buildah(
            "build", "--format", "docker", "--file", ROOT / dockerfile, "--target", target, "--tag", name,
            "--build-arg", f"BASE={base}", "--build-arg", "REVISION=test", "--secret", f"id=pip,src={secret}",
            *mount, ROOT,
        )  # fmt: skip
        described = json.loads(buildah("inspect", "--type", "image", name))["Docker"]
        (listed,) = json.loads(buildah("images", "--json", name))
        config = described["config"]
        return cls(name, config, len(described["rootfs"]["diff_ids"]), _bytes(listed["size"]))

    @property
    def bytes_compressed(self) -> int:
        """What a registry would keep and send."""
        with tempfile.TemporaryDirectory() as folder:
            buildah("push", "--quiet", self.name, f"oci:{folder}/oci:image")
            return sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())

    @contextlib.contextmanager
    def mounted(self) -> Iterator[Path]:
        """The image's files."""
        container = buildah("from", self.name).strip()
        try:
            yield Path(buildah("mount", container).strip())
        finally:
            buildah("rm", container)


def _bytes(size: str) -> int:
    """The bytes of a size such as `429 MB`."""
    number, unit = size.split()
    return int(float(number) * {"KB": 1e3, "MB": 1e6, "GB": 1e9}[unit])


class Container:
    """An image's program as PID 1, as under Kubernetes' restricted profile; the network is the host's.

    Its user is one that nobody knows, with no right at all and nothing to write to. It is killed at the end.
    """

    def __init__(
        self, image: Image, files: Path, folder: Path, *, environment: Mapping[str, object], bundle: Path
    ) -> None:
        """Start it.

        Args:
            image: What to run.
            files: Where it is mounted.
            folder: For its log and its description.
            environment: Added to the image's.
            bundle: What is mounted as /bundle.
        """
        self._name = f"worker-{time.monotonic_ns()}"
        self._folder = folder / self._name
        self._folder.mkdir()
        self.log_file = self._folder / "log"
        added = [f"{name}={value}" for name, value in environment.items()]
        (self._folder / "config.json").write_text(json.dumps(_description(image.config, files, added, bundle)))
        with self.log_file.open("wb") as log:
            self._runc = subprocess.Popen(
                ["runc", "run", "--bundle", self._folder, self._name],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        deadline_s = time.monotonic() + 10
        while self.state() != "running":
            assert time.monotonic() < deadline_s, self.log_file.read_text()
            assert self._runc.poll() is None, self.log_file.read_text()
        self.started_s = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._runc.poll() is None:
            subprocess.run(["runc", "kill", self._name, "KILL"], check=False)
            self._runc.wait(10)

    def state(self) -> str:
        """What runc says of it."""
        done = subprocess.run(["runc", "state", self._name], capture_output=True, text=True, check=False)
        return str(json.loads(done.stdout)["status"]) if done.returncode == 0 else "none"

    def logged(self, name: str) -> list[dict[str, Any]]:
        """Its log's events of one name."""
        lines = self.log_file.read_text(errors="replace").splitlines()
        return [event for line in lines if line.startswith("{") and (event := json.loads(line))["event"] == name]

    def terminate(self) -> None:
        """Send PID 1 the signal that the image names."""
        run("runc", "kill", self._name, "TERM")

    def wait(self, timeout_s: float) -> int:
        """Its exit code.

        Raises:
            subprocess.TimeoutExpired: If it does not end in time.
        """
        return self._runc.wait(timeout_s)

    def execute(self, *command: str, **environment: str) -> int:
        """The exit code of another program in it."""
        added = [word for name, value in environment.items() for word in ("--env", f"{name}={value}")]
        done = subprocess.run(["runc", "exec", *added, self._name, *command], check=False, capture_output=True)
        return done.returncode


def _description(config: Mapping[str, Any], files: Path, added: list[str], bundle: Path) -> dict[str, Any]:
    """What runc wants to know: OCI's config.json."""
    read_only = ["bind", "ro"]
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 12345, "gid": 54321},
            "args": [*config["Entrypoint"], *config["Cmd"]],
            "env": [*config["Env"], *added],
            "cwd": config["WorkingDir"],
            "capabilities": _NO_CAPABILITIES,
            "noNewPrivileges": True,
        },
        "root": {"path": str(files), "readonly": True},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755", "ro"]},
            {"destination": "/bundle", "type": "bind", "source": str(bundle), "options": read_only},
        ],
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")]},
    }
