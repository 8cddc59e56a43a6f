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

from fastgrad.storage.damaged_file import parsing
from fastgrad.storage.json_text import parse_json
from fastgrad.storage.zip_archive import MOST_COMPRESSION

_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
_LARGEST_ATTRIBUTE = 64512
_MOST_LEVELS = 200
_MOST_SHARED = 64 << 20
"""The memory limit of a list of variable-length strings if all entries share one string as long as the file."""

_CHECKSUM = "fastgrad_crc32"


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
    target = _Target(file)
    try:
        with h5py_module().File(target, "w") as root:
            for path, values in attributes.items():
                group = root.require_group(path) if path else root
                for name, value in values.items():
                    _write_attribute(group, name, value)
            for path, array in arrays.items():
                if array.dtype == _BFLOAT16:
                    root.create_dataset(path, data=array).attrs["dtype"] = "bfloat16"
                else:
                    root.create_dataset(path, data=array)
            root.attrs[_CHECKSUM] = json.dumps({"arrays": _of_arrays(arrays), "texts": _of_texts(_attributes(root))})
    except Exception:
        if target.error is not None:
            raise target.error from None
        raise
    if target.error is not None:
        raise target.error


class _Target:
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
        self._try(lambda: self._write_all(memoryview(values)))
        return len(values)

    def _write_all(self, values: memoryview) -> None:
        while values:  # an unbuffered file may write only a part
            values = values[self._file.write(values) :]

    def truncate(self, size: int) -> int:
        self._try(lambda: self._file.truncate(size))
        return size

    def flush(self) -> None:
        self._try(self._file.flush)

    def _try(self, call: Callable[[], Any]) -> None:
        try:
            if self.error is None:
                call()
        except OSError as error:
            self.error = error


def _of_arrays(arrays: dict[str, np.ndarray]) -> int:
    total = 0
    for path in sorted(arrays):
        array = np.ascontiguousarray(arrays[path])
        total = zlib.crc32(f"{path} {array.dtype.name} {array.shape}".encode(), total)
        total = zlib.crc32(array.reshape(-1).view(np.uint8).data, total)
    return total


def _of_texts(attributes: dict[str, dict[str, Any]]) -> int:
    return zlib.crc32(json.dumps(attributes, sort_keys=True).encode())


def _check(root: Any, part: str, computed: int) -> None:
    """Raises ValueError if the file has a checksum of ``part`` that differs from ``computed``."""
    text = _text_of(root, _CHECKSUM, root.file.id.get_filesize()) if _CHECKSUM in root.attrs else None
    if text is not None and parse_json(text)[part] != computed:
        raise ValueError(
            f"the checksum of its {part} is not that of its contents. If the change was meant, delete the attribute {_CHECKSUM!r}"
        )


def _write_attribute(group: Any, name: str, value: str | list[str]) -> None:
    """Writes an attribute; a list that is too long is split into numbered attributes, as in Keras."""
    if isinstance(value, str):
        group.attrs[name] = value
        return
    texts = np.array([text.encode() for text in value]) if value else np.array([], "S1")
    parts = -(-max(texts.nbytes, 1) // _LARGEST_ATTRIBUTE)
    for number, part in enumerate(np.array_split(texts, parts)):
        group.attrs[f"{name}{number}" if parts > 1 else name] = part


def read_attributes(file: BinaryIO, source: str) -> dict[str, dict[str, Any]]:
    """Reads the attributes of all groups by path: strings and lists of strings; other attributes are skipped.

    Raises:
        ValueError: the file is damaged.
    """
    with parsing(source, "HDF5 file of a model"), h5py_module().File(file, "r") as root:
        found = _attributes(root)
        _check(root, "texts", _of_texts(found))
    return found


def _attributes(root: Any) -> dict[str, dict[str, Any]]:
    groups, _ = _items(root)
    found = {}
    size = root.file.id.get_filesize()
    total = 0
    for path, group in groups.items():
        values = {}
        for name in group.attrs:
            value = _text_of(group, name, size) if name != _CHECKSUM else None
            if value is not None:
                values[name] = value
                total += len(value) if isinstance(value, str) else sum(map(len, value))
            if total > size:
                raise ValueError(f"its texts have more than {total} letters, the file has {size} bytes")
        found[path] = values
    return found


def _text_of(item: Any, name: str, size: int) -> Any:
    """Returns the attribute ``name`` if it is a string or a list of strings, else None.

    Raises:
        ValueError: the attribute declares more bytes than the file has, or is a list whose strings may overlap.
    """
    attribute = item.attrs.get_id(name)
    count = attribute.get_space().get_simple_extent_npoints()
    stored = count * attribute.dtype.itemsize
    if stored > size:
        raise ValueError(f"the attribute {name!r} of {item.name!r} announces {stored} bytes, the file has {size}")
    if attribute.dtype.kind == "O" and count > 1 and count * size > _MOST_SHARED:  # h5py reads the whole list at once
        raise ValueError(
            f"the attribute {name!r} of {item.name!r} has {count} texts of variable length, which may be one text of {size} bytes. "
            "Keras writes lists of texts as arrays of a fixed length: np.array(texts, 'S')"
        )
    return _texts(item.attrs[name])


def _items(root: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns groups and datasets by path.

    Raises:
        ValueError: links outside of the file, cyclic groups, or more group levels than a model has.
    """
    h5py = h5py_module()
    groups, datasets, places = {"": root}, {}, {h5py.h5o.get_info(root.id).addr}
    waiting = [("", root)]
    for prefix, group in waiting:  # the loop extends the list
        if prefix.count("/") > _MOST_LEVELS:
            raise ValueError(f"its groups have more than {_MOST_LEVELS} levels")
        for name in group:
            path = prefix + name
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{path!r} is a link to elsewhere, which is never followed")
            item = group[name]
            if isinstance(item, h5py.Group):
                place = h5py.h5o.get_info(item.id).addr
                if place in places:
                    raise ValueError(f"the group {path!r} occurs twice, or contains itself")
                places.add(place)
                groups[path] = item
                waiting.append((path + "/", item))
            elif isinstance(item, h5py.Dataset):
                datasets[path] = item
    return groups, datasets


def _texts(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str):
        return value
    if isinstance(value, np.ndarray) and (value.dtype.kind in "SO" or not value.size):
        texts = [_texts(item) for item in value.ravel()]
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
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    with parsing(source, "HDF5 file of weights"), h5py_module().File(file, "r") as root:
        _, datasets = _items(root)
        stored = sum(_stored(dataset, path) for path, dataset in datasets.items())
        if stored > size:  # arrays lie outside of the file, or overlap
            raise ValueError(f"its arrays announce {stored} bytes, it has {size}")
        found = {path: _values(dataset, path) for path, dataset in datasets.items()}
        _check(root, "arrays", _of_arrays(found))
    return found


def _stored(dataset: Any, path: str) -> int:
    """Returns the stored size of a dataset in bytes; ValueError for external data or impossible compression."""
    if dataset.shape is None or dataset.is_virtual or dataset.external:
        raise ValueError(f"the values of {path!r} are not in this file")
    stored = dataset.id.get_storage_size()
    if dataset.nbytes > MOST_COMPRESSION * stored:
        raise ValueError(f"{path!r} announces {dataset.nbytes} bytes, {stored} are there")
    return stored


def _values(dataset: Any, path: str) -> np.ndarray:
    if (
        dataset.dtype == np.dtype("V2")
        and "dtype" in dataset.attrs
        and _text_of(dataset, "dtype", dataset.file.id.get_filesize()) == "bfloat16"
    ):
        return np.asarray(dataset[()]).view(_BFLOAT16)
    if dataset.dtype.kind not in "biufc":
        raise ValueError(f"{path!r} holds values of dtype {dataset.dtype}")
    return np.asarray(dataset[()]).astype(dataset.dtype.newbyteorder("="), copy=False)
