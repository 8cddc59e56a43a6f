"""Writing of PNG files (ISO/IEC 15948)."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from fastgrad._src.kernels.elementwise.png import filter_png_rows

_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG's numbers for gray, gray with alpha, RGB and RGB with alpha, by the number of channels."""


def encode_png_file(pixels: np.ndarray, compression: int = -1) -> bytes:
    """Returns a PNG file.

    Args:
        pixels: uint8 or uint16, shape (height, width, channels) with 1 to 4 channels.
        compression: zlib's level, from 0 to 9; -1 for its default.
    """
    height, width, channels = pixels.shape
    depth = pixels.dtype.itemsize
    rows = pixels.astype(f">u{depth}").reshape(height, -1).view(np.uint8)
    pixel = channels * depth
    padded = np.zeros((height + 1, rows.shape[1] + pixel), np.uint8)
    padded[1:, pixel:] = rows
    lines = np.empty((height, rows.shape[1] + 1), np.uint8)
    filter_png_rows[()](padded, lines, rows.shape[1], pixel, height)
    header = struct.pack(">IIBBBBB", width, height, 8 * depth, _COLOR_TYPES[channels], 0, 0, 0)
    deflate = zlib.compressobj(compression, strategy=zlib.Z_FILTERED)
    data = deflate.compress(lines.tobytes()) + deflate.flush()
    chunks = (b"IHDR", header), (b"IDAT", data), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join([_chunk(kind, data) for kind, data in chunks])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
