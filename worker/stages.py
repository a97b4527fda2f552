"""Three threads, one for each stage of the pipeline, with room for one window between two of them."""

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from worker.in_flight import InFlight
from worker.passage import Scored, Submitted
from worker.pipeline import Pipeline

Item = TypeVar("Item")


class _Slot(Generic[Item]):
    """A queue of one; None ends it."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Item | None] = queue.Queue(maxsize=1)
        self.put = self._queue.put
        self.get = self._queue.get  # raises queue.Empty after its timeout


class Stages:
    """Runs a pipeline until its in_flight stops or a stage fails; the first failure is kept in `failure`."""

    def __init__(self, pipeline: Pipeline, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self.failure: BaseException | None = None
        submitted: _Slot[Submitted] = _Slot()
        scored: _Slot[Scored] = _Slot()

        def prepare() -> None:
            while (window := in_flight.take()) is not None:
                submitted.put(pipeline.submit(pipeline.prepare(window)))
            submitted.put(None)

        def collect() -> None:
            while (item := submitted.get()) is not None:
                scored.put(pipeline.collect(item))
            scored.put(None)

        def deliver() -> None:
            while True:
                try:
                    item = scored.get(timeout=pipeline.due_in_s())
                except queue.Empty:
                    pipeline.catch_up()
                    continue
                if item is None:
                    break
                pipeline.deliver(item)
            pipeline.catch_up()

        # Daemons: where one has failed, the others may wait for ever, and the process must still end.
        self._threads = [
            threading.Thread(target=self._guarded(stage), name=stage.__name__, daemon=True)
            for stage in (prepare, collect, deliver)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def join(self, timeout_s: float) -> bool:
        """After `InFlight.stop`: wait until every window taken is settled; False on failure or timeout."""
        return self._in_flight.wait_settled(timeout_s)

    def _guarded(self, stage: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                stage()
            except BaseException as error:  # noqa: BLE001 - whatever ends a thread must end the worker
                self.failure = self.failure or error
                self._in_flight.abandon()

        return run
