"""Named arrays in HDF5 files with nested groups, the format of Keras weights; uses h5py.

Files written here have a checksum attribute, which Keras ignores. Files without a checksum are read unchecked.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np

from fastgrad._src.core.damaged_file import parser_errors_as_one
from fastgrad._src.files.formats.json_text import parse_json
from fastgrad._src.files.formats.zip_archive import MAX_COMPRESSION_RATIO

_BFLOAT16_DTYPE = np.dtype(ml_dtypes.bfloat16)
_MAX_ATTRIBUTE_BYTES = 64512
_MAX_GROUP_LEVELS = 200
_MAX_SHARED_STRING_BYTES = 64 << 20
"""The memory limit of a list of variable-length strings if all entries share one string as long as the file."""

_CHECKSUM_ATTRIBUTE = "fastgrad_crc32"


def h5py_module() -> Any:
    """Imports h5py; the ImportError names the install command."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            "Keras's own .keras and .weights.h5 files are HDF5: install h5py (pip install h5py)."
        ) from error
    return h5py


def write_hdf5(file: BinaryIO, arrays: dict[str, np.ndarray], attributes: dict[str, dict[str, Any]]) -> None:
    """Writes ``arrays`` by path, and ``attributes`` (strings and lists of strings) by group path and name."""
    target = _ErrorKeepingFile(file)
    try:
        with h5py_module().File(target, "w") as root:
            for path, values in attributes.items():
                group = root.require_group(path) if path else root
                for name, value in values.items():
                    _write_attribute(group, name, value)
            for path, array in arrays.items():
                dataset = root.create_dataset(path, data=array)
                if array.dtype == _BFLOAT16_DTYPE:
                    dataset.attrs["dtype"] = "bfloat16"
            root.attrs[_CHECKSUM_ATTRIBUTE] = json.dumps(
                {"arrays": _arrays_checksum(arrays), "texts": _attributes_checksum(_attributes_of_groups(root))}
            )
    except Exception:
        if target.error is not None:
            raise target.error from None
        raise
    if target.error is not None:
        raise target.error


class _ErrorKeepingFile:
    """A file object for h5py that keeps errors: raised inside HDF5, an error would become a SystemError or get lost.

    Attributes:
        error: the first error. Nothing is written after it.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.error: OSError | None = None
        self.seek, self.tell, self.read = file.seek, file.tell, file.read
        self.readinto = file.readinto  # type: ignore[attr-defined]
        self._file = file

    def write(self, values: Any) -> int:
        self._call_unless_failed(lambda: self._write_all(memoryview(values)))
        return len(values)

    def _write_all(self, values: memoryview) -> None:
        while values:  # an unbuffered file may write only a part
            values = values[self._file.write(values) :]

    def truncate(self, size: int) -> int:
        self._call_unless_failed(lambda: self._file.truncate(size))
        return size

    def flush(self) -> None:
        self._call_unless_failed(self._file.flush)

    def _call_unless_failed(self, call: Callable[[], Any]) -> None:
        try:
            if self.error is None:
                call()
        except OSError as error:
            self.error = error


def _arrays_checksum(arrays: dict[str, np.ndarray]) -> int:
    checksum = 0
    for path in sorted(arrays):
        array = np.ascontiguousarray(arrays[path])
        checksum = zlib.crc32(f"{path} {array.dtype.name} {array.shape}".encode(), checksum)
        checksum = zlib.crc32(array.reshape(-1).view(np.uint8).data, checksum)
    return checksum


def _attributes_checksum(attributes: dict[str, dict[str, Any]]) -> int:
    return zlib.crc32(json.dumps(attributes, sort_keys=True).encode())


def _verify_checksum(root_group: Any, part: str, computed: int) -> None:
    """Raises ValueError if the file has a checksum of ``part``, arrays or texts, that differs from ``computed``."""
    text = (
        _attribute_text(root_group, _CHECKSUM_ATTRIBUTE, root_group.file.id.get_filesize())
        if _CHECKSUM_ATTRIBUTE in root_group.attrs
        else None
    )
    if text is not None and parse_json(text)[part] != computed:
        raise ValueError(
            f"the checksum of its {part} is not that of its contents. If the change was meant, delete the attribute {_CHECKSUM_ATTRIBUTE!r}"
        )


def _write_attribute(group: Any, name: str, value: str | list[str]) -> None:
    """Writes an attribute; a list that is too long is split into numbered attributes, as in Keras."""
    if isinstance(value, str):
        group.attrs[name] = value
        return
    texts = np.array([text.encode() for text in value]) if value else np.array([], "S1")
    part_count = -(-max(texts.nbytes, 1) // _MAX_ATTRIBUTE_BYTES)
    for part_number, part in enumerate(np.array_split(texts, part_count)):
        group.attrs[f"{name}{part_number}" if part_count > 1 else name] = part


def read_attributes(file: BinaryIO, source: str) -> dict[str, dict[str, Any]]:
    """Reads the attributes of all groups by path: strings and lists of strings; other attributes are skipped.

    Raises:
        ValueError: the file is damaged.
    """
    with parser_errors_as_one(source, "HDF5 file of a model"), h5py_module().File(file, "r") as root:
        attributes = _attributes_of_groups(root)
        _verify_checksum(root, "texts", _attributes_checksum(attributes))
    return attributes


def _attributes_of_groups(root_group: Any) -> dict[str, dict[str, Any]]:
    groups, _ = _groups_and_datasets(root_group)
    attributes_by_path = {}
    size = root_group.file.id.get_filesize()
    text_length = 0
    for path, group in groups.items():
        values = {}
        for name in group.attrs:
            value = _attribute_text(group, name, size) if name != _CHECKSUM_ATTRIBUTE else None
            if value is not None:
                values[name] = value
                text_length += len(value) if isinstance(value, str) else sum(map(len, value))
            if text_length > size:
                raise ValueError(f"its texts have more than {text_length} letters, the file has {size} bytes")
        attributes_by_path[path] = values
    return attributes_by_path


def _attribute_text(item: Any, name: str, size: int) -> Any:
    """Returns the attribute ``name`` if it is a string or a list of strings, else None.

    Raises:
        ValueError: the attribute declares more bytes than the file has, or is a list whose strings may overlap.
    """
    attribute = item.attrs.get_id(name)
    count = attribute.get_space().get_simple_extent_npoints()
    announced_bytes = count * attribute.dtype.itemsize
    if announced_bytes > size:
        raise ValueError(
            f"the attribute {name!r} of {item.name!r} announces {announced_bytes} bytes, the file has {size}"
        )
    # h5py reads the whole list at once.
    if attribute.dtype.kind == "O" and count > 1 and count * size > _MAX_SHARED_STRING_BYTES:
        raise ValueError(
            f"the attribute {name!r} of {item.name!r} has {count} texts of variable length, which may be one text of {size} bytes. "
            "Keras writes lists of texts as arrays of a fixed length: np.array(texts, 'S')"
        )
    return _decoded_texts(item.attrs[name])


def _groups_and_datasets(root_group: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns groups and datasets by path.

    Raises:
        ValueError: links outside of the file, cyclic groups, or more group levels than a model has.
    """
    h5py = h5py_module()
    groups, datasets, group_addresses = {"": root_group}, {}, {h5py.h5o.get_info(root_group.id).addr}
    group_queue = [("", root_group)]
    for prefix, group in group_queue:  # the loop extends the list
        if prefix.count("/") > _MAX_GROUP_LEVELS:
            raise ValueError(f"its groups have more than {_MAX_GROUP_LEVELS} levels")
        for name in group:
            path = prefix + name
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{path!r} is a link to elsewhere, which is never followed")
            item = group[name]
            if isinstance(item, h5py.Group):
                address = h5py.h5o.get_info(item.id).addr
                if address in group_addresses:
                    raise ValueError(f"the group {path!r} occurs twice, or contains itself")
                group_addresses.add(address)
                groups[path] = item
                group_queue.append((path + "/", item))
            elif isinstance(item, h5py.Dataset):
                datasets[path] = item
    return groups, datasets


def _decoded_texts(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str):
        return value
    if isinstance(value, np.ndarray) and (value.dtype.kind in "SO" or not value.size):
        texts = [_decoded_texts(item) for item in value.ravel()]
        return texts if None not in texts else None
    return None


def read_hdf5(file: BinaryIO, source: str) -> dict[str, np.ndarray]:
    """Reads all arrays of a file by path.

    Args:
        file: an open file.
        source: the file name for error messages.

    Raises:
        ValueError: the file is damaged, links to other files, or holds values that are not numbers.
    """
    file_size = file.seek(0, os.SEEK_END)
    file.seek(0)
    with parser_errors_as_one(source, "HDF5 file of weights"), h5py_module().File(file, "r") as root:
        _, datasets = _groups_and_datasets(root)
        announced_bytes = sum(_stored_byte_count(dataset, path) for path, dataset in datasets.items())
        if announced_bytes > file_size:  # arrays lie outside of the file, or overlap
            raise ValueError(f"its arrays announce {announced_bytes} bytes, it has {file_size}")
        arrays = {path: _read_dataset(dataset, path) for path, dataset in datasets.items()}
        _verify_checksum(root, "arrays", _arrays_checksum(arrays))
    return arrays


def _stored_byte_count(dataset: Any, path: str) -> int:
    """Returns the stored size of a dataset in bytes; ValueError for external data or impossible compression."""
    if dataset.shape is None or dataset.is_virtual or dataset.external:
        raise ValueError(f"the values of {path!r} are not in this file")
    stored_bytes = dataset.id.get_storage_size()
    if dataset.nbytes > MAX_COMPRESSION_RATIO * stored_bytes:
        raise ValueError(f"{path!r} announces {dataset.nbytes} bytes, {stored_bytes} are there")
    return stored_bytes


def _read_dataset(dataset: Any, path: str) -> np.ndarray:
    if (
        dataset.dtype == np.dtype("V2")
        and "dtype" in dataset.attrs
        and _attribute_text(dataset, "dtype", dataset.file.id.get_filesize()) == "bfloat16"
    ):
        return np.asarray(dataset[()]).view(_BFLOAT16_DTYPE)
    if dataset.dtype.kind not in "biufc":
        raise ValueError(f"{path!r} holds values of dtype {dataset.dtype}")
    return np.asarray(dataset[()]).astype(dataset.dtype.newbyteorder("="), copy=False)
