"""Safe extraction of zip and tar archives: nothing is written outside of the folder, and the total size is limited."""

from __future__ import annotations

import contextlib
import errno
import os
import tarfile
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from fastgrad._src.core.damaged_file import open_regular, parser_errors_as_one
from fastgrad._src.files.formats.decompression import compression_of, decompressed
from fastgrad._src.files.formats.zip_archive import MAX_COMPRESSION_RATIO, open_zip

_DISK_BLOCK_BYTES = 4096  # a disk block: the minimum disk space of a member
_MAX_READ_BYTES = 1 << 20  # tarfile reads a long name in one call, with the length that the header declares
_COMPRESSION_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def unpack(path: str, folder: str) -> None:
    """Unpacks an archive.

    Args:
        path: the path of the archive.
        folder: an existing, empty folder.

    Raises:
        ValueError: the file is not an archive or is damaged; a member is a link or lies outside of the folder; the
            members declare more than 1,100 times the size of the archive.
    """
    with (
        open_regular(path) as file,
        parser_errors_as_one(path, "zip or tar archive"),
        _name_conflicts_as_value_errors(),
    ):
        limit = MAX_COMPRESSION_RATIO * os.fstat(file.fileno()).st_size + (1 << 20)
        compression = compression_of(file)
        if compression is None and zipfile.is_zipfile(file):
            with open_zip(file, path, "zip archive", _COMPRESSION_METHODS) as archive:
                for member in _members_within_size_limit(archive.infolist(), lambda member: member.file_size, limit):
                    _check_member(member.filename, True)
                    archive.extract(member, folder)
            return
        file.seek(0)
        stream = file if compression is None else decompressed(file, compression)
        for tar in open_tar(stream):
            for member in _members_within_size_limit(tar, lambda member: member.size, limit):
                tar.members.clear()  # type: ignore[attr-defined]  # tarfile keeps all members that it has read
                _check_member(member.name, member.isfile() or member.isdir())
                tar.extract(member, folder)


def open_tar(stream: Any) -> Iterator[tarfile.TarFile]:
    """Yields the tar archive in ``stream`` (uncompressed); then reads to the stream's end to verify its checksum."""
    with tarfile.open(fileobj=_BoundedReader(stream), mode="r:") as archive:  # type: ignore[call-overload]  # it reads like a file
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # from Python 3.11.4 on
        yield archive
        while stream.read(_MAX_READ_BYTES):
            pass


@contextlib.contextmanager
def _name_conflicts_as_value_errors() -> Iterator[None]:
    """Converts errors of the operating system that only member names can cause to ValueError."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP):
            raise
        raise ValueError(
            f"two members take each other's place, or one has a name that is too long ({error})"
        ) from error


def _members_within_size_limit(members: Any, size_of: Any, limit: int) -> Iterator[Any]:
    """Yields ``members``; raises ValueError as soon as their declared disk space exceeds ``limit`` bytes."""
    disk_space = 0
    for member in members:
        if size_of(member) < 0:
            raise ValueError(f"a member announces {size_of(member)} bytes")
        disk_space += size_of(member) + _DISK_BLOCK_BYTES
        if disk_space > limit:
            raise ValueError(f"its members announce more than {limit} bytes: a decompression bomb")
        yield member


def _check_member(name: str, is_plain: bool) -> None:
    if not is_plain or os.path.isabs(name) or ".." in name.replace("\\", "/").split("/"):
        raise ValueError(f"it has {name!r}, which is a link or lies outside of it")


class _BoundedReader:
    """A binary file that rejects reads of more than ``_MAX_READ_BYTES`` bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, count: int = -1) -> bytes:
        if not 0 <= count <= _MAX_READ_BYTES:
            raise ValueError(f"one of its headers announces {count} bytes")
        return self._file.read(count)
