"""Files of datasets as arrays. Some are pickles: those are read by a reader that knows arrays, lists and numbers only."""

from __future__ import annotations

import io
import pickle  # with a list of what may be named
import zipfile
from typing import Any

import numpy as np

from fastgrad.keras.utils.files import get_file

ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"

Split = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

_HARMLESS = frozenset(
    [
        ("_codecs", "encode"),
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "_reconstruct"),
    ]
)


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _HARMLESS:
            raise ValueError(f"a file of data names {module}.{name}, which is not data")
        if name == "_reconstruct":
            module = "numpy._core.multiarray"
        return super().find_class(module, name)


def unpickled(contents: bytes, encoding: str = "ASCII") -> Any:
    """What a pickle of arrays, lists, dicts, texts and numbers holds; ValueError if it names anything else."""
    return _Reader(io.BytesIO(contents), encoding=encoding).load()


def arrays_of(path: str, name: str, file_hash: str) -> dict[str, np.ndarray]:
    """The arrays of Keras's ``.npz`` file ``name``, which is called ``path`` in the cache."""
    found = {}
    with zipfile.ZipFile(get_file(path, ORIGIN + name, file_hash=file_hash)) as archive:
        for member in archive.namelist():
            contents = archive.read(member)
            stream = io.BytesIO(contents)
            version = np.lib.format.read_magic(stream)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = header(stream)
            if dtype.hasobject:
                array = unpickled(contents[stream.tell() :]).reshape(shape)
            else:
                array = np.load(io.BytesIO(contents), allow_pickle=False)
            found[member.removesuffix(".npy")] = array
    return found


def shuffled_rows(seed: int, *arrays: np.ndarray) -> list[np.ndarray]:
    """All arrays with their rows in one random order, Keras's."""
    order = np.arange(len(arrays[0]))
    np.random.RandomState(seed).shuffle(order)  # the order of Keras's own
    return [array[order] for array in arrays]


def split_rows(x: np.ndarray, y: np.ndarray, test_split: float, seed: int) -> Split:
    """Shuffled rows, the last ones for tests; ValueError if ``test_split`` is not in [0, 1)."""
    if not 0 <= test_split < 1:
        raise ValueError(f"Invalid `test_split` argument: {test_split}. It must be between 0 and 1 (exclusive of 1).")
    x, y = shuffled_rows(seed, x, y)
    at = int(len(x) * (1 - test_split))
    return (x[:at].copy(), y[:at].copy()), (x[at:].copy(), y[at:].copy())
