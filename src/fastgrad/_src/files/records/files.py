"""Files as strings, and the names of files."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.damaged_file import open_regular
from fastgrad._src.core.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.files.formats.atomic_write import write_atomically
from fastgrad._src.files.records.gfile import glob
from fastgrad._src.ops.arguments import scalar_of_dtype
from fastgrad._src.ops.python_function import numpy_function
from fastgrad._src.structures.strings.rows import array_of_elements, strings_of


def _string_scalar(name: str, what: str, value: Any) -> Tensor:
    return scalar_of_dtype(value, dtypes.string, name, what)


def read_file(filename: Any, name: str | None = None) -> Tensor:
    """The bytes of a file as a string scalar.

    Args:
        filename: a string scalar.
        name: kept for TensorFlow's signature.

    Raises:
        NotFoundError: there is no such file.
        FailedPreconditionError: it is a directory.
        OSError: the file can't be read.

    Example:
        >>> tf.io.write_file("greeting.txt", "hello")
        >>> tf.io.read_file("greeting.txt").numpy()
        b'hello'
    """

    def read(path: bytes) -> bytes:
        try:
            with open_regular(os.fsdecode(path)) as file:
                return file.read()
        except FileNotFoundError:
            raise NotFoundError(f"read_file: {os.fsdecode(path)}; No such file or directory") from None
        except IsADirectoryError:
            raise FailedPreconditionError(f"read_file: {os.fsdecode(path)}; Is a directory") from None

    return numpy_function(read, [_string_scalar("read_file", "filename", filename)], dtypes.string)


def write_file(filename: Any, contents: Any, name: str | None = None) -> None:
    """Writes a string scalar to a file, and makes the folders above it.

    Args:
        filename, contents: string scalars.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: an argument is no string scalar.
        FailedPreconditionError: there is a directory of this name.
        OSError: the file can't be written.
    """

    def write(path: bytes, data: bytes) -> None:
        target = os.path.abspath(os.fsdecode(path))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.isdir(target):
            raise FailedPreconditionError(f"write_file: {target}; Is a directory")
        write_atomically(target, lambda file: file.write(data))

    inputs = [_string_scalar("write_file", "filename", filename), _string_scalar("write_file", "contents", contents)]
    numpy_function(write, inputs, [])


def matching_files(pattern: Any, name: str | None = None) -> Tensor:
    """The names of the files that match a pattern.

    Args:
        pattern: strings such as ``"data/*.tfrecord"``, a scalar or a vector.
        name: kept for TensorFlow's signature.

    Returns:
        Strings in sorted order, shape (files,). Names in the working folder begin with ``./``.

    Raises:
        TypeError: ``pattern`` is no string.
        InvalidArgumentError: ``pattern`` has another rank.
    """
    patterns = strings_of("matching_files", pattern)
    if patterns.ndim > 1:
        raise InvalidArgumentError(f"matching_files: Input patterns must be scalar or vector, got {patterns.shape}")

    def run(texts: np.ndarray) -> tuple[np.ndarray, ...]:
        names = sorted(os.fsencode(found) for text in texts.reshape(-1).tolist() for found in glob(os.fsdecode(text)))
        return (array_of_elements(names, [len(names)]),)

    return numpy_function(lambda texts: run(np.asarray(texts, object))[0], [patterns], dtypes.string)
