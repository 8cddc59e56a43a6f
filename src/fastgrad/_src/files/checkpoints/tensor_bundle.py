"""Checkpoints of TensorFlow: a sorted table of entries (``.index``), and files with the bytes of the tensors (``.data-…``).

The table has the format of LevelDB: blocks of keys that share prefixes, an index block, and a footer.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.damaged_file import open_regular, parser_errors_as_one
from fastgrad._src.files.formats.record_file import crc32c
from fastgrad._src.files.records.saved_model_messages import parse_message
from fastgrad._src.files.records.string_tensors import dtype_of_enum
from fastgrad._src.structures.strings.rows import array_of_elements

_FOOTER_SIZE = 48
_MAGIC = bytes.fromhex("57fb808b247547db")
_TRAILER_SIZE = 5
_MASK_DELTA = 0xA282EAD8
_LARGEST_INDEX = 1 << 28
_HIGHEST_RANK = 32
_KEYS_THAT_SHARE = 16  # TensorFlow writes each 16th key in full


class TensorBundle:
    """The tensors of a checkpoint by key.

    Args:
        prefix: the path without ``.index``.

    Raises:
        OSError: the index can't be opened.
        ValueError: the index is damaged, or compressed.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        path = prefix + ".index"
        with parser_errors_as_one(path, "index of a checkpoint"):
            with open_regular(path) as file:
                content = file.read(_LARGEST_INDEX + 1)
            if len(content) > _LARGEST_INDEX:
                raise ValueError(f"it has more than {_LARGEST_INDEX} bytes")
            entries = dict(_table_entries(content))
            header = parse_message("BundleHeaderProto", entries.pop(b"", b""))
            if header.endianness:
                raise ValueError("its numbers are big-endian; only little-endian ones are read")
            self._shard_count = header.num_shards
            self._entries = {
                key.decode(): parse_message("BundleEntryProto", value)
                for key, value in entries.items()
                if b"\0" not in key
            }

    def keys(self) -> list[str]:
        """Returns the keys of all tensors."""
        return list(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def read(self, key: str) -> np.ndarray:
        """Returns the tensor ``key``; strings are bytes objects.

        Raises:
            OSError: the file of its bytes can't be opened.
            ValueError: there is no such tensor, or its bytes are damaged.
        """
        path = f"{self._prefix}.index"
        if key not in self._entries:
            raise ValueError(f"{path!r} has no tensor {key!r:.200}")
        entry = self._entries[key]
        if 0 <= entry.shard_id < self._shard_count:
            path = f"{self._prefix}.data-{entry.shard_id:05d}-of-{self._shard_count:05d}"
        with parser_errors_as_one(path, "data of a checkpoint"):
            return self._read(path, key, entry)

    def _read(self, path: str, key: str, entry: Any) -> np.ndarray:
        sizes = [dim.size for dim in entry.shape.dim]
        if entry.slices:
            raise ValueError(f"{key!r:.200} is stored in slices; only whole tensors are read")
        dtype = dtype_of_enum("load", entry.dtype)
        count = math.prod(sizes)
        if min(sizes, default=0) < 0 or entry.shape.unknown_rank or len(sizes) > _HIGHEST_RANK:
            raise ValueError(f"{key!r:.200} has the shape {sizes!r:.200}")
        with open_regular(path) as file:
            file_size = os.fstat(file.fileno()).st_size
            if not 0 <= entry.offset <= entry.offset + entry.size <= file_size:
                raise ValueError(f"{key!r:.200} has bytes {entry.offset} + {entry.size} of a file of {file_size}")
            file.seek(entry.offset)
            content = file.read(entry.size)
        if dtype is dtypes.string:
            strings, checksum = _decode_string_tensor(content, count)
            array = array_of_elements(strings, sizes)
        else:
            if len(content) != count * dtype.numpy.itemsize:
                raise ValueError(f"{key!r:.200} has {len(content)} bytes for {dtype.name}{sizes}")
            array, checksum = np.frombuffer(content, dtype.numpy).reshape(sizes), crc32c(content)
        if entry.crc32c != _mask_checksum(checksum):
            raise ValueError(f"the checksum of {key!r:.200} is wrong")
        return array


def _decode_string_tensor(content: bytes, count: int) -> tuple[list[bytes], int]:
    """Returns the strings and the checksum of a string tensor: lengths, the checksum of the lengths, then the bytes."""
    if count > len(content):
        raise ValueError(f"{len(content)} bytes hold no {count} strings")
    lengths, position = [], 0
    for _ in range(count):
        length, position = _varint(content, position)
        lengths.append(length)
    # The checksums are of the lengths as numbers of 4 bytes; longer strings have 8.
    numbers = b"".join([length.to_bytes(4 if length < 1 << 32 else 8, "little") for length in lengths])
    stored = content[position : position + 4]
    if int.from_bytes(stored, "little") != _mask_checksum(crc32c(numbers)):
        raise ValueError("the checksum of the lengths of strings is wrong")
    position += 4
    if sum(lengths) != len(content) - position:
        raise ValueError("the lengths of strings do not fit their bytes")
    joined = content[position:]
    strings = []
    for length in lengths:
        strings.append(content[position : position + length])
        position += length
    return strings, crc32c(numbers + stored + joined)


def _mask_checksum(checksum: int) -> int:
    return ((checksum >> 15 | checksum << 17) + _MASK_DELTA) & 0xFFFFFFFF


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """Returns a number in groups of 7 bits, and the position after it."""
    number = 0
    for shift in range(0, 70, 7):
        byte = content[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
    raise ValueError("a number has more than 10 bytes")


def _table_entries(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields the keys and values of a table."""
    footer = content[-_FOOTER_SIZE:]
    if len(footer) < _FOOTER_SIZE or footer[-8:] != _MAGIC:
        raise ValueError("it has no footer of a table")
    _, position = _varint(footer, _varint(footer, 0)[1])  # after the handle of the block of metadata
    offset, position = _varint(footer, position)
    size, _ = _varint(footer, position)
    last, key_bytes = b"", 0
    for _, handle in _block_entries(content, offset, size):
        offset, position = _varint(handle, 0)
        for key, value in _block_entries(content, offset, _varint(handle, position)[0]):
            key_bytes += len(key)
            if key < last or (key == last and key):
                raise ValueError("its keys are not in order")
            if key_bytes > _KEYS_THAT_SHARE * len(content):
                raise ValueError("its keys share more bytes than TensorFlow's do")
            last = key
            yield key, value


def _block_entries(content: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    block, trailer = content[offset : offset + size], content[offset + size : offset + size + _TRAILER_SIZE]
    if len(block) != size or len(trailer) != _TRAILER_SIZE or size < 4:
        raise ValueError("a block is cut off")
    if int.from_bytes(trailer[1:], "little") != _mask_checksum(crc32c(block + trailer[:1])):
        raise ValueError("the checksum of a block is wrong")
    if trailer[0]:
        raise ValueError("a block is compressed; TensorFlow writes indices without compression")
    end = size - 4 - 4 * int.from_bytes(block[-4:], "little")
    key, position = b"", 0
    while position < end:
        shared, position = _varint(block, position)
        own, position = _varint(block, position)
        length, position = _varint(block, position)
        if shared > len(key) or position + own + length > end:
            raise ValueError("an entry does not fit its block")
        key = key[:shared] + block[position : position + own]
        position += own
        yield key, block[position : position + length]
        position += length
