"""Errors of damaged files: one error class with the file name, for all exceptions that a parser raises."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import Any, BinaryIO

_MAX_REASON_CHARACTERS = 500


@contextlib.contextmanager
def parser_errors_as_one(path: Any, file_kind: str, error_class: type[Exception] = ValueError) -> Iterator[None]:
    """Converts all errors of a parser, for damaged or hostile contents, to ``error_class`` with the file's name.

    These are zip, zlib, struct, lookup, recursion and other errors. Errors of the operating system and MemoryError pass
    unchanged.

    Args:
        path: the path of the file.
        file_kind: the expected kind of file, without article: ``".keras file"``.
        error_class: the class of the raised error.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # parsers do not document all errors that damaged input causes
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # EINVAL means a seek before the beginning of the file, caused by damaged contents
        name = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else str(path)
        raise error_class(f"{name!r} is no intact {file_kind}: {error_message(error)}") from error


def error_message(error: BaseException) -> str:
    """Returns the message of the exception ``error``, shortened; its class name if there is no message."""
    text = str(error) if isinstance(error, (ValueError, OSError, RuntimeError)) else f"{type(error).__name__}: {error}"
    text = text or type(error).__name__
    return text if len(text) <= _MAX_REASON_CHARACTERS else f"{text[:_MAX_REASON_CHARACTERS]} …"


def open_regular(path: Any) -> BinaryIO:
    """Opens the regular file ``path`` for reading.

    Raises:
        OSError: the file cannot be opened, or is a pipe or a device, which might never end.
    """
    file = open(path, "rb", opener=_open_without_blocking)  # noqa: SIM115  # the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "no regular file, but a pipe or a device", os.fsdecode(path))
    return file


def _open_without_blocking(path: str, flags: int) -> int:
    """Opens ``path`` without blocking: otherwise opening a pipe waits until another process writes to it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
