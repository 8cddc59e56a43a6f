"""``get_file``: downloaded files, kept in Keras's cache folder and checked."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import urllib.parse
from typing import Any

from fastgrad._src.files.formats.archive_extraction import unpack


def cache_folder() -> str:
    """Returns Keras's folder: ``KERAS_HOME``, else ``~/.keras``, or without a home ``.keras`` among temporary files."""
    home_folder = os.path.expanduser("~")
    if not os.access(home_folder, os.W_OK):
        home_folder = tempfile.gettempdir()
    return os.environ.get("KERAS_HOME") or os.path.join(home_folder, ".keras")


def get_file(
    fname: Any = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: Any = "auto",
    cache_dir: Any = None,
    force_download: bool = False,
) -> str:
    """Returns the path of a file; downloads the file unless the cache has it with the right checksum.

    Args:
        fname: the file's name in the cache, without a folder; default: the last part of ``origin``.
        origin: the file's URL; a ``file://`` URL is copied, without pooch.
        file_hash: the file's SHA-256 or MD5, in hexadecimal; None for no check.
        hash_algorithm: ``"sha256"``, ``"md5"`` or ``"auto"``, which is decided by the length of ``file_hash``.
        cache_subdir: a folder in the cache.
        extract: whether to unpack the file, a zip archive or a tar of any kind; the result is then the path of a folder.
        cache_dir: another cache than ``~/.keras``.
        force_download: whether to download even if the cache has the file.
        untar, md5_hash, archive_format: older names and a setting of Keras's signature; kinds of archives are recognised.

    Raises:
        ValueError: no URL, a path as a name, or another checksum; an archive that is damaged, would write outside its folder,
            or announces more than 1,100 times its size.
        ImportError: a download is needed, and pooch is not installed.
        ConnectionError: the download failed; the message says where to put the file by hand.

    Example:
        >>> from pathlib import Path
        >>> size = Path("words.txt").write_text("one two")
        >>> path = tf.keras.utils.get_file(origin=Path("words.txt").absolute().as_uri(), cache_dir="cache")
        >>> Path(path).read_text()
        'one two'
    """
    if origin is None:
        raise ValueError('Please specify the "origin" argument (URL of the file to download).')
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    name = os.fspath(fname) if fname else os.path.basename(urllib.parse.urlsplit(origin).path)
    if not name or os.path.basename(name) != name:
        raise ValueError(f"get_file: `fname` must be a file's name without folders, got {name!r}; use `cache_dir`.")
    folder = os.path.join(
        os.path.expanduser(cache_folder() if cache_dir is None else os.fspath(cache_dir)), cache_subdir
    )
    is_archive = extract or untar
    stem, dot, _ = name.partition(".")
    unpacked = os.path.join(folder, f"{stem}_extracted" if fname and dot else name)
    path = os.path.join(folder, f"{name}_archive" if is_archive and not (fname and dot) else name)
    if hash_algorithm == "auto":
        hash_algorithm = "sha256" if file_hash is not None and len(file_hash) == 64 else "md5"
    if force_download or not _has_checksum(path, file_hash, hash_algorithm):
        _download(origin, path, file_hash, hash_algorithm)
    if is_archive:
        _unpack(path, unpacked)
    return unpacked if is_archive else path


def _has_checksum(path: str, expected: str | None, algorithm: str) -> bool:
    if not os.path.isfile(path):
        return False
    if expected is None:
        return True
    checksum = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            checksum.update(chunk)
    return checksum.hexdigest() == expected.lower()


def _download(origin: str, path: str, expected: str | None, algorithm: str) -> None:
    folder, name = os.path.split(path)
    checksum = "" if expected is None else f" ({algorithm} {expected})"
    existing_file_note = " A file of this name is there, but with another checksum." if os.path.exists(path) else ""
    by_hand = f"{existing_file_note} Or get it elsewhere and put it at {path}{checksum}."
    retrieve = _copy_of_local_file if urllib.parse.urlsplit(origin).scheme == "file" else _pooch_retrieve(by_hand)
    os.makedirs(folder, exist_ok=True)
    scratch = tempfile.mkdtemp(dir=folder, prefix=".download-")  # an old file stays until the new one is complete
    try:
        known_hash = None if expected is None else f"{algorithm}:{expected}"
        os.replace(retrieve(origin, known_hash, fname=name, path=scratch), path)
    except OSError as error:  # errors of requests are OSErrors
        raise ConnectionError(f"{name} can't be downloaded from {origin}: {error}.{by_hand}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _pooch_retrieve(by_hand: str) -> Any:
    """Returns pooch's function for downloads; ImportError if it is not installed."""
    try:
        import pooch
    except ImportError as error:
        raise ImportError(f'Downloads need pooch: pip install "fastgrad[datasets]".{by_hand}') from error
    pooch.get_logger().setLevel("WARNING")
    return pooch.retrieve


def _copy_of_local_file(origin: str, known_hash: str | None, fname: str, path: str) -> str:
    """Copies the file of a ``file://`` URL, with the arguments of ``pooch.retrieve``."""
    url = urllib.parse.urlsplit(origin)
    if url.netloc not in ("", "localhost"):
        raise OSError(f"'{url.netloc}' is another machine; a file:// URL of this one begins with file:///")
    copy = os.path.join(path, fname)
    shutil.copyfile(urllib.parse.unquote(url.path), copy)
    algorithm, _, expected = (known_hash or "md5:").partition(":")
    if known_hash is not None and not _has_checksum(copy, expected, algorithm):
        raise ValueError(f"get_file: the {algorithm} hash of {origin} is not {expected}. Nothing is kept.")
    return copy


def _unpack(path: str, folder: str) -> None:
    """Unpacks an archive into a scratch folder, then renames it to ``folder``; does nothing if ``folder`` exists."""
    if os.path.isdir(folder):
        return
    scratch = tempfile.mkdtemp(dir=os.path.dirname(folder), prefix=".unpacking-")
    try:
        unpack(path, scratch)
        os.replace(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
