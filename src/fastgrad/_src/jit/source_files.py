"""The source files that generated code depends on, and their hash: a part of the key of code on disk.

They are the files of some packages and of all packages that these import, directly or not. A change in one of these
files may change the code. A change in another file keeps the code. A process whose files have changed since it began
shares no code with others: it may have imported the files as they were.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping

from fastgrad._src.jit import cache
from fastgrad._src.jit.body import digest

_ROOT = __name__.partition(".")[0]
_START_NS = time.time_ns()


def sources_key(*packages: str) -> str:
    """Returns the hash of `source_files`, for keys; one of this process alone if they may differ from what it has imported."""
    return _key_of(source_files(*packages))


def remembered_sources_key(*packages: str) -> str:
    """Returns `sources_key`. The cache on disk remembers it with the states of the files and folders: unchanged files are not read again."""
    folder = sys.modules[_ROOT].__path__[0]
    content = f"sources of {packages} in {folder}"
    entry = cache.load(content)
    if entry is not None:
        key, *states = entry.code.decode().splitlines()
        names = [state.rpartition(" ")[0].rpartition(" ")[0] for state in states]
        try:
            if states == [_state(folder, name) for name in names] and not _has_changed(names):
                return key
        except OSError:  # a file is gone
            pass
    files = source_files(*packages)
    names = [*files, *sorted({os.path.dirname(name) for name in files})]  # a new file changes its folder
    key = _key_of(files)
    if not _has_changed(names):
        states = [_state(folder, name) for name in names]
        cache.store(content, cache.Entry("\n".join((key, *states)).encode(), ()))
    return key


def _key_of(files: Mapping[str, bytes]) -> str:
    return f"process {os.getpid()} since {_START_NS}" if _has_changed(files) else source_digest(files)


def _state(folder: str, name: str) -> str:
    """Returns a file's name, size and time of change. A program can set the size and the time of writing, but not this time."""
    path = os.path.join(folder, name)
    return f"{name} {os.stat(path).st_size} {_change_time(path)}"


def _has_changed(names: Iterable[str]) -> bool:
    """True if files have changed since this process began: it may have imported them as they were."""
    folder = sys.modules[_ROOT].__path__[0]
    return max((_change_time(os.path.join(folder, name)) for name in names), default=_START_NS) >= _START_NS


def _change_time(path: str) -> int:
    status = os.stat(path)
    return status.st_mtime_ns if os.name == "nt" else status.st_ctime_ns  # any program can set the former


def source_digest(files: Mapping[str, bytes]) -> str:
    """Returns a hash of the names and contents of files."""
    return digest(b"\0".join(part for name in sorted(files) for part in (name.encode(), files[name])))


def source_files(*packages: str) -> dict[str, bytes]:
    """Returns the contents of the source files that packages follow from, by paths relative to fastgrad's folder.

    A package stands for all modules below it, since modules fill tables by being imported. Imports within functions and
    those for type checkers count, too.

    Args:
        packages: dotted names, such as `fastgrad._src.jit`. `fastgrad` is the module that a user imports.
    """
    folder = sys.modules[_ROOT].__path__[0]
    files: dict[str, bytes] = {}
    names, visited = set(packages), set()
    waiting = [*packages]
    while waiting:
        package = _package_of(folder, waiting.pop())
        if package in visited:
            continue
        visited.add(package)
        for path in _modules_of(os.path.join(folder, package)):
            with open(path, "rb") as file:
                source = file.read()
            files[path[len(folder) + 1 :].replace(os.sep, "/")] = source
            new = set(imported_names(source)) - names
            names |= new
            waiting += new
    return files


def _package_of(folder: str, name: str) -> str:
    """Returns the path of the innermost package of a module's name; a module of fastgrad's folder is its own package."""
    _, *parts = name.split(".")
    path = ""
    for part in parts:
        if not os.path.isdir(os.path.join(folder, path, part)):
            break
        path = os.path.join(path, part)
    return path or (f"{parts[0]}.py" if parts else "__init__.py")


def _modules_of(package: str) -> Iterator[str]:
    if package.endswith(".py"):
        if os.path.isfile(package):  # else a name of the public module
            yield package
        return
    for folder, _, names in os.walk(package):
        yield from (os.path.join(folder, name) for name in names if name.endswith(".py"))


def imported_names(source: bytes) -> Iterator[str]:
    """Yields the dotted names of fastgrad's modules that a source imports; fastgrad's sources import nothing relatively.

    The names after `import` are read from one line, and only where they may be modules of fastgrad's folder itself.
    """
    for keyword in (b"from ", b"import "):
        start = source.find(keyword + _ROOT.encode())
        while start >= 0:
            end = source.find(b"\n", start)
            words = source[start:end].decode().replace(",", " ").split()
            is_statement = not source[source.rfind(b"\n", 0, start) + 1 : start].strip()  # no example in a docstring
            if is_statement and words[0] == "from" and words[1] in (_ROOT, f"{_ROOT}._src"):
                yield from (f"{words[1]}.{name}" for name in words[3:])
            elif is_statement and (words[1] == _ROOT or words[1].startswith(f"{_ROOT}.")):
                yield words[1]
            start = source.find(keyword + _ROOT.encode(), end)
