"""Object code on disk: one file a kernel, checked before use, written atomically, bounded in size.

An entry is `magic | sha256 of all that follows | lengths | key | symbols | object code`. The key is the full text of
what the code depends on; the file's name is its hash. A bad entry counts as absent. A folder that cannot be used costs
one line on stderr and nothing else.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from typing import NamedTuple

from fastgrad.kernels.building.body import digest

MAGIC = b"fastgrad kernel 1\n"
SUFFIX = ".kernel"
WRITING = "writing-"
LIMIT_BYTES = 256 << 20
_LENGTHS = struct.Struct("<QQQ")
_DAY = 86400.0

_warnings_given: list[str] = []


class Entry(NamedTuple):
    """What an entry keeps: object code, and the names it leaves undefined."""

    code: bytes
    symbols: tuple[str, ...]


def cache_folder() -> str | None:
    """`FASTGRAD_CACHE_DIR`, else the platform's cache folder; None where there is no home folder either."""
    chosen = os.environ.get("FASTGRAD_CACHE_DIR")
    if chosen:
        return chosen
    from platformdirs import user_cache_dir

    folder = user_cache_dir("fastgrad")
    return folder if os.path.isabs(folder) else None


def load(key: str) -> Entry | None:
    """The entry of a key, or None if there is none that is whole and for exactly this key."""
    folder = cache_folder()
    if folder is None:
        return None
    path = _path(folder, key)
    try:
        with open(path, "rb") as file:
            blob = file.read()
    except OSError:
        return None
    entry = _unpack(blob, key)
    if entry is not None:
        _touch(path)
    return entry


def store(key: str, entry: Entry) -> None:
    """Write an entry so that other processes see all of it or nothing; a failure warns once."""
    folder = cache_folder()
    if folder is None:
        _warn("there is no home folder")
        return
    try:
        os.makedirs(folder, exist_ok=True)
        _write(_path(folder, key), _pack(key, entry))
        _evict(folder)
    except OSError as error:
        _warn(f"{folder}: {error.strerror or error}")


def contents() -> tuple[int, int]:
    """How many entries the folder has, and their bytes."""
    files = _files()
    return len(files), sum(size for _, size in files)


def clear() -> tuple[int, int, list[str]]:
    """Removes all entries, and what writers left; how many those were, their bytes, and what could not be removed and why.

    Kernels that a process has loaded stay with it.
    """
    removed, freed, errors = 0, 0, []
    for path, size in _files(leftovers=True):
        try:
            os.unlink(path)
        except FileNotFoundError:
            continue  # another process was quicker
        except OSError as error:
            errors.append(f"{path}: {error.strerror or error}")
            continue
        if path.endswith(SUFFIX):
            removed += 1
            freed += size
    return removed, freed, errors


def _files(leftovers: bool = False) -> list[tuple[str, int]]:
    """The paths and sizes of all entries, and also of files that writers left; none where there is no such folder."""
    folder = cache_folder()
    if folder is None or not os.path.isdir(folder):
        return []
    found = []
    with os.scandir(folder) as files:
        for file in files:
            wanted = file.name.endswith(SUFFIX) or (leftovers and file.name.startswith(WRITING))
            try:
                if wanted and file.is_file(follow_symlinks=False):
                    found.append((file.path, file.stat(follow_symlinks=False).st_size))
            except FileNotFoundError:
                continue  # another process removed it
    return found


def _path(folder: str, key: str) -> str:
    return os.path.join(folder, digest(key.encode()) + SUFFIX)


def _pack(key: str, entry: Entry) -> bytes:
    parts = key.encode(), "\n".join(entry.symbols).encode(), entry.code
    rest = _LENGTHS.pack(*map(len, parts)) + b"".join(parts)
    return MAGIC + digest(rest).encode() + rest


def _unpack(blob: bytes, key: str) -> Entry | None:
    start = len(MAGIC) + 64
    rest = blob[start:]
    if not blob.startswith(MAGIC) or digest(rest).encode() != blob[len(MAGIC) : start]:
        return None
    key_length, symbols_length, code_length = _LENGTHS.unpack_from(rest)
    symbols_at = _LENGTHS.size + key_length
    code_at = symbols_at + symbols_length
    if rest[_LENGTHS.size : symbols_at] != key.encode() or len(rest) != code_at + code_length:
        return None
    return Entry(rest[code_at:], tuple(rest[symbols_at:code_at].decode().split()))


def _write(path: str, blob: bytes) -> None:
    import tempfile

    handle, temporary = tempfile.mkstemp(prefix=WRITING, dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(blob)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _touch(path: str) -> None:
    """Note a use, at most once a day, for the choice of what to remove."""
    try:
        if time.time() - os.stat(path).st_mtime > _DAY:
            os.utime(path)
    except OSError:
        return  # a folder that is only readable still serves


def _evict(folder: str) -> None:
    """Remove the entries unused for longest while all are over the limit, and what killed writers left."""
    entries, total, now = [], 0, time.time()
    with os.scandir(folder) as files:
        for file in files:
            try:
                status = file.stat(follow_symlinks=False)
                if file.name.endswith(SUFFIX) and file.is_file(follow_symlinks=False):
                    entries.append((status.st_mtime, status.st_size, file.path))
                    total += status.st_size
                elif file.name.startswith(WRITING) and now - status.st_mtime > _DAY:
                    os.unlink(file.path)
            except FileNotFoundError:
                continue  # another process removed it
    for _, size, path in sorted(entries):
        if total <= LIMIT_BYTES:
            break
        try:
            os.unlink(path)
        except FileNotFoundError:
            continue
        total -= size


def _warn(reason: str) -> None:
    if not _warnings_given:
        _warnings_given.append(reason)
        print(
            f"fastgrad: cannot use the kernel cache ({reason}); kernels are compiled again in every process. "
            "Set FASTGRAD_CACHE_DIR to a folder that can be written.",
            file=sys.stderr,
        )
