"""The borders of the pipeline as Protocols: what the adapters provide and the fakes of the tests imitate."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from contract.encoding import Encoded
from contract.fields import Fields
from worker.core.ledger import Commit, Offset
from worker.core.records import Partition, Record, Window
from worker.outcomes import Outgoing, Unwritten


class OutOfDeviceMemoryError(Exception):
    """The batch did not fit into the device's memory; a smaller one may."""


class Encoder(Protocol):
    """Turns fields into token ids, exactly as training did."""

    def encode(self, batch: Sequence[Fields]) -> list[Encoded]:
        """Encode without padding, in the order given."""
        ...


class Classifier(Protocol):
    """Runs the model."""

    provider: str

    def logits(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Logits of shape (rows, classes), in the order given.

        Raises:
            OutOfDeviceMemoryError: If the batch is too large for the device; a smaller one may fit.
            ModelFailedError: If the device is lost.
            Exception: Whatever else the runtime says of this batch.
        """
        ...


class Sink(Protocol):
    """Publishes what became of a window."""

    def publish(self, outgoing: Sequence[Outgoing]) -> list[Unwritten]:
        """Send in order and return when the broker has acknowledged all but the ones returned.

        Returns:
            In the order given, the ones that their topic refuses for what they are, and those that fell with them.

        Raises:
            ReviewSentimentError: If the broker does not acknowledge in time, or refuses for a reason that has
                nothing to do with single records.
        """
        ...


class Offsets(Protocol):
    """Reads and writes the group's committed offsets."""

    def committed_offset(self, partition: Partition) -> Offset | None:
        """What is committed; position -1 where nothing ever was, None when that can't be known now."""
        ...

    def commit_now(self, offsets: Commit) -> bool:
        """Commit, and wait for it; False when that can't be done now."""
        ...


class TransactionAbortedError(Exception):
    """Nothing of the transaction counts; it may be tried again."""


class TransactionalSink(Protocol):
    """Publishes what became of windows together with the positions after them, or neither."""

    def transact(self, outgoing: Sequence[Outgoing], offsets: Commit, member: object) -> list[Unwritten]:
        """Run one transaction: send in order, commit the offsets for the group, commit.

        Args:
            outgoing: What to publish.
            offsets: What to commit of each input partition.
            member: A snapshot of our membership; if it no longer holds, the broker refuses the offsets.

        Returns:
            Nothing if it is committed; else the transaction was aborted, and these are the ones that their topic
            refuses for what they are, and those that fell with them.

        Raises:
            TransactionAbortedError: If it was aborted for a reason that may pass.
            ReviewSentimentError: If it is not known how it ended, or the broker refuses for a reason that has
                nothing to do with single records.
        """
        ...

    def rehearse(self, outgoing: Sequence[Outgoing]) -> list[Unwritten]:
        """What `transact` would return for these; no reader of committed records sees any of them."""
        ...


class Telemetry(Protocol):
    """Counts what the pipeline does."""

    def stage(self, name: str, elapsed_s: float) -> None:
        """A stage of a window took so long."""
        ...

    def window(self, records: int) -> None:
        """A window of so many records was closed."""
        ...

    def batch(self, rows: int, tokens: int, padded_tokens: int) -> None:
        """A forward pass took so many rows and tokens, and so many with padding."""
        ...

    def encoded(self, events: Sequence[Encoded]) -> None:
        """These events of a window go to the model."""
        ...

    def outcomes(self, outgoing: Sequence[Outgoing]) -> None:
        """The broker has acknowledged these outcomes."""
        ...

    def transaction_aborted(self) -> None:
        """A transaction was aborted; it is tried again."""
        ...

    def unsendable(self, record: Record) -> None:
        """A record without key and value was settled: no client can send such a record on."""
        ...

    def model_failure(self, error: Exception) -> None:
        """A forward pass failed; its rows are tried again or isolated."""
        ...

    def rebalance(self, kind: str) -> None:
        """Partitions were `assigned`, `revoked` or `lost`."""
        ...

    def revoked(self, elapsed_s: float) -> None:
        """What was in flight of revoked partitions was settled and committed, or given up, after so long."""
        ...


class WindowTrace(Protocol):
    """What is told of one window's life to those who trace."""

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Around a stage; where that raises, the window's trace ends with it."""
        ...

    def passed_on(self, outgoing: Sequence[Outgoing]) -> Sequence[Outgoing]:
        """The same, each with the trace context from which its readers go on."""
        ...

    def end(self) -> None:
        """The window is delivered."""
        ...


class Tracing(Protocol):
    """Traces windows. None of its methods raises or waits for anything outside; `close` waits a moment."""

    def window(self, window: Window) -> WindowTrace:
        """A window's life begins."""
        ...

    def close(self) -> None:
        """Send what is left."""
        ...


class Untraced:
    """Tracing that is switched off, and its trace of any window."""

    def window(self, _window: Window) -> WindowTrace:
        """Nothing is told."""
        return self

    def stage(self, _name: str) -> AbstractContextManager[None]:
        """Nothing is told."""
        return nullcontext()

    def passed_on(self, outgoing: Sequence[Outgoing]) -> Sequence[Outgoing]:
        """The very same."""
        return outgoing

    def end(self) -> None:
        """Nothing is told."""

    def close(self) -> None:
        """Nothing is left."""


UNTRACED = Untraced()
