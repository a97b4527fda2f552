"""Stand-ins for the outside, for speed; tests/adapters holds them to the same suite as the real ones."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from contract.encoding import Encoded
from contract.events import Reason
from contract.fields import Fields
from worker.core.decoding import Rejection
from worker.core.ledger import Commit, Offset
from worker.core.records import Partition, Record
from worker.outcomes import Outgoing, Unwritten
from worker.ports import TransactionAbortedError


class FakeEncoder:
    """A token a character: ids are code points, framed by 1 and 2."""

    def __init__(self, tokens_max: int = 64) -> None:
        self._tokens_max = tokens_max

    def encode(self, batch: Sequence[Fields]) -> list[Encoded]:
        kept = [[ord(char) for char in fields.text][: self._tokens_max - 2] for fields in batch]
        return [
            Encoded([1, *ids, 2], truncated=len(ids) < len(fields.text))
            for ids, fields in zip(kept, batch, strict=True)
        ]


class FakeClassifier:
    """The class is the first character's code point modulo 3; fails on the rows that `fail` picks."""

    provider = "FakeExecutionProvider"

    def __init__(self) -> None:
        self.batches: list[list[list[int]]] = []
        self.fail: dict[str, Exception] = {}  # by a character that a row holds
        self.rows_max = 10**9  # more are too large for the device
        self.too_large: Exception | None = None
        self.too_large_times = 10**9

    def logits(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        self.batches.append([list(row) for row in rows])
        if self.too_large and len(rows) > self.rows_max and self.too_large_times:
            self.too_large_times -= 1
            raise self.too_large
        for char, error in self.fail.items():
            if any(ord(char) in row for row in rows):
                raise error
        answer = np.zeros((len(rows), 3), dtype=np.float32)
        for index, row in enumerate(rows):
            answer[index, row[1] % 3] = np.nan if ord("?") in row else 5
        return answer


class FakeBroker:
    """What a broker refuses: of records that are too large each alone, of others all that go to its partition."""

    def __init__(self, message_bytes_max: int) -> None:
        self._limit_bytes = message_bytes_max
        self.refuses: Callable[[Outgoing], bool] = lambda _: False
        self.names = True  # which records of a batch it refuses

    def unwritten(self, outgoing: Sequence[Outgoing]) -> list[Unwritten]:
        large = {id(item) for item in outgoing if len(item.value or b"") > self._limit_bytes}
        batches: dict[Partition, list[Outgoing]] = {}
        for item in outgoing:
            if id(item) not in large:
                batches.setdefault(item.target, []).append(item)
        fallen = {target for target, batch in batches.items() if any(map(self.refuses, batch))}
        found = []
        for item in outgoing:
            if id(item) in large:
                found.append(Unwritten(item, Rejection(Reason.OUTPUT_TOO_LARGE, "too large")))
            elif item.target in fallen:
                named = self.refuses(item) and (self.names or len(batches[item.target]) == 1)
                found.append(Unwritten(item, Rejection(Reason.OUTPUT_REFUSED, "refused") if named else None))
        return found


class FakeSink:
    """A broker in memory, with a limit of bytes for each topic."""

    def __init__(self, message_bytes_max: int = 10**6) -> None:
        self.written: list[Outgoing] = []
        self.failure: Exception | None = None
        self.broker = FakeBroker(message_bytes_max)

    def publish(self, outgoing: Sequence[Outgoing]) -> list[Unwritten]:
        if self.failure:
            raise self.failure
        found = self.broker.unwritten(outgoing)
        missing = {id(item.outgoing) for item in found}
        self.written += [item for item in outgoing if id(item) not in missing]
        return found


class FakeGroup:
    """A consumer group's committed positions with their metadata, and a generation that fences old members."""

    def __init__(self) -> None:
        self.generation = 1
        self.committed: dict[Partition, Offset] = {}

    def commit(self, offsets: Commit, member: object) -> bool:
        if member != self.generation:
            return False
        self.committed.update(offsets)
        return True


class FakeOffsets:
    """What the group has stored, and every write of ours; implements `worker.ports.Offsets`."""

    def __init__(self, stored: Commit | None = None) -> None:
        self.stored = dict(stored or {})
        self.writes: list[Commit] = []
        self.available = True

    def committed_offset(self, partition: Partition) -> Offset | None:
        return self.stored.get(partition, Offset(-1)) if self.available else None

    def commit_now(self, offsets: Commit) -> bool:
        if self.available:
            self.stored.update(offsets)
            self.writes.append(dict(offsets))
        return self.available


class FakeTransactionalSink:
    """Transactions on `FakeGroup`: what is written and committed shows at once, or never."""

    def __init__(self, group: FakeGroup, message_bytes_max: int = 10**6) -> None:
        self.written: list[Outgoing] = []
        self.aborts = 0  # so many of the next transactions are aborted by the broker
        self._group, self.broker = group, FakeBroker(message_bytes_max)

    def rehearse(self, outgoing: Sequence[Outgoing]) -> list[Unwritten]:
        return self.broker.unwritten(outgoing)

    def transact(self, outgoing: Sequence[Outgoing], offsets: Commit, member: object) -> list[Unwritten]:
        if found := self.broker.unwritten(outgoing):
            return found
        if self.aborts:
            self.aborts -= 1
            raise TransactionAbortedError("the broker said so")
        if offsets and not self._group.commit(offsets, member):
            raise TransactionAbortedError("the membership is over")
        self.written += outgoing
        return []


class FakeTelemetry:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.acknowledged: list[Outgoing] = []
        self.events = 0
        self.rebalances: list[str] = []
        self.unsent: list[Record] = []
        self.failures: list[Exception] = []
        self.padded_tokens = 0
        self.aborted = 0

    def stage(self, name: str, elapsed_s: float) -> None:
        assert elapsed_s >= 0

    def window(self, records: int) -> None:
        assert records > 0

    def batch(self, rows: int, tokens: int, padded_tokens: int) -> None:
        assert rows <= tokens <= padded_tokens
        self.padded_tokens += padded_tokens

    def encoded(self, events: Sequence[Encoded]) -> None:
        self.events += len(events)

    def outcomes(self, outgoing: Sequence[Outgoing]) -> None:
        self.acknowledged += outgoing

    def transaction_aborted(self) -> None:
        self.aborted += 1

    def unsendable(self, record: Record) -> None:
        self.unsent.append(record)

    def model_failure(self, error: Exception) -> None:
        self.failures.append(error)

    def rebalance(self, kind: str) -> None:
        self.rebalances.append(kind)

    def revoked(self, elapsed_s: float) -> None:
        assert elapsed_s >= 0
