"""Atomic writes: after a crash, a file has its old contents or its new contents, never a part."""

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
    """Replaces the contents of the file ``path`` durably, or leaves the file unchanged.

    The contents go to ``.NAME.partial`` in the same folder and are synced to the disk; then a rename replaces the file.
    A killed writer leaves that partial file, and the next writer reuses it. A concurrent writer uses another name.

    Args:
        path: the target file; symbolic links are followed.
        write: writes the contents to an open binary file.
        overwrite: whether an existing file may be replaced.

    Raises:
        FileExistsError: the file exists, and ``overwrite`` is False.
        OSError: the folder is missing, the disk is full, ``path`` is a folder ...; the old file is unchanged.
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
    file, partial_path = _open_partial_file(target)
    try:
        with file:
            file.truncate(0)
            write(file)
            file.flush()
            os.fsync(file.fileno())
            # The open file is locked, so no other process writes to it before the rename.
            os.replace(partial_path, target)
    except BaseException:
        _remove_file(partial_path)
        raise
    _sync_folder(os.path.dirname(target))


def _open_partial_file(target: str) -> tuple[BinaryIO, str]:
    folder, name = os.path.split(target)
    usual_path = os.path.join(folder, f".{name}.partial")
    if fcntl is not None:
        file = os.fdopen(os.open(usual_path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        if _is_locked(file, usual_path):
            return file, usual_path
        file.close()
    unique_path = os.path.join(folder, f".{name}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    return os.fdopen(os.open(unique_path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), "r+b"), unique_path


def _is_locked(file: BinaryIO, path: str) -> bool:
    """True if this process locks ``file`` and ``path`` still names it; another writer may have renamed it meanwhile."""
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        path_status = os.stat(path)
    except OSError:
        return False
    file_status = os.fstat(file.fileno())
    return (path_status.st_dev, path_status.st_ino) == (file_status.st_dev, file_status.st_ino)


def _remove_file(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # the file was renamed, or never created
        os.unlink(path)


def _sync_folder(folder: str) -> None:
    """Syncs the folder, and so the new name, to the disk; does nothing on Windows."""
    if os.name == "nt":
        return
    descriptor = os.open(folder or ".", os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
