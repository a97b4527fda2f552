"""The variables that TensorFlow saved.

They are one file of bytes and one index: a table in LevelDB's format (blocks of keys that share prefixes), whose
values say where each variable lies. The only library that reads it is TensorFlow itself, which is larger than the
weights; what is needed of the two formats is on this page. Formats: `doc/table_format.md` of LevelDB, and
`tensor_bundle.proto` of TensorFlow.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from dev.samples.packages import ConversionError

Weights = dict[str, NDArray[np.float32]]

_MAGIC = 0xDB4775248B80FB57  # the last eight bytes of a table
_FOOTER, _FLOAT = 48, 1
_SCHEMA = """
name: "tensor_bundle" package: "saved"
message_type { name: "Dim" field { name: "size" number: 1 type: TYPE_INT64 } }
message_type { name: "Shape"
  field { name: "dim" number: 2 type: TYPE_MESSAGE type_name: ".saved.Dim" label: LABEL_REPEATED } }
message_type { name: "Entry"
  field { name: "dtype" number: 1 type: TYPE_INT32 }
  field { name: "shape" number: 2 type: TYPE_MESSAGE type_name: ".saved.Shape" }
  field { name: "offset" number: 4 type: TYPE_INT64 }
  field { name: "size" number: 5 type: TYPE_INT64 } }
"""


def variables(index: Path, data: Path) -> Weights:
    """Every float32 variable by its name in the graph.

    Args:
        index: `variables.index`.
        data: `variables.data-00000-of-00001`, the only shard; read as it is needed.

    Raises:
        ConversionError: If the index is no uncompressed table of variables, or does not fit the data.
    """
    content = index.read_bytes()
    if len(content) < _FOOTER or struct.unpack("<Q", content[-8:])[0] != _MAGIC:
        raise ConversionError(f"{index.name} is no table of variables")
    new_entry = entry_class()
    found = {}
    try:
        values = np.memmap(data, np.uint8, "r")
        for name, value in _table(content):
            entry = new_entry.FromString(value)
            if name and entry.dtype == _FLOAT:  # the one without a name is the table's own header
                shape = [dim.size for dim in entry.shape.dim]
                found[name.decode()] = values[entry.offset : entry.offset + entry.size].view("<f4").reshape(shape)
    except (IndexError, ValueError, DecodeError, struct.error) as error:
        raise ConversionError(f"{index.name} and {data.name} are damaged: {error}") from error
    return found


def entry_class() -> Any:
    """The message that says where a variable lies."""
    schema = text_format.Parse(_SCHEMA, descriptor_pb2.FileDescriptorProto())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(schema)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("saved.Entry"))


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values. The footer names the block with the places of all others, after that of the facts."""
    footer = content[-_FOOTER:]
    _, at = _place(footer, 0)
    for _, block in _block(content, _place(footer, at)[0]):
        yield from _block(content, _place(block, 0)[0])


def _block(content: bytes, place: tuple[int, int]) -> Iterator[tuple[bytes, bytes]]:
    start, size = place
    if content[start + size] != 0:
        raise ValueError("a compressed block, which TensorFlow does not write")
    block = content[start : start + size]
    (restarts,) = struct.unpack("<I", block[-4:])
    at, key = 0, b""
    while at < size - 4 * (restarts + 1):
        shared, at = _varint(block, at)
        unshared, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + unshared]
        at += unshared
        yield key, block[at : at + length]
        at += length


def _place(content: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Where a block starts and its size; and where that ends."""
    start, at = _varint(content, at)
    size, at = _varint(content, at)
    return (start, size), at


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the last byte below 128; and where it ends."""
    number = shift = 0
    while True:
        byte = content[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004
            return number, at
