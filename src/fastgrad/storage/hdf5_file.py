"""Named arrays in HDF5 files, through h5py: groups within groups, as Keras writes its weights.

Files written here have a checksum as an attribute, which Keras does not look at. Files without it are read as they are.
"""

from __future__ import annotations

import json
import zlib
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np

_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
_LARGEST_ATTRIBUTE = 64512
_MOST_COMPRESSION = 1100  # deflate's limit: data of more bytes than this many times those stored is made up


_CHECKSUM = "fastgrad_crc32"


def h5py_module() -> Any:
    """h5py, or an ImportError that says how to get it."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            "Keras's own .keras and .weights.h5 files are HDF5: install h5py (pip install h5py)."
        ) from error
    return h5py


def write_hdf5(file: BinaryIO, arrays: dict[str, np.ndarray], attributes: dict[str, dict[str, Any]]) -> None:
    """Writes arrays by their paths, and attributes of groups, texts and lists of texts, by theirs."""
    with h5py_module().File(file, "w") as root:
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
    """Raises ValueError if the file has a checksum of ``part``, and another one than ``computed``."""
    text = _texts(root.attrs.get(_CHECKSUM))
    if text is not None and json.loads(text)[part] != computed:
        raise ValueError(
            f"the checksum of its {part} is not that of its contents. If the change was meant, delete the attribute {_CHECKSUM!r}"
        )


def _write_attribute(group: Any, name: str, value: str | list[str]) -> None:
    """Lists too long for one attribute go to several, numbered, as Keras does it."""
    if isinstance(value, str):
        group.attrs[name] = value
        return
    texts = np.array([text.encode() for text in value]) if value else np.array([], "S1")
    parts = -(-max(texts.nbytes, 1) // _LARGEST_ATTRIBUTE)
    for number, part in enumerate(np.array_split(texts, parts)):
        group.attrs[f"{name}{number}" if parts > 1 else name] = part


def read_attributes(file: BinaryIO, source: str) -> dict[str, dict[str, Any]]:
    """The attributes of all groups by their paths: texts, and lists of texts; others are left out.

    Raises:
        ValueError: a damaged file.
    """
    try:
        with h5py_module().File(file, "r") as root:
            found = _attributes(root)
            _check(root, "texts", _of_texts(found))
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{source!r} is no intact HDF5 file of a model: {error}") from error
    return found


def _attributes(root: Any) -> dict[str, dict[str, Any]]:
    h5py = h5py_module()
    found: dict[str, dict[str, Any]] = {}

    def visit(path: str, item: Any) -> None:
        if isinstance(item, h5py.Group):
            values = {name: _texts(item.attrs[name]) for name in item.attrs if name != _CHECKSUM}
            found[path] = {name: value for name, value in values.items() if value is not None}

    visit("", root)
    root.visititems(visit)  # follows no links
    return found


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
    """All arrays of a file by their paths.

    Args:
        file: open.
        source: what the file is called, for errors.

    Raises:
        ValueError: a damaged file, one that points to others, values that are no numbers.
    """
    h5py = h5py_module()
    found: dict[str, np.ndarray] = {}
    try:
        with h5py.File(file, "r") as root:
            _collect(h5py, root, "", found, set())
            _check(root, "arrays", _of_arrays(found))
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{source!r} is no intact HDF5 file of weights: {error}") from error
    return found


def _collect(h5py: Any, group: Any, prefix: str, found: dict[str, np.ndarray], seen: set[Any]) -> None:
    place = h5py.h5o.get_info(group.id).addr
    if place in seen:
        raise ValueError(f"the group {prefix!r} contains itself")
    seen.add(place)
    for name in group:
        path = prefix + name
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{path!r} is a link to elsewhere, which is never followed")
        item = group[name]
        if isinstance(item, h5py.Group):
            _collect(h5py, item, path + "/", found, seen)
        elif isinstance(item, h5py.Dataset):
            found[path] = _checked(item, path)


def _checked(dataset: Any, path: str) -> np.ndarray:
    if dataset.shape is None or dataset.is_virtual or dataset.external:
        raise ValueError(f"the values of {path!r} are not in this file")
    if dataset.nbytes > _MOST_COMPRESSION * dataset.id.get_storage_size():
        raise ValueError(f"{path!r} announces {dataset.nbytes} bytes, {dataset.id.get_storage_size()} are there")
    if dataset.attrs.get("dtype") == "bfloat16" and dataset.dtype == np.dtype("V2"):
        return np.asarray(dataset[()]).view(_BFLOAT16)
    if dataset.dtype.kind not in "biufc":
        raise ValueError(f"{path!r} holds values of dtype {dataset.dtype}")
    return np.asarray(dataset[()]).astype(dataset.dtype.newbyteorder("="), copy=False)
