"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Callable
from typing import Any, BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def write_atomically(path: Any, write: Callable[[BinaryIO], Any], overwrite: bool = True) -> None:
    """Gives the file ``path`` new contents, durably, or leaves it as it is.

    The contents go to ``.NAME.partial`` beside it, are forced to the disk, and take the place of the file in one
    step. A writer that was killed leaves that one stray file, which the next writer reuses; a second
    writer at the same time takes a name of its own.

    Args:
        path: where to write; a symbolic link is followed.
        write: writes the contents to an open binary file.
        overwrite: whether a file of this name may be replaced.

    Raises:
        FileExistsError: there is one, and ``overwrite`` is False.
        OSError: the folder is missing, the disk full, ``path`` a folder ...; the old file is untouched.
    """
    target = os.path.realpath(os.fspath(path))
    if os.path.isdir(target):
        raise IsADirectoryError(f"Cannot write the file {target!r}: there is a folder of this name.")
    if not os.path.isdir(os.path.dirname(target)):
        raise FileNotFoundError(
            errno.ENOENT, "Cannot write the file, its folder does not exist: No such file or directory", target
        )
    if not overwrite and os.path.exists(target):
        raise FileExistsError(f"The file {target!r} exists; pass overwrite=True to replace it.")
    file, partial = _open_partial(target)
    try:
        with file:
            file.truncate(0)
            write(file)
            file.flush()
            os.fsync(file.fileno())
            # While the file is open it is locked: nobody else writes to it before it is in place.
            os.replace(partial, target)
    except BaseException:
        _remove(partial)
        raise
    _sync_folder(os.path.dirname(target))


def _open_partial(target: str) -> tuple[BinaryIO, str]:
    folder, name = os.path.split(target)
    usual = os.path.join(folder, f".{name}.partial")
    if fcntl is not None:
        file = os.fdopen(os.open(usual, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        if _locked(file, usual):
            return file, usual
        file.close()
    unusual = os.path.join(folder, f".{name}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    return os.fdopen(os.open(unusual, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), "r+b"), unusual


def _locked(file: BinaryIO, path: str) -> bool:
    """Whether the file is ours alone, and still the one of this name: it may have been moved into place meanwhile."""
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        there = os.stat(path)
    except OSError:
        return False
    ours = os.fstat(file.fileno())
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # it was moved into place, or never made
        os.unlink(path)


def _sync_folder(folder: str) -> None:
    """Forces the new name to the disk, where folders can be synced."""
    if os.name == "nt":
        return
    descriptor = os.open(folder or ".", os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
