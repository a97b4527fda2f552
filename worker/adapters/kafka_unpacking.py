"""Reading bounded before it is done: kafka-python unpacks a whole compressed batch, and hands over whole polls.

A batch of a megabyte, which every broker takes, can hold a gigabyte of dots, and a poll of 512 records half of it.
Here a batch is unpacked one record at a time, and a poll ends with the bytes that it may bring.
"""

import gzip
import io
import struct
from collections.abc import Iterator
from typing import Any

import lz4.frame
import snappy
import zstandard
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch

from worker.adapters.kafka_private import OF_A_BATCH, look_for
from worker.core.records import HEADER_BYTES

POLL_BYTES_MAX = 16 * 2**20
RECORD_BYTES_MAX = 128 * 2**20
"""A larger record is not read: the worker ends and names it."""

_PIECE_BYTES = 2**20
_VARINT_BYTES_MAX = 5
_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES = 16  # the magic and two versions


def bound_reading(consumer: Any, poll_bytes_max: int = POLL_BYTES_MAX) -> None:
    """Let a `KafkaConsumer` unpack record by record, and end a poll when it brings `poll_bytes_max`."""
    look_for(OF_A_BATCH, DefaultRecordBatch)
    fetcher = consumer._fetcher  # noqa: SLF001 - no setting bounds what is unpacked
    append, left_bytes = fetcher._append, poll_bytes_max  # noqa: SLF001

    class PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc, name-defined]
        def _unpack_records(self, partition: Any, records: Any, *deserializers: Any) -> Any:
            return super()._unpack_records(partition, _Batches(records), *deserializers)

        def take(self, records_max: int) -> list[Any]:
            nonlocal left_bytes
            self._maybe_raise_next_inline_exception()
            taken: list[Any] = []
            try:
                while len(taken) < records_max and left_bytes > 0:
                    if (record := next(self.record_iterator, None)) is None:
                        break
                    taken.append(record)
                    left_bytes -= _size_bytes(record)
            except Exception as error:
                if not taken:
                    raise
                self._next_inline_exception = error  # for the next poll, as the client does
            return taken

    def append_until_full(drained: Any, part: Any, records_max: int, update_offsets: Any) -> int:
        nonlocal left_bytes
        left_bytes = left_bytes if drained else poll_bytes_max  # another poll
        taken: int = append(drained, part, records_max, update_offsets)
        return taken if left_bytes > 0 else records_max  # so many, it believes, and looks for no more

    fetcher.PartitionRecords = PartitionRecords
    fetcher._append = append_until_full  # noqa: SLF001


def _size_bytes(record: Any) -> int:
    """What a record of the client takes; a missing key, value or header counts there as -1."""
    sizes = (record.serialized_key_size, record.serialized_value_size, record.serialized_header_size)
    return int(sum(max(0, size) for size in sizes)) + HEADER_BYTES * len(record.headers)


class _Batches:
    """What the client asks for its next batch; a compressed one is unpacked piece by piece."""

    def __init__(self, records: Any) -> None:
        self._records = records

    def next_batch(self) -> Any:
        batch = self._records.next_batch()
        if isinstance(batch, DefaultRecordBatch) and batch.compression_type:
            return StreamedBatch(batch._buffer)  # noqa: SLF001
        return batch


class StreamedBatch(DefaultRecordBatch):  # type: ignore[misc]
    """A compressed batch that holds one unpacked record at a time."""

    def __init__(self, buffer: Any) -> None:
        super().__init__(buffer)
        self._stream: Any = None

    def _maybe_uncompress(self) -> None:
        if self._stream is None:
            self._stream = io.BufferedReader(_open(self.compression_type, bytes(self._buffer[self._pos :])))
            self._decompressed: bool = True

    def __next__(self) -> Any:
        try:
            if self._next_record_index < self._num_records:
                self._buffer: bytes = self._next_record()
                self._pos: int = 0
            else:
                self._end()
        except CorruptRecordError:
            raise
        except Exception as error:  # of five codecs, which share no base class
            raise CorruptRecordError(f"a batch can't be unpacked: {error!r}") from error
        return super().__next__()

    def _next_record(self) -> bytes:
        """A record with its length before it, as it stands in a batch that is not compressed."""
        prefix = bytearray()
        while not prefix or prefix[-1] & 0x80:
            prefix += self._exactly(1)
            if len(prefix) > _VARINT_BYTES_MAX:
                raise CorruptRecordError("a record's length is no number")
        zigzag = sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(prefix))
        length = (zigzag >> 1) ^ -(zigzag & 1)
        if not 0 <= length <= RECORD_BYTES_MAX:
            raise CorruptRecordError(f"it has {length} bytes, where {RECORD_BYTES_MAX} can be read")
        return bytes(prefix) + self._exactly(length)

    def _end(self) -> None:
        if self._stream.read(1):
            raise CorruptRecordError("a batch holds more than its records")

    def _exactly(self, size: int) -> bytes:
        """So many bytes; what is claimed is not allocated before it is there."""
        found = bytearray()
        while len(found) < size:
            if not (piece := self._stream.read(min(_PIECE_BYTES, size - len(found)))):
                raise CorruptRecordError("a batch ends within a record")
            found += piece
        return bytes(found)


def _open(codec: int, data: bytes) -> Any:
    """A raw stream of what a batch unpacks to."""
    if codec == DefaultRecordBatch.CODEC_GZIP:
        return gzip.GzipFile(fileobj=io.BytesIO(data))
    if codec == DefaultRecordBatch.CODEC_SNAPPY:
        return _Pieces(_unsnapped(data))
    if codec == DefaultRecordBatch.CODEC_LZ4:
        return lz4.frame.LZ4FrameFile(io.BytesIO(data))
    if codec == DefaultRecordBatch.CODEC_ZSTD:
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True)
    raise CorruptRecordError(f"a batch is compressed by codec {codec}, which is none of Kafka's")


def _unsnapped(data: bytes) -> Iterator[bytes]:
    """The blocks of Java's framing, or all at once: Snappy makes nothing more than 21 times smaller."""
    if not data.startswith(_XERIAL_MAGIC):
        yield snappy.decompress(data)
        return
    start = _XERIAL_HEADER_BYTES
    while start < len(data):
        (size,) = struct.unpack_from("!i", data, start)
        yield snappy.decompress(data[start + 4 : start + 4 + size])
        start += 4 + max(size, 0)


class _Pieces(io.RawIOBase):
    """A stream of pieces that come one after the other."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces, self._piece = pieces, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._piece:
            if (piece := next(self._pieces, None)) is None:
                return 0
            self._piece = memoryview(piece)
        size = min(len(buffer), len(self._piece))
        buffer[:size] = self._piece[:size]
        self._piece = self._piece[size:]
        return size
