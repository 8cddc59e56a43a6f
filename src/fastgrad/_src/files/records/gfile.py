"""``tf.io.gfile``: the files and folders of this machine, with TensorFlow's functions and errors."""

from __future__ import annotations

import contextlib
import glob as _glob
import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self

from fastgrad._src.core.argument_checks import checked_integer as _checked_integer
from fastgrad._src.core.damaged_file import open_regular as _open_regular
from fastgrad._src.core.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    OutOfRangeError,
    PermissionDeniedError,
    UnimplementedError,
)

_MODES = ("r", "w", "a", "r+", "w+", "a+")


class _FileStatistics(NamedTuple):
    """What ``stat`` tells of a file: its length in bytes, the time of its last change in nanoseconds, whether it is a folder."""

    length: int
    mtime_nsec: int
    is_directory: bool


def _local_path(name: str, path: Any) -> str:
    """Returns a path of this machine.

    Raises:
        TypeError: it is no path.
        UnimplementedError: it names another file system, such as ``gs://``.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(f"{name}: Expected binary or unicode string, a path, got {path!r}.")
    text = os.fsdecode(path).removeprefix("file://")
    if "://" in text:
        raise UnimplementedError(f"{name}: File system scheme not implemented: '{text}'; copy it to a local folder.")
    return text


@contextlib.contextmanager
def _translate_system_errors(name: str, path: str) -> Iterator[None]:
    """Gives errors of the operating system TensorFlow's classes."""
    try:
        yield
    except FileNotFoundError:
        raise NotFoundError(f"{name}: {path}; No such file or directory") from None
    except FileExistsError:
        raise AlreadyExistsError(f"{name}: {path}; File exists") from None
    except IsADirectoryError:
        raise FailedPreconditionError(f"{name}: {path}; Is a directory") from None
    except NotADirectoryError:
        raise FailedPreconditionError(f"{name}: {path}; Not a directory") from None
    except PermissionError:
        raise PermissionDeniedError(f"{name}: {path}; Permission denied") from None


def exists(path: Any) -> bool:
    """True if there is a file or folder ``path``; TypeError if it is no path."""
    return os.path.exists(_local_path("gfile.exists", path))


def isdir(path: Any) -> bool:
    """True if ``path`` is a folder; TypeError if it is no path."""
    return os.path.isdir(_local_path("gfile.isdir", path))


def glob(pattern: Any) -> list[str]:
    """Returns the names of the files that match a pattern or one of several.

    Args:
        pattern: a path with ``*``, ``?`` and ``[...]``, or a list of these.

    Raises:
        TypeError: a pattern is no path.
    """
    if isinstance(pattern, (list, tuple)):
        return [found for one in pattern for found in glob(one)]
    text = _local_path("gfile.glob", pattern)
    # TensorFlow names files of the working folder so.
    return sorted(_glob.glob(text if os.path.dirname(text) else os.path.join(".", text)))


def listdir(path: Any) -> list[str]:
    """Returns the names of the entries of a folder; NotFoundError if there is none, TypeError if it is no path."""
    text = _local_path("gfile.listdir", path)
    if not os.path.isdir(text):
        raise NotFoundError(f"gfile.listdir: Could not find directory {text}")
    with _translate_system_errors("gfile.listdir", text):
        return os.listdir(text)


def mkdir(path: Any) -> None:
    """Makes a folder in a folder that exists.

    Raises:
        NotFoundError: the folder above does not exist.
        AlreadyExistsError: there is a file of this name.
        TypeError: ``path`` is no path.
    """
    text = _local_path("gfile.mkdir", path)
    if not os.path.isdir(text):
        with _translate_system_errors("gfile.mkdir", text):
            os.mkdir(text)


def makedirs(path: Any) -> None:
    """Makes a folder, and the folders above it; errors as in ``mkdir``."""
    text = _local_path("gfile.makedirs", path)
    with _translate_system_errors("gfile.makedirs", text):
        os.makedirs(text, exist_ok=True)


def remove(path: Any) -> None:
    """Removes a file.

    Raises:
        NotFoundError: there is none.
        FailedPreconditionError: it is a folder.
        TypeError: ``path`` is no path.
    """
    text = _local_path("gfile.remove", path)
    if os.path.isdir(text) and not os.path.islink(text):
        raise FailedPreconditionError(f"gfile.remove: {text}; Is a directory; use rmtree.")
    with _translate_system_errors("gfile.remove", text):
        os.remove(text)


def rmtree(path: Any) -> None:
    """Removes a folder with all that is in it, or a file; NotFoundError if there is none, TypeError if it is no path."""
    text = _local_path("gfile.rmtree", path)
    with _translate_system_errors("gfile.rmtree", text):
        if os.path.isdir(text) and not os.path.islink(text):
            shutil.rmtree(text)
        else:
            os.remove(text)


def rename(src: Any, dst: Any, overwrite: bool = False) -> None:
    """Renames or moves a file.

    Args:
        src, dst: the old and the new path.
        overwrite: whether an existing file may be replaced.

    Raises:
        NotFoundError: there is no ``src``.
        AlreadyExistsError: there is a ``dst``, and ``overwrite`` is False.
        TypeError: a path is no path.
    """
    _move_or_copy("gfile.rename", os.replace, src, dst, overwrite)


def copy(src: Any, dst: Any, overwrite: bool = False) -> None:
    """Copies the contents of a file; arguments and errors as in ``rename``, FailedPreconditionError for a folder."""
    _move_or_copy("gfile.copy", shutil.copyfile, src, dst, overwrite)


def _move_or_copy(name: str, act: Callable[[str, str], Any], src: Any, dst: Any, overwrite: bool) -> None:
    source, target = _local_path(name, src), _local_path(name, dst)
    if not os.path.exists(source):
        raise NotFoundError(f"{name}: {source}; No such file or directory")
    if os.path.exists(target) and not overwrite:
        raise AlreadyExistsError(f"{name}: file already exists: {target}; pass overwrite=True to replace it.")
    with _translate_system_errors(name, f"{source} to {target}"):
        act(source, target)


def stat(path: Any) -> _FileStatistics:
    """Returns the length, the time and the kind of a file; NotFoundError if there is none, TypeError if it is no path."""
    text = _local_path("gfile.stat", path)
    with _translate_system_errors("gfile.stat", text):
        status = os.stat(text)
    return _FileStatistics(status.st_size, status.st_mtime_ns, os.path.isdir(text))


def walk(
    top: Any, topdown: bool = True, onerror: Callable[[Any], Any] | None = None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yields the path, the folders and the files of each folder below ``top``; nothing if it is no folder.

    Args:
        top: the path of a folder.
        topdown: whether a folder comes before those in it.
        onerror: called with the error of a folder that can't be read.
    """
    return os.walk(_local_path("gfile.walk", top), topdown, onerror)


def join(path: Any, *paths: Any) -> Any:
    """Joins parts of a path; TypeError if strings and bytes are mixed."""
    return os.path.join(path, *paths)


class GFile:
    """A file, opened at its first use. Also a context, which closes it, and an iterator of lines.

    Args:
        name: the path.
        mode: ``"r"``, ``"w"``, ``"a"``, ``"r+"``, ``"w+"`` or ``"a+"``; with ``b``, contents are bytes, else strings in UTF-8.

    Raises:
        TypeError: ``name`` is no path, or ``mode`` no string.
        InvalidArgumentError: an unknown mode.
    """

    def __init__(self, name: Any, mode: str = "r") -> None:
        if not isinstance(mode, str):
            raise TypeError(f"GFile: Argument `mode` must be a string, got {mode!r}.")
        if mode.replace("b", "") not in _MODES:
            raise InvalidArgumentError(f"GFile: mode is not 'r' or 'w' or 'a' or 'r+' or 'w+' or 'a+', but {mode!r}.")
        self._name, self._path, self._mode = name, _local_path("GFile", name), mode
        self._file: Any = None

    @property
    def name(self) -> Any:
        """The path."""
        return self._name

    @property
    def mode(self) -> str:
        """The mode."""
        return self._mode

    def _open_for_access(self, reads: bool) -> Any:
        kind = self._mode.replace("b", "")
        if not (kind == "r" or "+" in kind if reads else kind != "r"):
            raise PermissionDeniedError(f"GFile: File isn't open for {'reading' if reads else 'writing'}: {self._path}")
        return self._open_if_needed()

    def _open_if_needed(self) -> Any:
        if self._file is None:
            kind = self._mode.replace("b", "")
            with _translate_system_errors("GFile", self._path):
                self._file = _open_regular(self._path) if kind == "r" else open(self._path, kind + "b")  # noqa: SIM115  # `close` closes it
        return self._file

    def _decode_in_text_mode(self, data: bytes) -> Any:
        return data if "b" in self._mode else data.decode()

    def read(self, n: int = -1) -> Any:
        """Returns ``n`` bytes, or all that are left.

        Raises:
            NotFoundError: there is no such file.
            PermissionDeniedError: the mode has no reading.
            TypeError: ``n`` is no integer.
        """
        return self._decode_in_text_mode(self._open_for_access(True).read(_checked_integer("GFile.read", "n", n)))

    def readline(self) -> Any:
        """Returns the next line with its end, nothing at the end of the file; errors as in ``read``."""
        return self._decode_in_text_mode(self._open_for_access(True).readline())

    def readlines(self) -> list[Any]:
        """Returns all lines that are left; errors as in ``read``."""
        return [self._decode_in_text_mode(line) for line in self._open_for_access(True)]

    def next(self) -> Any:
        """Returns the next line; StopIteration at the end of the file."""
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def write(self, file_content: Any) -> None:
        """Writes a string or bytes.

        Raises:
            TypeError: another value.
            NotFoundError: the folder does not exist.
            PermissionDeniedError: the mode has no writing.
        """
        data = file_content.encode() if isinstance(file_content, str) else file_content
        if not isinstance(data, bytes):
            raise TypeError(f"GFile.write: Expected binary or unicode string, got {file_content!r}.")
        self._open_for_access(False).write(data)

    def seek(self, offset: int = 0, whence: int = 0) -> None:
        """Moves to a position in bytes, from the start (0), from here (1), or from the end (2).

        Raises:
            InvalidArgumentError: another ``whence``.
            OutOfRangeError: the position is before the start.
            TypeError: ``offset`` is no integer.
        """
        if whence not in (0, 1, 2):
            raise InvalidArgumentError(f"GFile.seek: Invalid whence argument: {whence}. Valid values are 0, 1, or 2.")
        try:
            self._open_if_needed().seek(_checked_integer("GFile.seek", "offset", offset), whence)
        except (OSError, ValueError) as error:
            raise OutOfRangeError(f"GFile.seek: {self._path}: {error}: {offset}") from None

    def tell(self) -> int:
        """Returns the position in bytes."""
        return int(self._open_if_needed().tell())

    def size(self) -> int:
        """Returns the length of the file in bytes."""
        self.flush()
        return stat(self._path).length

    def seekable(self) -> bool:
        """Returns True."""
        return True

    def flush(self) -> None:
        """Passes buffered contents to the operating system."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Closes the file; a later use opens it again."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __iter__(self) -> GFile:
        return self

    def __next__(self) -> Any:
        return self.next()
