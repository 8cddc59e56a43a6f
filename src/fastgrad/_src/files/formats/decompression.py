"""Decompressed streams of files: checksums are verified, and a truncated file raises an error."""

from __future__ import annotations

import io
import zlib
from typing import Any, BinaryIO

_BYTES_PER_READ = 1 << 17
_WINDOW_BITS = {"zlib": zlib.MAX_WBITS, "gzip": zlib.MAX_WBITS | 16}
_MAGIC_NUMBERS = ((b"\x1f\x8b", "gzip"), (b"BZh", "bz2"), (b"\xfd7zXZ\0", "xz"))


def compression_of(file: BinaryIO) -> str | None:
    """Returns ``"gzip"``, ``"bz2"`` or ``"xz"`` from the first bytes of ``file``, None for other files."""
    first_bytes = file.read(6)
    file.seek(0)
    return next(
        (compression for magic_number, compression in _MAGIC_NUMBERS if first_bytes.startswith(magic_number)), None
    )


def decompressed(file: BinaryIO, kind: str) -> Any:
    """Returns a binary stream of the decompressed contents of ``file``; for zlib and gzip, closing it closes ``file``.

    Reading raises EOFError for a truncated file, and zlib.error, lzma.LZMAError or OSError for a damaged file.

    Args:
        file: open for reading.
        kind: ``"zlib"``, ``"gzip"``, ``"bz2"`` or ``"xz"``.
    """
    if kind in _WINDOW_BITS:
        return io.BufferedReader(_InflatedStream(file, _WINDOW_BITS[kind]), _BYTES_PER_READ)
    if kind == "bz2":
        import bz2

        return bz2.BZ2File(file)
    import lzma

    return lzma.LZMAFile(file)


class _InflatedStream(io.RawIOBase):
    """Decompressed contents of one or more concatenated deflate streams.

    Args:
        file: an open file.
        window: zlib's ``wbits``, which also selects the gzip or zlib header.
    """

    def __init__(self, file: BinaryIO, window: int) -> None:
        self._file, self._window = file, window
        self._start_over()

    def _start_over(self) -> None:
        self._decompressor: Any = zlib.decompressobj(self._window)
        self._rest, self._place = b"", 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to a position of the decompressed contents; backwards by decompression from the start."""
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("the length of compressed contents is not known")
        target = offset + (self._place if whence == io.SEEK_CUR else 0)
        if target < self._place:
            self._file.seek(0)
            self._start_over()
        while self._place < target and self.read(min(_BYTES_PER_READ, target - self._place)):
            pass
        return self._place

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._decompressor.eof:
                self._rest = (self._rest or self._file.read(_BYTES_PER_READ)).lstrip(
                    b"\0"
                )  # files may be padded with zeros
                if not self._rest:
                    return 0
                self._decompressor = zlib.decompressobj(self._window)
            chunk = self._rest or self._file.read(_BYTES_PER_READ)
            data = self._decompressor.decompress(chunk, len(buffer))
            self._rest = (
                self._decompressor.unused_data if self._decompressor.eof else self._decompressor.unconsumed_tail
            )
            if data:
                buffer[: len(data)] = data
                self._place += len(data)
                return len(data)
            if not chunk and not self._decompressor.eof:
                raise EOFError("Compressed file ended before the end-of-stream marker was reached")

    def close(self) -> None:
        self._file.close()
        super().close()
