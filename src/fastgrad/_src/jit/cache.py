"""Object code on disk: one file a kernel, checked before use, written atomically, bounded in size.

An entry is `magic | sha256 of the rest | lengths | key | symbols | object code`. The key is the full text that the code
depends on; the file's name is the key's hash. A bad entry counts as absent. An unusable folder costs one line on stderr
and nothing else.

Entries are code that runs. The folder and each entry must belong to the user or to the superuser. No other user may
have the right to write to them. The folders above need no such check: an entry is opened relative to the folder that
was checked, even if that folder is renamed or replaced in between.
"""

from __future__ import annotations

import errno
import math
import os
import stat
import struct
import sys
import time
from typing import Any, NamedTuple

from fastgrad._src.jit.body import digest

MAGIC = b"fastgrad kernel 1\n"
ENTRY_FILE_SUFFIX = ".kernel"
TEMPORARY_PREFIX = "writing-"
CACHE_LIMIT_BYTES = 256 << 20
INSTALLED_FOLDER = os.path.join(os.path.dirname(__file__), "installed")
"""The folder with the entries of a wheel: one file for each level of processors (`isa.LEVELS`)."""

_CREATE_TABLE_SQL = "create table entries (name text primary key, entry blob) without rowid"
_SELECT_ENTRY_SQL = "select entry from entries where name = ?"
_SELECT_SCHEMA_SQL = "select type, sql from sqlite_master where name = 'entries'"

_KEY_SYMBOLS_AND_CODE_LENGTHS = struct.Struct("<QQQ")
_DAY_SECONDS = 86400.0

STORES_BETWEEN_EVICTIONS = 32
"""The number of stores in a folder between two evictions; the first store of a process evicts too."""

_stores_by_folder: dict[str, int] = {}
_warnings_given: list[str] = []


class Entry(NamedTuple):
    """The content of an entry: object code, and the names that it leaves undefined."""

    code: bytes
    symbols: tuple[str, ...]


def cache_folder() -> str | None:
    """Returns `FASTGRAD_CACHE_DIR`, else the platform's cache folder; None if there is no home folder either."""
    chosen = os.environ.get("FASTGRAD_CACHE_DIR")
    if chosen:
        return chosen
    from platformdirs import user_cache_dir

    try:
        folder = user_cache_dir("fastgrad")
    except RuntimeError:  # newer versions of platformdirs raise it where there is no home folder
        return None
    return folder if os.path.isabs(folder) else None


def load(key: str) -> Entry | None:
    """Returns the entry of a key; None if there is no intact entry for exactly this key."""
    folder = cache_folder()
    if folder is None:
        return None
    entry = read(folder, key)
    if entry is not None:
        _record_use(_entry_path(folder, key))
    return entry


def load_installed(level: str, key: str) -> Entry | None:
    """Returns the entry of a key that the installed package has for a level of processors; None if it has none."""
    path = os.path.join(INSTALLED_FOLDER, f"{level}.db")
    if not os.path.isfile(path):
        return None
    import sqlite3

    try:
        database = _database(path, os.getpid())
        row = None if database is None else database.execute(_SELECT_ENTRY_SQL, (_entry_name(key),)).fetchone()
    except (sqlite3.Error, ValueError):  # names that are not UTF-8 raise ValueError
        return None
    return None if row is None or type(row[0]) is not bytes else _decoded(row[0], key)


_databases: dict[tuple[str, int], Any] = {}


def _database(path: str, process: int) -> Any:
    """Returns this process's SQLite connection to a file of entries; None if the file is no table of entries."""
    if (path, process) not in _databases:
        _databases[path, process] = _open_database(path)
    return _databases[path, process]


def close_installed() -> None:
    """Closes the files of installed entries that this process has opened."""
    for key in [key for key in _databases if key[1] == os.getpid()]:
        connection = _databases.pop(key)
        if connection is not None:
            connection.close()


def _open_database(path: str) -> Any:
    import sqlite3

    connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    is_table = False
    try:
        schema = connection.execute(_SELECT_SCHEMA_SQL).fetchall()
        is_table = schema == [("table", _CREATE_TABLE_SQL.replace("create table", "CREATE TABLE"))]
    finally:
        if not is_table:
            connection.close()
    return connection if is_table else None


def pack_folder(folder: str, path: str) -> int:
    """Writes all entries of a folder to one file, the format of an installed package; returns their number."""
    import sqlite3

    if os.path.exists(path):
        os.unlink(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with sqlite3.connect(path) as connection:
        connection.execute(_CREATE_TABLE_SQL)
        names = sorted(name for name in os.listdir(folder) if name.endswith(ENTRY_FILE_SUFFIX))
        for name in names:
            connection.execute("insert into entries values (?, ?)", (name, _entry_bytes(folder, name)))
    connection.close()
    return len(names)


def read(folder: str, key: str) -> Entry | None:
    """Returns the entry of a key in a folder; None if there is no intact entry for exactly this key."""
    try:
        blob = _entry_bytes(folder, _entry_name(key))
    except PermissionError as error:
        _warn_once(f"{error.filename}: {error.strerror}")
        return None
    except OSError:
        return None
    return _decoded(blob, key)


def _entry_bytes(folder: str, name: str) -> bytes:
    """Returns the bytes of an entry.

    Raises:
        PermissionError: another user owns the folder or the entry, or may write to it.
        OSError: it can't be read.
    """
    if os.name == "nt":  # modes and owners have another meaning there
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _check_owner(os.fstat(place), folder)
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place)
    finally:
        os.close(place)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        _check_owner(status, os.path.join(folder, name))
        return file.read() if stat.S_ISREG(status.st_mode) else b""


def _check_owner(status: os.stat_result, path: str) -> None:
    """Raises PermissionError if a folder or file belongs to another user, or another user may write to it."""
    user = os.geteuid()
    if status.st_uid not in (user, 0):
        raise PermissionError(errno.EPERM, "it belongs to another user, whose code would be run", path)
    writers = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if writers & stat.S_IWOTH or (writers and not _is_private_group(status.st_gid, user)):
        raise PermissionError(errno.EPERM, f"others may write to it, and so have code run: chmod go-w {path}", path)


def _is_private_group(group: int, user: int) -> bool:
    """True if a group has the user's name and no other member. Many systems make such a group for each user."""
    import grp
    import pwd

    try:
        members, name = grp.getgrgid(group), pwd.getpwuid(user).pw_name
    except KeyError:
        return False
    return members.gr_name == name and set(members.gr_mem) <= {name}


def write(folder: str, key: str, entry: Entry) -> None:
    """Writes an entry to a folder so that other processes see all of it or nothing.

    Raises:
            OSError: it can't be written. (PermissionError: the folder belongs to another user, or another user may
            write to it.)
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if os.name != "nt":
        _check_owner(os.stat(folder), folder)
    _write_atomically(_entry_path(folder, key), _encoded(key, entry))


def store(key: str, entry: Entry) -> None:
    """Writes an entry to the cache folder; a failure warns once."""
    folder = cache_folder()
    if folder is None:
        _warn_once("there is no home folder")
        return
    try:
        write(folder, key, entry)
        stores = _stores_by_folder[folder] = _stores_by_folder.get(folder, -1) + 1
        if stores % STORES_BETWEEN_EVICTIONS == 0:  # an eviction takes a millisecond for some hundred entries
            _evict(folder)
    except OSError as error:
        _warn_once(f"{folder}: {error.strerror or error}")


def count_and_bytes() -> tuple[int, int]:
    """Returns the number of entries in the cache folder, and their bytes."""
    files = _entry_files()
    return len(files), sum(size for _, size in files)


def clear() -> tuple[int, int, list[str]]:
    """Removes all entries and leftovers; returns the number of entries, their bytes, and the errors.

    Kernels that a process has loaded stay with it.
    """
    removed, freed, errors = 0, 0, []
    for path, size in _entry_files(leftovers=True):
        try:
            os.unlink(path)
        except FileNotFoundError:
            continue  # another process was quicker
        except OSError as error:
            errors.append(f"{path}: {error.strerror or error}")
            continue
        if path.endswith(ENTRY_FILE_SUFFIX):
            removed += 1
            freed += size
    return removed, freed, errors


def _entry_files(leftovers: bool = False) -> list[tuple[str, int]]:
    """Returns the paths and sizes of all entries, and optionally of writers' leftovers; [] without a folder."""
    folder = cache_folder()
    if folder is None or not os.path.isdir(folder):
        return []
    paths_and_sizes = []
    with os.scandir(folder) as files:
        for file in files:
            is_entry = file.name.endswith(ENTRY_FILE_SUFFIX) or (leftovers and file.name.startswith(TEMPORARY_PREFIX))
            try:
                if is_entry and file.is_file(follow_symlinks=False):
                    paths_and_sizes.append((file.path, file.stat(follow_symlinks=False).st_size))
            except FileNotFoundError:
                continue  # another process removed it
    return paths_and_sizes


def _entry_path(folder: str, key: str) -> str:
    return os.path.join(folder, _entry_name(key))


def _entry_name(key: str) -> str:
    return digest(key.encode()) + ENTRY_FILE_SUFFIX


def _encoded(key: str, entry: Entry) -> bytes:
    parts = key.encode(), "\n".join(entry.symbols).encode(), entry.code
    rest = _KEY_SYMBOLS_AND_CODE_LENGTHS.pack(*map(len, parts)) + b"".join(parts)
    return MAGIC + digest(rest).encode() + rest


def _decoded(blob: bytes, key: str) -> Entry | None:
    start = len(MAGIC) + 64
    rest = blob[start:]
    if not blob.startswith(MAGIC) or digest(rest).encode() != blob[len(MAGIC) : start]:
        return None
    if len(rest) < _KEY_SYMBOLS_AND_CODE_LENGTHS.size:
        return None
    key_length, symbols_length, code_length = _KEY_SYMBOLS_AND_CODE_LENGTHS.unpack_from(rest)
    symbols_at = _KEY_SYMBOLS_AND_CODE_LENGTHS.size + key_length
    code_at = symbols_at + symbols_length
    if rest[_KEY_SYMBOLS_AND_CODE_LENGTHS.size : symbols_at] != key.encode() or len(rest) != code_at + code_length:
        return None
    return Entry(rest[code_at:], tuple(rest[symbols_at:code_at].decode().split()))


def _write_atomically(path: str, blob: bytes) -> None:
    import tempfile

    handle, temporary = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(blob)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _record_use(path: str) -> None:
    """Records a use of an entry, at most once a day, for eviction."""
    try:
        if (
            abs(time.time() - os.stat(path).st_mtime) > _DAY_SECONDS
        ):  # a clock that was set back leaves times in the future
            os.utime(path)
    except OSError:
        return  # a read-only folder still works


def _evict(folder: str) -> None:
    """Removes the least recently used entries while the total is over the limit, and leftovers of killed writers."""
    entries, total, now = [], 0, time.time()
    with os.scandir(folder) as files:
        for file in files:
            try:
                status = file.stat(follow_symlinks=False)
                age = now - status.st_mtime
                if file.name.endswith(ENTRY_FILE_SUFFIX) and file.is_file(follow_symlinks=False):
                    # Entries from the future count as the oldest, else they would stay and new ones would go.
                    entries.append((age if age > -_DAY_SECONDS else math.inf, status.st_size, file.path))
                    total += status.st_size
                elif file.name.startswith(TEMPORARY_PREFIX) and abs(age) > _DAY_SECONDS:
                    os.unlink(file.path)
            except FileNotFoundError:
                continue  # another process removed it
    for _, size, path in sorted(entries, reverse=True):
        if total <= CACHE_LIMIT_BYTES:
            break
        try:
            os.unlink(path)
        except FileNotFoundError:
            continue
        total -= size


def _warn_once(reason: str) -> None:
    if not _warnings_given:
        _warnings_given.append(reason)
        print(
            f"fastgrad: cannot use the kernel cache ({reason}); kernels are compiled again in every process. "
            "Set FASTGRAD_CACHE_DIR to a folder of your own that can be written.",
            file=sys.stderr,
        )
