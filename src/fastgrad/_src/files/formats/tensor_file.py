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

from fastgrad._src.core import dtypes
from fastgrad._src.core.damaged_file import open_regular, parser_errors_as_one
from fastgrad._src.files.formats.atomic_write import write_atomically
from fastgrad._src.files.formats.json_text import parse_json
from fastgrad._src.files.formats.zip_archive import check_json_member_length, open_zip

_SAFETENSORS_DTYPES = {
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
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
}
_SAFETENSORS_DTYPE_NAMES = {np.dtype(kind): name for name, kind in _SAFETENSORS_DTYPES.items()}
_MAX_SAFETENSORS_HEADER_BYTES = 100_000_000
_METADATA_KEY = "__metadata__"
_CHECKSUM_KEY = "fastgrad.crc32"
_CHECKSUM_METADATA_ITEM = (
    "fastgrad.form",
    "checked",
)  # marks a file with a checksum, in case the checksum's name is damaged
_BYTES_PER_READ = 1 << 20
_MAX_NPY_HEADER_BYTES = 1 << 16
_ARCHIVE_COMMENT_PREFIX = "fastgrad, members: "  # the member count detects a damaged directory that hides members
_NARROW_DTYPES_KEY = "fastgrad.narrow_dtypes"  # the dtypes of arrays whose bytes are stored as uint8, in JSON
_BFLOAT16_DTYPE = np.dtype(ml_dtypes.bfloat16)

ENDINGS = (".safetensors", ".npz")


def checked_ending(path: Any) -> str:
    """Returns the ending of ``path``, which selects the format; ValueError if it is not in ``ENDINGS``."""
    name = os.fsdecode(path)
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
    sorted_names = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    contiguous_arrays = {name: np.ascontiguousarray(arrays[name]).reshape(arrays[name].shape) for name in sorted_names}
    narrow_names = {}
    for name, array in contiguous_arrays.items():
        if array.dtype in dtypes.NARROW_NUMPY_DTYPES and (
            ending == ".npz" or array.dtype not in _SAFETENSORS_DTYPE_NAMES
        ):
            contiguous_arrays[name] = array.view(np.uint8)
            narrow_names[name] = array.dtype.name
            continue
        if array.dtype not in _SAFETENSORS_DTYPE_NAMES and not (ending == ".npz" and array.dtype.kind == "c"):
            raise ValueError(f"Cannot save '{name}': {ending} files hold no values of dtype {array.dtype}.")
    if narrow_names:
        metadata = {**metadata, _NARROW_DTYPES_KEY: json.dumps(narrow_names)}
    write = _write_npz if ending == ".npz" else _write_safetensors
    write_atomically(path, lambda file: write(file, contiguous_arrays, metadata), overwrite)


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
                return _restore_narrow_dtypes(*_read_npz(archive))
        with parser_errors_as_one(path, ".safetensors file"):
            return _restore_narrow_dtypes(*_read_safetensors(file))


def _restore_narrow_dtypes(
    arrays: dict[str, np.ndarray], metadata: dict[str, str]
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Returns the contents of a file with the narrow dtypes of the arrays whose bytes are stored as uint8."""
    names = parse_json(metadata.pop(_NARROW_DTYPES_KEY, "{}").encode())
    narrow_dtypes = {dtype.name: dtype.numpy for dtype in dtypes.NARROW}
    for name, dtype_name in names.items() if isinstance(names, dict) else [("its metadata", "")]:
        if name not in arrays or arrays[name].dtype != np.uint8 or dtype_name not in narrow_dtypes:
            raise ValueError(f"'{name}' does not hold the bytes of a dtype {dtype_name!r:.100}")
        arrays[name] = arrays[name].view(narrow_dtypes[dtype_name])
    return arrays, metadata


# ---- safetensors: the length of a JSON header (8 bytes), the header, the bytes of the arrays ------------


def _write_safetensors(file: BinaryIO, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    metadata = {**metadata, _CHECKSUM_METADATA_ITEM[0]: _CHECKSUM_METADATA_ITEM[1]}
    header: dict[str, Any] = {_METADATA_KEY: metadata}
    offset = 0
    for name, array in arrays.items():
        end = offset + array.nbytes
        header[name] = {
            "dtype": _SAFETENSORS_DTYPE_NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    array_bytes = [
        array.reshape(-1).view(np.uint8).data for array in arrays.values()
    ]  # little-endian, like all supported machines
    header[_METADATA_KEY] = {**metadata, _CHECKSUM_KEY: _checksum(header, array_bytes)}
    header_text = json.dumps(header, separators=(",", ":")).encode()
    header_text += b" " * (-len(header_text) % 8)  # arrays begin at a multiple of 8 bytes
    file.write(len(header_text).to_bytes(8, "little"))
    file.write(header_text)
    file.writelines(array_bytes)


def _checksum(header: dict[str, Any], contents: Iterable[Any]) -> str:
    """Returns the CRC-32 of the header without the checksum, and of the array bytes in file order."""
    crc = zlib.crc32(json.dumps(header, sort_keys=True).encode())
    for part in contents:
        crc = zlib.crc32(part, crc)
    return f"{crc:08x}"


def _read_safetensors(file: BinaryIO) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    size = os.fstat(file.fileno()).st_size
    length_field = file.read(8)
    length = int.from_bytes(length_field, "little")
    if len(length_field) < 8 or length > min(size - 8, _MAX_SAFETENSORS_HEADER_BYTES):
        raise ValueError(f"its {size} bytes do not hold the header they announce")
    header = parse_json(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("the header is no JSON object")
    metadata = header.get(_METADATA_KEY, {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError("its metadata are no texts")
    checksum = metadata.pop(_CHECKSUM_KEY, None)
    if checksum is None and metadata.get(_CHECKSUM_METADATA_ITEM[0]) == _CHECKSUM_METADATA_ITEM[1]:
        raise ValueError("its checksum is missing")
    entries = {name: _checked_array_entry(name, entry) for name, entry in header.items() if name != _METADATA_KEY}
    entries_by_offset = dict(sorted(entries.items(), key=lambda item: item[1][2:]))
    expected_offset = 0
    for name, (_, _, begin, end) in entries_by_offset.items():
        if begin != expected_offset:
            raise ValueError(f"the bytes of '{name}' do not begin where those before it end")
        expected_offset = end
    if expected_offset != size - 8 - length:
        raise ValueError(f"it holds {size - 8 - length} bytes of arrays, the header announces {expected_offset}")
    arrays = {}
    for name, (dtype, shape, begin, end) in entries_by_offset.items():
        arrays[name] = np.frombuffer(file.read(end - begin), dtype).reshape(shape)
    if checksum is not None and checksum != _checksum(
        header, [a.reshape(-1).view(np.uint8).data for a in arrays.values()]
    ):
        raise ValueError("its checksum is not that of its contents")
    metadata.pop(_CHECKSUM_METADATA_ITEM[0], None)
    return arrays, metadata


def _checked_array_entry(name: str, entry: Any) -> tuple[np.dtype, tuple[int, ...], int, int]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"'{name}' is not described by dtype, shape and offsets")
    dtype_name, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype_name, str) or dtype_name not in _SAFETENSORS_DTYPES:
        raise ValueError(f"'{name}' has the dtype {dtype_name!r:.100}, which fastgrad does not read")
    if not _is_size_list(shape) or not _is_size_list(offsets) or len(offsets) != 2:
        raise ValueError(f"shape or offsets of '{name}' are no sizes: {shape!r:.100}, {offsets!r:.100}")
    dtype = np.dtype(_SAFETENSORS_DTYPES[dtype_name])
    if offsets[1] - offsets[0] != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"'{name}' of shape {shape} and dtype {dtype_name} does not fit the offsets {offsets}")
    return dtype, tuple(shape), offsets[0], offsets[1]


def _is_size_list(value: Any) -> bool:
    """True if ``value`` is a shape that NumPy accepts; the product of a longer list or larger numbers takes forever."""
    return (
        isinstance(value, list)
        and len(value) <= 64
        and all(type(size) is int and 0 <= size < 1 << 63 for size in value)
    )


# ---- npz: a zip archive of .npy files; bfloat16 arrays are stored as uint16, listed in the metadata ----------


def _write_npz(file: BinaryIO, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    bfloat16_names = [name for name, array in arrays.items() if array.dtype == _BFLOAT16_DTYPE]
    metadata_text = json.dumps({"texts": metadata, "bfloat16": bfloat16_names}).encode()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.comment = f"{_ARCHIVE_COMMENT_PREFIX}{len(arrays) + 1}".encode()
        for name, array in {**arrays, _METADATA_KEY: np.frombuffer(metadata_text, np.uint8)}.items():
            with archive.open(name + ".npy", "w", force_zip64=True) as member:
                storable_array = array.view(np.uint16) if array.dtype == _BFLOAT16_DTYPE else array
                np.lib.format.write_array(member, storable_array, allow_pickle=False)


def _read_npz(archive: zipfile.ZipFile) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    arrays = {}
    comment, count = archive.comment.decode("latin-1"), len(archive.namelist())
    if comment[:8] == _ARCHIVE_COMMENT_PREFIX[:8] and comment != f"{_ARCHIVE_COMMENT_PREFIX}{count}":
        raise ValueError(f"it shows {count} members and says {comment!r}")
    if f"{_METADATA_KEY}.npy" in archive.namelist():
        check_json_member_length(archive, f"{_METADATA_KEY}.npy")
    for name in archive.namelist():
        if not name.endswith(".npy"):
            raise ValueError(f"it holds {name!r}, which is no array")
        with archive.open(name) as member:  # reading to the end verifies the CRC
            arrays[name.removesuffix(".npy")] = parse_npy(name, member, archive.getinfo(name).file_size)
    texts: Any = {}
    if _METADATA_KEY in arrays:
        metadata_bytes = arrays.pop(_METADATA_KEY)
        try:
            parsed_metadata = parse_json(metadata_bytes.tobytes())
            texts, bfloat16_names = parsed_metadata["texts"], list(parsed_metadata["bfloat16"])
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"its metadata are damaged ({error})") from None
        for name in bfloat16_names:
            if name not in arrays or arrays[name].dtype != np.uint16:
                raise ValueError(f"'{name}' does not hold the bits of bfloat16 values")
            arrays[name] = arrays[name].view(_BFLOAT16_DTYPE)
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise ValueError("its metadata are no texts")
    return arrays, texts


def parse_npy(name: str, stream: Any, size: int) -> np.ndarray:
    """Parses an ``.npy`` file; checks its length before it allocates the array.

    Raises:
        ValueError: the stream is not an ``.npy`` file, or holds objects.
    """
    shape, is_fortran_order, dtype = npy_header(name, stream)
    if dtype.newbyteorder("=") not in _SAFETENSORS_DTYPE_NAMES and dtype.kind != "c":
        raise ValueError(f"{name!r} holds values of dtype {dtype}; pickled objects are never loaded")
    if math.prod(shape) * dtype.itemsize != size - stream.tell():
        raise ValueError(f"{name!r} of shape {shape} and dtype {dtype} does not fit its {size} bytes")
    flat_array = np.empty(math.prod(shape), dtype)
    _read_into(flat_array.view(np.uint8).data, name, stream)
    return np.asarray(
        flat_array.reshape(shape, order="F" if is_fortran_order else "C"), dtype.newbyteorder("="), order="C"
    )


def _read_into(target: memoryview, name: str, stream: Any) -> None:
    """Reads the rest of ``stream`` into ``target`` piece by piece, because streams of zip archives copy each read."""
    position = 0
    while count := stream.readinto(target[position : position + _BYTES_PER_READ]):
        position += count
    if position != len(target) or stream.read(1):  # zipfile verifies the CRC at the end of the stream
        raise ValueError(f"{name!r} has {position} bytes of values, not {len(target)}")


def npy_header(name: str, stream: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Returns shape, Fortran order and dtype of an ``.npy`` file; ValueError for a header unlike NumPy's."""
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{name!r} is in version {version} of the format")
    length_field = stream.read(2 if version == (1, 0) else 4)
    if int.from_bytes(length_field, "little") > _MAX_NPY_HEADER_BYTES:  # checked before the header is read
        raise ValueError(f"{name!r} has a header of {int.from_bytes(length_field, 'little')} bytes")
    header = io.BytesIO(length_field + stream.read(int.from_bytes(length_field, "little")))
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, is_fortran_order, dtype = read_header(header)
    if not all(type(size) is int and size >= 0 for size in shape) or len(shape) > 64:
        raise ValueError(f"{name!r} has the shape {shape!r:.100}")
    return shape, is_fortran_order, dtype
