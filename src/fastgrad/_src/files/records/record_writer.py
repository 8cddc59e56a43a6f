"""``TFRecordWriter``: writes files of records."""

from __future__ import annotations

import zlib
from typing import Any, Self

from fastgrad._src.core.argument_checks import checked_integer, checked_path, refuse
from fastgrad._src.core.errors import FailedPreconditionError, NotFoundError
from fastgrad._src.files.formats.record_file import encode_record

_COMPRESSIONS = ("", "GZIP", "ZLIB")
_WINDOW_BITS = {"GZIP": zlib.MAX_WBITS | 16, "ZLIB": zlib.MAX_WBITS}


class TFRecordOptions:
    """How a file of records is compressed.

    Args:
        compression_type: ``"GZIP"``, ``"ZLIB"``, other options, or ``""`` or None for none.
        flush_mode, input_buffer_size, output_buffer_size, window_bits, compression_method: kept for TensorFlow's signature.
        compression_level: from 0 to 9, -1 for zlib's own.
        mem_level: from 1 to 9.
        compression_strategy: zlib's strategy.

    Raises:
        ValueError: an unknown compression.
    """

    def __init__(
        self,
        compression_type: Any = None,
        flush_mode: Any = None,
        input_buffer_size: Any = None,
        output_buffer_size: Any = None,
        window_bits: Any = None,
        compression_level: int | None = None,
        compression_method: Any = None,
        mem_level: int | None = None,
        compression_strategy: int | None = None,
    ) -> None:
        self.get_compression_type_string(compression_type)
        self.compression_type = compression_type
        self.flush_mode, self.window_bits, self.compression_method = flush_mode, window_bits, compression_method
        self.input_buffer_size, self.output_buffer_size = input_buffer_size, output_buffer_size
        self.compression_level, self.mem_level = compression_level, mem_level
        self.compression_strategy = compression_strategy

    @classmethod
    def get_compression_type_string(cls, options: Any) -> str:
        """Returns the name of the compression that ``options`` (an object or a name) set; ValueError for an unknown one."""
        if isinstance(options, TFRecordOptions):
            return cls.get_compression_type_string(options.compression_type)
        name = "" if options is None else options
        if name not in _COMPRESSIONS:
            raise ValueError(f'TFRecordOptions: Not a valid compression_type: "{options}"; use "GZIP", "ZLIB" or "".')
        return str(name)

    def _compressor(self) -> Any:
        """Returns zlib's compressor, None for no compression."""
        kind = self.get_compression_type_string(self)
        if not kind:
            return None
        numbers = {
            "compression_level": (self.compression_level, zlib.Z_DEFAULT_COMPRESSION),
            "mem_level": (self.mem_level, zlib.DEF_MEM_LEVEL),
            "compression_strategy": (self.compression_strategy, zlib.Z_DEFAULT_STRATEGY),
        }
        level, memory, strategy = [
            default if number is None else checked_integer("TFRecordOptions", name, number)
            for name, (number, default) in numbers.items()
        ]
        return zlib.compressobj(level, zlib.DEFLATED, _WINDOW_BITS[kind], memory, strategy)


class TFRecordWriter:
    """Writes records to a file, which TensorFlow and ``tf.data.TFRecordDataset`` read. Also a context, which closes the file.

    Args:
        path: the path of the file; an older one is replaced.
        options: ``"GZIP"``, ``"ZLIB"``, ``TFRecordOptions``, or None for no compression.

    Raises:
        TypeError: ``path`` is not a path.
        ValueError: an unknown compression.
        NotFoundError: the folder does not exist.
        FailedPreconditionError: there is a folder of this name.
        OSError: the file can't be written.
    """

    def __init__(self, path: Any, options: Any = None) -> None:
        name = checked_path("TFRecordWriter", "path", path)
        chosen = options if isinstance(options, TFRecordOptions) else TFRecordOptions(options)
        self._compressor = chosen._compressor()
        try:
            self._file = open(name, "wb")  # noqa: SIM115  # `close` closes it
        except FileNotFoundError:
            raise NotFoundError(f"TFRecordWriter: {name}; No such file or directory") from None
        except IsADirectoryError:
            raise FailedPreconditionError(f"TFRecordWriter: {name}; Is a directory") from None

    _file: Any = None

    def __del__(self) -> None:
        self.close()  # as TensorFlow's writer does, so that the last records are in the file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def write(self, record: Any) -> None:
        """Writes a record, bytes or a string.

        Raises:
            TypeError: another value.
            FailedPreconditionError: the writer is closed.
            OSError: the disk is full.
        """
        content = record.encode() if isinstance(record, str) else record
        if not isinstance(content, (bytes, bytearray, memoryview)):
            refuse("TFRecordWriter.write", "wants bytes; use numpy() or SerializeToString()", TypeError, record=record)
        framed = encode_record(bytes(content))
        self._open_file().write(self._compressor.compress(framed) if self._compressor else framed)

    def flush(self) -> None:
        """Passes buffered records to the operating system; FailedPreconditionError if the writer is closed."""
        file = self._open_file()
        if self._compressor:
            file.write(self._compressor.flush(zlib.Z_SYNC_FLUSH))
        file.flush()

    def close(self) -> None:
        """Writes the end of the file, and closes it."""
        file, self._file = self._file, None
        if file is not None:
            with file:
                if self._compressor:
                    file.write(self._compressor.flush())

    def _open_file(self) -> Any:
        if self._file is None:
            raise FailedPreconditionError("TFRecordWriter: Writer is closed.")
        return self._file
