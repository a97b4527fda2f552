"""Which workers Prometheus scrapes: a place for each, which a successor takes over as a restarted pod does."""

import json
import threading
from collections.abc import Collection, Mapping
from pathlib import Path

from dev.chaos.fleet import Fleet, Replica
from dev.kafka.properties import HOST

_LOOK_S = 0.2


def placed(places: Mapping[str, int], alive: Collection[str]) -> dict[str, int]:
    """The place of each worker alive: its own, or the lowest that is free."""
    kept = {name: place for name, place in places.items() if name in alive}
    free = (place for place in range(len(kept) + len(alive) + 1) if place not in kept.values())
    return {**kept, **{name: next(free) for name in alive if name not in kept}}


class Targets:
    """Writes the file that Prometheus looks up its targets in, from a thread of its own."""

    def __init__(self, file: Path, fleet: Fleet) -> None:
        self.instances: dict[str, str] = {}
        """The instance that each worker was scraped as, by its log's name."""
        self._file, self._fleet = file, fleet
        self._ports: dict[str, int] = {}
        self._places: dict[str, int] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="targets", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def end(self) -> None:
        """Leave the file as it is."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(_LOOK_S):
            alive = [it for it in self._fleet.history if it.process.exit_code is None and self._port(it)]
            self._places = placed(self._places, [it.name for it in alive])
            self._write({f"worker-{self._places[it.name]}": self._ports[it.name] for it in alive})
            self.instances |= {it.name: f"worker-{self._places[it.name]}" for it in alive}

    def _port(self, replica: Replica) -> int | None:
        if replica.name not in self._ports and (told := replica.process.logged("worker_starting")):
            self._ports[replica.name] = told[0]["http_port"]
        return self._ports.get(replica.name)

    def _write(self, ports: Mapping[str, int]) -> None:
        targets = [
            {"targets": [f"{HOST}:{port}"], "labels": {"instance": instance}} for instance, port in ports.items()
        ]
        scratch = self._file.with_suffix(".next")  # not one that Prometheus looks at
        scratch.write_text(json.dumps(targets))
        scratch.replace(self._file)
