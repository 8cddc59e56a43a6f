"""Object code on disk: one file a kernel, checked before use, written atomically, bounded in size.

An entry is `magic | sha256 of all that follows | lengths | key | symbols | object code`. The key is the full text of
what the code depends on; the file's name is its hash. A bad entry counts as absent. A folder that cannot be used costs
one line on stderr and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

MAGIC = b"fastgrad kernel 1\n"
SUFFIX = ".kernel"
LIMIT_BYTES = 256 << 20
_LENGTHS = struct.Struct("<QQQ")
_DAY = 86400.0

_warnings_given: list[str] = []


class Entry(NamedTuple):
    """What an entry keeps: object code, and the names it leaves undefined."""

    code: bytes
    symbols: tuple[str, ...]


def cache_folder() -> Path | None:
    """`FASTGRAD_CACHE_DIR`, else the platform's cache folder; None where there is no home folder either."""
    chosen = os.environ.get("FASTGRAD_CACHE_DIR")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_dir

    folder = Path(user_cache_dir("fastgrad"))
    return folder if folder.is_absolute() else None


def load(key: str) -> Entry | None:
    """The entry of a key, or None if there is none that is whole and for exactly this key."""
    folder = cache_folder()
    if folder is None:
        return None
    path = _path(folder, key)
    try:
        blob = path.read_bytes()
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
        folder.mkdir(parents=True, exist_ok=True)
        _write(_path(folder, key), _pack(key, entry))
        _evict(folder)
    except OSError as error:
        _warn(f"{folder}: {error.strerror or error}")


def _path(folder: Path, key: str) -> Path:
    return folder / (hashlib.sha256(key.encode()).hexdigest() + SUFFIX)


def _pack(key: str, entry: Entry) -> bytes:
    parts = key.encode(), "\n".join(entry.symbols).encode(), entry.code
    rest = _LENGTHS.pack(*map(len, parts)) + b"".join(parts)
    return MAGIC + hashlib.sha256(rest).digest() + rest


def _unpack(blob: bytes, key: str) -> Entry | None:
    start = len(MAGIC) + 32
    rest = blob[start:]
    if not blob.startswith(MAGIC) or hashlib.sha256(rest).digest() != blob[len(MAGIC) : start]:
        return None
    key_length, symbols_length, code_length = _LENGTHS.unpack_from(rest)
    symbols_at = _LENGTHS.size + key_length
    code_at = symbols_at + symbols_length
    if rest[_LENGTHS.size : symbols_at] != key.encode() or len(rest) != code_at + code_length:
        return None
    return Entry(rest[code_at:], tuple(rest[symbols_at:code_at].decode().split()))


def _write(path: Path, blob: bytes) -> None:
    handle, temporary = tempfile.mkstemp(prefix="writing-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(blob)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _touch(path: Path) -> None:
    """Note a use, at most once a day, for the choice of what to remove."""
    try:
        if time.time() - path.stat().st_mtime > _DAY:
            os.utime(path)
    except OSError:
        return  # a folder that is only readable still serves


def _evict(folder: Path) -> None:
    """Remove the entries unused for longest while all are over the limit, and what killed writers left."""
    entries, total, now = [], 0, time.time()
    with os.scandir(folder) as files:
        for file in files:
            try:
                status = file.stat(follow_symlinks=False)
                if file.name.endswith(SUFFIX) and file.is_file(follow_symlinks=False):
                    entries.append((status.st_mtime, status.st_size, file.path))
                    total += status.st_size
                elif file.name.startswith("writing-") and now - status.st_mtime > _DAY:
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
