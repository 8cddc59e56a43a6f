"""Readers of dataset files. The reader of pickles accepts only arrays, lists, numbers and similar plain values."""

from __future__ import annotations

import io
import pickle  # its reader below replaces every class that a pickle may name
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_interval
from fastgrad._src.core.damaged_file import open_regular
from fastgrad._src.files.formats.tensor_file import npy_header, parse_npy
from fastgrad._src.files.formats.zip_archive import open_zip
from fastgrad._src.keras.utils.files import get_file

DATASETS_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"

TrainAndTestArrays = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class _PickledDType:
    """A pickle's description of a dtype; NumPy's own class would accept any state, and crash with some."""

    def __init__(self, name: Any, *_: Any) -> None:
        self.name, self.order = _text(name), "|"

    def __setstate__(self, state: Any) -> None:
        self.order = _text(state[1])

    def numpy(self) -> np.dtype:
        """Returns the dtype; ValueError if it is not a dtype of numbers or objects."""
        dtype = np.dtype(object) if self.name in ("O", "O8") else np.dtype(self.name)
        if dtype.kind not in "biufO":
            raise ValueError(f"a file of data has values of dtype {dtype}")
        return dtype.newbyteorder(">") if self.order == ">" else dtype


class _PickledArray:
    """A pickle's description of an array."""

    value: np.ndarray

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, data = state
        numpy_dtype = dtype.numpy()
        flat: Any = np.empty(len(data), object) if numpy_dtype.hasobject else np.frombuffer(data, numpy_dtype)
        if numpy_dtype.hasobject:
            flat[:] = data
        self.value = flat.reshape(shape, order="F" if fortran else "C")


def _new_pickled_array(*_: Any) -> _PickledArray:
    return _PickledArray()


def _encoded_text(text: str, encoding: str) -> bytes:
    """Returns the bytes that a pickle of an older protocol stores as a text."""
    if encoding != "latin1":
        raise ValueError(f"a file of data has bytes in {encoding!r}")
    return text.encode("latin1")


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


_ALLOWED_NAMES: dict[tuple[str, str], Any] = {
    ("_codecs", "encode"): _encoded_text,
    ("numpy", "dtype"): _PickledDType,
    ("numpy", "ndarray"): _PickledArray,
    ("numpy._core.multiarray", "_reconstruct"): _new_pickled_array,
    ("numpy.core.multiarray", "_reconstruct"): _new_pickled_array,
}


class _RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED_NAMES:
            raise ValueError(f"a file of data names {module}.{name}, which is not data")
        return _ALLOWED_NAMES[module, name]


def unpickle_restricted(contents: bytes, encoding: str = "ASCII") -> Any:
    """Reads a pickle of arrays, lists, dicts, texts and numbers; ValueError if it names anything else."""
    try:
        return _without_pickled_arrays(_RestrictedUnpickler(io.BytesIO(contents), encoding=encoding).load())
    except MemoryError:
        raise ValueError("a file of data announces more bytes than there is memory") from None


def _without_pickled_arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_pickled_arrays(item) for name, item in value.items()}
    return value.value if isinstance(value, _PickledArray) else value


def load_npz_arrays(path: str, name: str, file_hash: str) -> dict[str, np.ndarray]:
    """Returns the arrays of Keras's ``.npz`` file ``name``; the cache stores the file under the name ``path``."""
    arrays = {}
    cached_path = get_file(path, DATASETS_URL + name, file_hash=file_hash)
    with open_regular(cached_path) as file, open_zip(file, cached_path, ".npz file") as archive:
        for member in archive.namelist():
            contents = archive.read(member)
            stream = io.BytesIO(contents)
            shape, _, dtype = npy_header(member, stream)
            if dtype.hasobject:
                array = unpickle_restricted(contents[stream.tell() :]).reshape(shape)
            else:
                array = parse_npy(member, io.BytesIO(contents), len(contents))
            arrays[member.removesuffix(".npy")] = array
    return arrays


def shuffled_rows(seed: int, *arrays: np.ndarray) -> list[np.ndarray]:
    """Returns all arrays with their rows in one random order, the order of Keras."""
    order = np.arange(len(arrays[0]))
    np.random.RandomState(seed).shuffle(order)  # Keras's own order
    return [array[order] for array in arrays]


def split_rows(x: np.ndarray, y: np.ndarray, test_split: float, seed: int) -> TrainAndTestArrays:
    """Shuffles rows and splits off the last ones for tests; ValueError if ``test_split`` is not in [0, 1)."""
    check_interval("load_data", "[0, 1)", test_split=test_split)
    x, y = shuffled_rows(seed, x, y)
    train_count = int(len(x) * (1 - test_split))
    return (x[:train_count].copy(), y[:train_count].copy()), (x[train_count:].copy(), y[train_count:].copy())
