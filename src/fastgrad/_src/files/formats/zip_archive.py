"""Checked reading of zip archives, with limits on the sizes that members declare."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from typing import Any

from fastgrad._src.core.damaged_file import parser_errors_as_one
from fastgrad._src.files.formats.json_text import check_names

MAX_COMPRESSION_RATIO = 1100
"""The maximum compression ratio. Deflate reaches 1032; a higher ratio means overlapping members or false sizes."""

MAX_JSON_MEMBER_BYTES = 1 << 20
"""The maximum length of a JSON member in a shorter archive: Python objects take 30 times the memory of the text."""

_ALLOWED_EXTRA_BYTES_PER_MEMBER = 4096
_MAX_END_RECORD_BYTES = 22 + 0xFFFF  # the end record with its comment
_COMPRESSION_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@contextlib.contextmanager
def open_zip(
    file: Any, path: Any, file_kind: str, methods: tuple[int, ...] = _COMPRESSION_METHODS
) -> Iterator[zipfile.ZipFile]:
    """Opens a zip archive for reading and checks that member names are unique and declared sizes are plausible.

    Args:
        file: an open file.
        path: the file name for error messages.
        file_kind: the expected kind of file, for error messages.
        methods: the compression methods that members may have; default: stored and deflated.

    Raises:
        ValueError: a check fails, or the file is not an archive; also for parser errors inside of the context.
    """
    with parser_errors_as_one(path, file_kind), zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if members:
            check_names(member.filename for member in members)
        for member in members:
            if member.compress_type not in methods:
                raise ValueError(f"{member.filename!r} is compressed by method {member.compress_type}, not read here")
        if _announced_member_count(archive) not in (None, len(members)):
            raise ValueError(f"it shows {len(members)} members and announces {_announced_member_count(archive)}")
        if not members and _file_size(archive.fp) > 22 + len(archive.comment):
            raise ValueError("it shows no members, and is longer than an archive without any")
        announced_bytes, archive_bytes = sum(member.file_size for member in members), _file_size(archive.fp)
        if announced_bytes > MAX_COMPRESSION_RATIO * archive_bytes:
            raise ValueError(f"its members announce {announced_bytes} bytes, it has {archive_bytes}")
        yield archive


def _announced_member_count(archive: zipfile.ZipFile) -> int | None:
    """Returns the member count in the end record, which zipfile does not check; None if there is no count."""
    file: Any = archive.fp
    file.seek(max(_file_size(file) - _MAX_END_RECORD_BYTES, 0))
    archive_end = file.read()
    end_record_offset = archive_end.rfind(b"PK\5\6")
    count = int.from_bytes(archive_end[end_record_offset + 10 : end_record_offset + 12], "little")
    return count if end_record_offset >= 0 and count < 0xFFFF else None


def _file_size(file: Any) -> int:
    old_position = file.tell()
    size = file.seek(0, 2)
    file.seek(old_position)
    return size


def read_json_member(archive: zipfile.ZipFile, name: str, max_compression_ratio: int = 100) -> bytes:
    """Returns the bytes of a text member, with limits on its compression ratio and on its length.

    The length limit is that of the archive or ``MAX_JSON_MEMBER_BYTES``, if that is more.

    Raises:
        ValueError: the member declares more bytes than a limit allows.
    """
    member = archive.getinfo(name)
    if member.file_size > _ALLOWED_EXTRA_BYTES_PER_MEMBER + max_compression_ratio * member.compress_size:
        raise ValueError(f"{name} announces {member.file_size} bytes, {member.compress_size} are there")
    check_json_member_length(archive, name)
    return archive.read(name)


def check_json_member_length(archive: zipfile.ZipFile, name: str) -> None:
    """Raises ValueError if a member is longer than both the archive and ``MAX_JSON_MEMBER_BYTES``."""
    size, limit = archive.getinfo(name).file_size, max(MAX_JSON_MEMBER_BYTES, _file_size(archive.fp))
    if size > limit:
        raise ValueError(f"{name} announces a text of {size} bytes, and the most here is {limit}")
