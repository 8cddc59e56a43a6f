"""Files of records: TFRecord files and TensorBoard's event files.

A record is its length (8 bytes, little-endian), a checksum of the length, its bytes, and a checksum of these. A checksum is a CRC-32C,
rotated and shifted as TensorFlow does.
"""

from __future__ import annotations

import functools
import os
import stat
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from fastgrad._src.kernels.hashing import checksums

_POLYNOMIAL = 0x82F63B78
_BYTES_PER_READ = 1 << 20
_LARGEST_DEFLATE_RATIO = 1040
"""Deflate packs 1,032 bytes into one at most."""


@functools.cache
def _crc_tables() -> np.ndarray:
    """Returns the table whose entry [k, v] is the CRC of the byte v before k zero bytes, from the state 0; shape (8, 256)."""
    row = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        row = np.where(row & 1, (row >> 1) ^ np.uint32(_POLYNOMIAL), row >> 1)
    rows = [row]
    for _ in range(7):
        rows.append(row[rows[-1] & 0xFF] ^ (rows[-1] >> 8))
    return np.array(rows)


def crc32c(data: bytes) -> int:
    """Returns the CRC-32C (Castagnoli) of ``data``."""
    out = np.empty(1, np.uint32)
    checksums.crc32c[()](np.frombuffer(data, np.uint8), _crc_tables(), out, len(data))
    return int(out[0])


def _checksum(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def encode_record(content: bytes) -> bytes:
    """Returns a record with its length and checksums, to be written in one call."""
    length = struct.pack("<Q", len(content))
    return b"".join([length, _checksum(length), content, _checksum(content)])


def read_records(file: BinaryIO, packed_size: int | None) -> Iterator[bytes]:
    """Yields the records of an open file.

    Args:
        file: gives the bytes of records, decompressed.
        packed_size: the size of the compressed file; None if ``file`` is not compressed.

    Raises:
        ValueError: a checksum is wrong, or a record is cut off. No more is read than the file can hold.
    """
    position, most_bytes = 0, _content_size_limit(file, packed_size)
    while header := _read(file, 12):
        if len(header) < 12:
            raise ValueError(f"truncated record at {position}: its header has {len(header)} of 12 bytes.")
        if _checksum(header[:8]) != header[8:]:
            raise ValueError(f"corrupted record at {position} (Is this even a TFRecord file?)")
        (length,) = struct.unpack("<Q", header[:8])
        if most_bytes is not None and length > most_bytes - position:
            raise ValueError(f"truncated record at {position}: it should have {length} bytes.")
        content, checksum = _read(file, length), _read(file, 4)
        if len(content) < length or len(checksum) < 4:
            raise ValueError(f"truncated record at {position}: it should have {length} bytes.")
        if _checksum(content) != checksum:
            raise ValueError(f"corrupted record at {position + 12}: its checksum is wrong.")
        yield content
        position += length + 16


def _content_size_limit(file: BinaryIO, packed_size: int | None) -> int | None:
    """Returns a limit on the size of the contents; None for pipes and devices."""
    if packed_size is not None:
        return packed_size * _LARGEST_DEFLATE_RATIO
    status = os.fstat(file.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _read(file: BinaryIO, count: int) -> bytes:
    """Reads ``count`` bytes, or all that are left. Memory is taken for bytes that are there only."""
    chunks: list[bytes] = []
    while count > 0 and (chunk := file.read(min(count, _BYTES_PER_READ))):
        chunks.append(chunk)
        count -= len(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
