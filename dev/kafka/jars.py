"""Kafka's jars, fetched once by their Maven coordinates and checked against `jars.sha256`."""

import fcntl
import hashlib
import shutil
import tempfile
from pathlib import Path

import jgo

from dev.paths import cache_folder

KAFKA_VERSION = "4.3.1"
# Resolved apart: together, the logging artifact's managed versions replace kafka-clients by an older one.
_COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
)
_LOCK_FILE = Path(__file__).with_name("jars.sha256")


class KafkaUnavailableError(Exception):
    """The local Kafka can't be had; the message says what to use instead."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"{why}\nWithout a local Kafka, set KAFKA_BOOTSTRAP_SERVERS to an existing cluster, or start one "
            "with docker/compose.yaml."
        )


def jars_folder() -> Path:
    """The folder with every jar of the class path, fetched if it is not there yet.

    Raises:
        KafkaUnavailableError: If a jar can't be fetched or is not the locked one.
    """
    folder = cache_folder() / f"kafka-{KAFKA_VERSION}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test sessions may start at once
        if not folder.exists():
            _fetch(folder)
    check_jars(folder, _LOCK_FILE)
    return folder


def check_jars(folder: Path, lock_file: Path) -> None:
    """Compare every jar with the lock file.

    Raises:
        KafkaUnavailableError: If one is missing, altered or not in the lock file.
    """
    lines = (line.split() for line in lock_file.read_text().splitlines() if line)
    locked = {name: sha256 for sha256, name in lines}
    found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in folder.glob("*.jar")}
    if found != locked:
        wrong = sorted(name for name in locked.keys() | found.keys() if locked.get(name) != found.get(name))
        raise KafkaUnavailableError(
            f"these jars in {folder} are not the ones in {lock_file.name}: {', '.join(wrong)}. "
            "Remove the folder to fetch them again."
        )


def _fetch(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        collected = Path(scratch) / "jars"
        collected.mkdir()
        for coordinate in _COORDINATES:
            try:
                environment = jgo.build(coordinate, cache_dir=Path(scratch) / "jgo")
            except Exception as error:  # jgo passes on whatever its HTTP client raises
                raise KafkaUnavailableError(f"can't fetch {coordinate} with jgo: {error!r}") from error
            for jar in environment.all_jars:
                shutil.copyfile(jar, collected / Path(jar).name)
        collected.rename(folder)


def lock_lines(folder: Path) -> str:
    """What `jars.sha256` has to hold for the jars in a folder, as `sha256sum` writes it."""
    jars = sorted(folder.glob("*.jar"))
    return "".join(f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar.name}\n" for jar in jars)
