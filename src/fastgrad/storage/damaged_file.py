"""Errors of files that are not what they should be: one class, with the name of the file, whatever a parser raises."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import Any, BinaryIO

_LONGEST_REASON = 500


@contextlib.contextmanager
def parsing(path: Any, what: str, error_class: type[Exception] = ValueError) -> Iterator[None]:
    """Turns what parsers raise for hostile contents into one class: zip, zlib, struct, lookup, recursion and other errors.

    Errors of the operating system and MemoryError pass.

    Args:
        path: of the file.
        what: the file should be, with its article: ``".keras file"``.
        error_class: what is raised.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # no parser lists all that damage makes it raise
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # EINVAL: the contents name a place before their beginning
        name = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else str(path)
        raise error_class(f"{name!r} is no intact {what}: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """What an error says, or its class where it says nothing, shortened."""
    text = str(error) if isinstance(error, (ValueError, OSError, RuntimeError)) else f"{type(error).__name__}: {error}"
    text = text or type(error).__name__
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]} …"


def open_regular(path: Any) -> BinaryIO:
    """A file open for reading.

    Raises:
        OSError: it cannot be opened, or it is a pipe or a device, which might never end.
    """
    file = open(path, "rb", opener=_open_at_once)  # noqa: SIM115  # the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "no regular file, but a pipe or a device", os.fsdecode(path))
    return file


def _open_at_once(path: str, flags: int) -> int:
    """A descriptor. Without the flag, opening a pipe waits until another process writes to it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
