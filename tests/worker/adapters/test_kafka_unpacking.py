"""Compressed batches: read as kafka-python reads them, and never unpacked whole."""

import tracemalloc
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.memory_records import MemoryRecordsBuilder

from worker.adapters.kafka_unpacking import RECORD_BYTES_MAX, StreamedBatch, _Batches, bound_reading

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


@given(
    st.lists(st.lists(st.integers(0, 400), min_size=1, max_size=40), min_size=1, max_size=3), st.integers(1, 3000)
)
def test_a_poll_ends_with_its_bytes(partitions: list[list[int]], bytes_max: int) -> None:
    """With the record that fills them, or with as many records as were asked for; and none is left out."""

    def append(drained: Any, part: Any, records_max: int, update_offsets: bool) -> int:
        taken = part.take(records_max)
        if taken:
            drained[part.topic_partition].extend(taken)
        return len(taken)

    consumer = SimpleNamespace(_fetcher=SimpleNamespace(PartitionRecords=Fetcher.PartitionRecords, _append=append))
    bound_reading(consumer, bytes_max)
    fetcher, waiting = consumer._fetcher, []
    for number, sizes in enumerate(partitions):
        buffer = batch(CODECS["lz4"], [(None, bytes(size), [("h", b"")] * (size % 3)) for size in sizes])
        waiting.append(fetcher.PartitionRecords(0, TopicPartition("in", number), MemoryRecords(buffer)))
    seen: list[tuple[int, int]] = []
    while waiting:
        drained: Any = defaultdict(list)
        left = 25
        while waiting and left > 0:  # as the client does
            if waiting[0]:
                left -= fetcher._append(drained, waiting[0], left, True)
            else:
                waiting.pop(0)
        brought = [record for records in drained.values() for record in records]
        sizes = [len(record.value) + 129 * len(record.headers) for record in brought]
        assert len(brought) <= 25
        assert sum(sizes[:-1]) < bytes_max
        seen += [(record.partition, record.offset) for record in brought]
    assert seen == [(number, offset) for number, sizes in enumerate(partitions) for offset in range(len(sizes))]


def test_what_comes_before_a_damaged_record_is_handed_over_first() -> None:
    """The error is the next poll's, so that everything before it is answered."""
    buffer = bytearray(batch(CODECS["gzip"], [(b"k", bytes(range(256)), [])] * 5))
    header = DefaultRecordBatch.HEADER_STRUCT.size
    buffer[header - 4 : header] = (6).to_bytes(4, "big")
    consumer = SimpleNamespace(_fetcher=SimpleNamespace(PartitionRecords=Fetcher.PartitionRecords, _append=None))
    bound_reading(consumer)
    part = consumer._fetcher.PartitionRecords(0, TopicPartition("in", 0), MemoryRecords(buffer), check_crcs=False)
    assert len(part.take(100)) == 5
    with pytest.raises(CorruptRecordError):
        part.take(100)
