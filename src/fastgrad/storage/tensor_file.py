"""Files of named arrays, ``.safetensors`` and ``.npz``: atomic writes, checked reads without unpickling.

This module does not use the package ``safetensors``: that package gives NumPy no bfloat16, and accepts duplicate names
(the last entry wins).
"""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
import zlib
from collections.abc import Iterable
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np

from fastgrad.storage.atomic_write import write_atomically
from fastgrad.storage.damaged_file import open_regular, parsing
from fastgrad.storage.json_text import parse_json
from fastgrad.storage.zip_archive import check_text, open_zip

_SAFETENSORS = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "I8": np.int8,
    "U16": np.uint16,
    "I16": np.int16,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "U32": np.uint32,
    "I32": np.int32,
    "F32": np.float32,
    "U64": np.uint64,
    "I64": np.int64,
    "F64": np.float64,
    "C64": np.complex64,
}
_BY_NUMPY = {np.dtype(kind): name for name, kind in _SAFETENSORS.items()}
_MAX_HEADER = 100_000_000
_METADATA = "__metadata__"
_CHECKSUM = "fastgrad.crc32"
_MARK = ("fastgrad.form", "checked")  # marks a file with a checksum, in case the checksum's name is damaged
_PIECE = 1 << 20
_LONGEST_NPY_HEADER = 1 << 16
_COMMENT = "fastgrad, members: "  # the member count detects a damaged directory that hides members
_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)

ENDINGS = (".safetensors", ".npz")


def checked_ending(path: Any) -> str:
    """Returns the ending of ``path``, which selects the format; ValueError if it is not in ``ENDINGS``."""
    name = os.fspath(path)
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    for ending in ENDINGS:
        if name.endswith(ending):
            return ending
    raise ValueError(f"Weight files end in {' or '.join(ENDINGS)}, got {name!r}.")


def save_tensors(path: Any, arrays: dict[str, np.ndarray], metadata: dict[str, str], overwrite: bool = True) -> None:
    """Writes named arrays and strings atomically.

    Args:
        path: the file; it ends in ``.safetensors`` or ``.npz``.
        arrays: arrays by name.
        metadata: strings by name.
        overwrite: whether an existing file may be replaced.

    Raises:
        ValueError: another ending, or a dtype that the format does not have; nothing is written.
        OSError: the file could not be written; an old file is unchanged.
    """
    ending = checked_ending(path)
    # The widest dtypes come first, so that each array begins at a multiple of its element size.
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    plain = {name: np.ascontiguousarray(arrays[name]).reshape(arrays[name].shape) for name in order}
    for name, array in plain.items():
        if array.dtype not in _BY_NUMPY and not (ending == ".npz" and array.dtype.kind == "c"):
            raise ValueError(f"Cannot save '{name}': {ending} files hold no values of dtype {array.dtype}.")
    if ending == ".npz":
        write_atomically(path, lambda file: _write_npz(file, plain, metadata), overwrite)
    else:
        write_atomically(path, lambda file: _write_safetensors(file, plain, metadata), overwrite)


def load_tensors(path: Any) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Reads a file that ``save_tensors`` wrote.

    Returns:
        The arrays and the strings, by name.

    Raises:
        ValueError: another ending, or invalid contents: a damaged file, duplicate names, sizes that do not match,
            pickled objects.
        OSError: the file cannot be read (FileNotFoundError: it does not exist).
    """
    ending = checked_ending(path)
    with open_regular(path) as file:
        if ending == ".npz":
            with open_zip(file, path, ".npz file") as archive:
                return _read_npz(archive)
        with parsing(path, ".safetensors file"):
            return _read_safetensors(file)


# ---- safetensors: the length of a JSON header (8 bytes), the header, the bytes of the arrays ------------


def _write_safetensors(file: BinaryIO, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    metadata = {**metadata, _MARK[0]: _MARK[1]}
    header: dict[str, Any] = {_METADATA: metadata}
    offset = 0
    for name, array in arrays.items():
        end = offset + array.nbytes
        header[name] = {"dtype": _BY_NUMPY[array.dtype], "shape": list(array.shape), "data_offsets": [offset, end]}
        offset = end
    flat = [
        array.reshape(-1).view(np.uint8).data for array in arrays.values()
    ]  # little-endian, like all supported machines
    header[_METADATA] = {**metadata, _CHECKSUM: _checksum(header, flat)}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # arrays begin at a multiple of 8 bytes
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)
    file.writelines(flat)


def _checksum(header: dict[str, Any], contents: Iterable[Any]) -> str:
    """Returns the CRC-32 of the header without the checksum, and of the array bytes in file order."""
    total = zlib.crc32(json.dumps(header, sort_keys=True).encode())
    for part in contents:
        total = zlib.crc32(part, total)
    return f"{total:08x}"


def _read_safetensors(file: BinaryIO) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    size = os.fstat(file.fileno()).st_size
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length > min(size - 8, _MAX_HEADER):
        raise ValueError(f"its {size} bytes do not hold the header they announce")
    header = parse_json(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("the header is no JSON object")
    metadata = header.get(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError("its metadata are no texts")
    checksum = metadata.pop(_CHECKSUM, None)
    if checksum is None and metadata.get(_MARK[0]) == _MARK[1]:
        raise ValueError("its checksum is missing")
    entries = {name: _checked_place(name, entry) for name, entry in header.items() if name != _METADATA}
    places = dict(sorted(entries.items(), key=lambda item: item[1][2:]))
    position = 0
    for name, (_, _, begin, end) in places.items():
        if begin != position:
            raise ValueError(f"the bytes of '{name}' do not begin where those before it end")
        position = end
    if position != size - 8 - length:
        raise ValueError(f"it holds {size - 8 - length} bytes of arrays, the header announces {position}")
    arrays = {}
    for name, (dtype, shape, begin, end) in places.items():
        arrays[name] = np.frombuffer(file.read(end - begin), dtype).reshape(shape)
    if checksum is not None and checksum != _checksum(
        header, [a.reshape(-1).view(np.uint8).data for a in arrays.values()]
    ):
        raise ValueError("its checksum is not that of its contents")
    metadata.pop(_MARK[0], None)
    return arrays, metadata


def _checked_place(name: str, entry: Any) -> tuple[np.dtype, tuple[int, ...], int, int]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"'{name}' is not described by dtype, shape and offsets")
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in _SAFETENSORS:
        raise ValueError(f"'{name}' has the dtype {kind!r:.100}, which fastgrad does not read")
    if not _are_sizes(shape) or not _are_sizes(offsets) or len(offsets) != 2:
        raise ValueError(f"shape or offsets of '{name}' are no sizes: {shape!r:.100}, {offsets!r:.100}")
    dtype = np.dtype(_SAFETENSORS[kind])
    if offsets[1] - offsets[0] != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"'{name}' of shape {shape} and dtype {kind} does not fit the offsets {offsets}")
    return dtype, tuple(shape), offsets[0], offsets[1]


def _are_sizes(value: Any) -> bool:
    """True if ``value`` is a shape that NumPy accepts; the product of a longer list or larger numbers takes forever."""
    return (
        isinstance(value, list)
        and len(value) <= 64
        and all(type(size) is int and 0 <= size < 1 << 63 for size in value)
    )


# ---- npz: a zip archive of .npy files; bfloat16 arrays are stored as uint16, listed in the metadata ----------


def _write_npz(file: BinaryIO, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    halves = [name for name, array in arrays.items() if array.dtype == _BFLOAT16]
    text = json.dumps({"texts": metadata, "bfloat16": halves}).encode()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.comment = f"{_COMMENT}{len(arrays) + 1}".encode()
        for name, array in {**arrays, _METADATA: np.frombuffer(text, np.uint8)}.items():
            with archive.open(name + ".npy", "w", force_zip64=True) as member:
                stored = array.view(np.uint16) if array.dtype == _BFLOAT16 else array
                np.lib.format.write_array(member, stored, allow_pickle=False)


def _read_npz(archive: zipfile.ZipFile) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    arrays = {}
    comment, count = archive.comment.decode("latin-1"), len(archive.namelist())
    if comment[:8] == _COMMENT[:8] and comment != f"{_COMMENT}{count}":
        raise ValueError(f"it shows {count} members and says {comment!r}")
    if f"{_METADATA}.npy" in archive.namelist():
        check_text(archive, f"{_METADATA}.npy")
    for name in archive.namelist():
        if not name.endswith(".npy"):
            raise ValueError(f"it holds {name!r}, which is no array")
        with archive.open(name) as member:  # reading to the end verifies the CRC
            arrays[name.removesuffix(".npy")] = parsed_npy(name, member, archive.getinfo(name).file_size)
    texts: Any = {}
    if _METADATA in arrays:
        stored = arrays.pop(_METADATA)
        try:
            parsed = parse_json(stored.tobytes())
            texts, halves = parsed["texts"], list(parsed["bfloat16"])
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"its metadata are damaged ({error})") from None
        for name in halves:
            if name not in arrays or arrays[name].dtype != np.uint16:
                raise ValueError(f"'{name}' does not hold the bits of bfloat16 values")
            arrays[name] = arrays[name].view(_BFLOAT16)
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise ValueError("its metadata are no texts")
    return arrays, texts


def parsed_npy(name: str, stream: Any, size: int) -> np.ndarray:
    """Parses an ``.npy`` file; checks its length before it allocates the array.

    Raises:
        ValueError: the stream is not an ``.npy`` file, or holds objects.
    """
    shape, fortran, dtype = npy_header(name, stream)
    if dtype.newbyteorder("=") not in _BY_NUMPY and dtype.kind != "c":
        raise ValueError(f"{name!r} holds values of dtype {dtype}; pickled objects are never loaded")
    if math.prod(shape) * dtype.itemsize != size - stream.tell():
        raise ValueError(f"{name!r} of shape {shape} and dtype {dtype} does not fit its {size} bytes")
    flat = np.empty(math.prod(shape), dtype)
    _fill(flat.view(np.uint8).data, name, stream)
    return np.asarray(flat.reshape(shape, order="F" if fortran else "C"), dtype.newbyteorder("="), order="C")


def _fill(target: memoryview, name: str, stream: Any) -> None:
    """Reads the rest of ``stream`` into ``target`` of the same length; in pieces: zip streams copy each read."""
    place = 0
    while count := stream.readinto(target[place : place + _PIECE]):
        place += count
    if place != len(target) or stream.read(1):  # zipfile verifies the CRC at the end of the stream
        raise ValueError(f"{name!r} has {place} bytes of values, not {len(target)}")


def npy_header(name: str, stream: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Returns shape, Fortran order and dtype of an ``.npy`` file; ValueError for a header unlike NumPy's."""
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{name!r} is in version {version} of the format")
    length = stream.read(2 if version == (1, 0) else 4)
    if int.from_bytes(length, "little") > _LONGEST_NPY_HEADER:  # checked before the header is read
        raise ValueError(f"{name!r} has a header of {int.from_bytes(length, 'little')} bytes")
    header = io.BytesIO(length + stream.read(int.from_bytes(length, "little")))
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(header)
    if not all(type(size) is int and size >= 0 for size in shape) or len(shape) > 64:
        raise ValueError(f"{name!r} has the shape {shape!r:.100}")
    return shape, fortran, dtype
