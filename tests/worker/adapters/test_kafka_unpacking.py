"""Compressed batches: read as kafka-python reads them, and never unpacked whole."""

import itertools
import tracemalloc
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.errors import CorruptRecordError
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.memory_records import MemoryRecordsBuilder

from worker.adapters.kafka_unpacking import RECORD_BYTES_MAX, StreamedBatch, _Batches, _bounded

CODECS = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
texts = st.none() | st.binary(max_size=300)
records = st.lists(
    st.tuples(texts, texts, st.lists(st.tuples(st.text(max_size=5), texts), max_size=3)), min_size=1
)


def batch(codec: int, items: Any) -> bytes:
    builder = MemoryRecordsBuilder(magic=2, compression_type=codec, batch_size=10**9)
    for key, value, headers in items:
        assert builder.append(1000, key, value, headers)
    builder.close()
    return bytes(builder.buffer())


def unpacked(buffer: bytes) -> list[tuple[Any, ...]]:
    read = _Batches(MemoryRecords(buffer)).next_batch()
    return [(item.offset, item.timestamp, item.key, item.value, item.headers) for item in read]


@pytest.mark.parametrize("codec", [0, *CODECS.values()])
@given(items=records)
def test_records_are_those_that_the_client_reads(codec: int, items: Any) -> None:
    """Whatever the codec, keys, values, headers, offsets and times are the same."""
    buffer = batch(codec, items)
    plain = DefaultRecordBatch(buffer)
    assert plain.validate_crc()
    assert unpacked(buffer) == [(i.offset, i.timestamp, i.key, i.value, i.headers) for i in plain]


@pytest.mark.parametrize("codec", CODECS)
def test_a_batch_is_never_unpacked_whole(codec: str) -> None:
    """100 records of a megabyte of dots: a few megabytes at a time, where the client takes two hundred."""
    buffer = batch(CODECS[codec], [(b"k", b"." * 2**20, [])] * 100)
    tracemalloc.start()
    sizes = [len(item.value) for item in StreamedBatch(buffer)]
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sizes == [2**20] * 100
    assert peak_bytes < 20 * 2**20


@pytest.mark.parametrize("codec", CODECS.values())
def test_a_damaged_batch_is_told_as_such(codec: int) -> None:
    """Cut off, of other bytes, with too many records or too few: the client's own error, and no other."""
    buffer = bytearray(batch(codec, [(b"k", bytes(range(256)) * 20, [])] * 5))
    header = DefaultRecordBatch.HEADER_STRUCT.size
    count = slice(header - 4, header)
    for spoilt in (
        buffer[: header + 40],
        buffer[:header] + b"\x00\xff" * 50,
        buffer[: count.start] + (6).to_bytes(4, "big") + buffer[count.stop :],
        buffer[: count.start] + (4).to_bytes(4, "big") + buffer[count.stop :],
    ):
        with pytest.raises(CorruptRecordError):
            list(StreamedBatch(spoilt))


def test_a_record_too_large_to_read_is_refused_before_it_is_unpacked() -> None:
    """Its length says so; the message does too, for the operator who has to look at it."""
    buffer = batch(CODECS["zstd"], [(b"k", b"." * (RECORD_BYTES_MAX + 1), [])])
    tracemalloc.start()
    with pytest.raises(CorruptRecordError, match=f"where {RECORD_BYTES_MAX} can be read"):
        list(StreamedBatch(buffer))
    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 50), st.integers(0, 3)), max_size=200), st.data())
def test_a_poll_ends_with_its_bytes(items: list[tuple[int, int, int]], data: st.DataObject) -> None:
    """It brings at most so many and sixteen records more, none is left out, and an empty poll ends nothing."""
    queues: list[list[Any]] = [[], []]
    for number, size, headers in items:
        sizes = {"serialized_key_size": -1, "serialized_value_size": size, "serialized_header_size": 0}
        queues[number].append(SimpleNamespace(**sizes, headers=[("h", b"")] * headers))

    def append(drained: Any, part: Any, records_max: int, update: bool) -> int:
        taken, queues[part.number] = queues[part.number][:records_max], queues[part.number][records_max:]
        if taken:
            drained[part.topic_partition] += taken
        return len(taken)

    bytes_max = data.draw(st.integers(1, 1000))
    bounded, seen = _bounded(append, bytes_max), 0
    while any(queues):
        drained: Any = defaultdict(list)
        left = 50
        for number in itertools.cycle((0, 1)):
            if left <= 0 or not any(queues):
                break
            left -= bounded(drained, SimpleNamespace(number=number, topic_partition=number), left, True)
        brought = [item for part in drained.values() for item in part]
        total = sum(item.serialized_value_size + 128 * len(item.headers) for item in brought)
        assert len(brought) <= 50
        assert total < bytes_max + 16 * (50 + 3 * 128)
        seen += len(brought)
    assert seen == len(items)
