"""``tf.io``: files as strings, and image files as tensors."""

from __future__ import annotations

import os
from typing import Any

from fastgrad import dtypes
from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.core.tensor import Tensor
from fastgrad.errors import FailedPreconditionError, NotFoundError
from fastgrad.image.codecs import decode_and_crop_jpeg as decode_and_crop_jpeg
from fastgrad.image.codecs import decode_bmp as decode_bmp
from fastgrad.image.codecs import decode_gif as decode_gif
from fastgrad.image.codecs import decode_image as decode_image
from fastgrad.image.codecs import decode_jpeg as decode_jpeg
from fastgrad.image.codecs import decode_png as decode_png
from fastgrad.image.codecs import encode_jpeg as encode_jpeg
from fastgrad.image.codecs import encode_png as encode_png
from fastgrad.image.codecs import extract_jpeg_shape as extract_jpeg_shape
from fastgrad.image.codecs import is_jpeg as is_jpeg
from fastgrad.ops.arguments import scalar_of_dtype
from fastgrad.ops.python_function import numpy_function
from fastgrad.storage.atomic_write import write_atomically
from fastgrad.storage.damaged_file import open_regular


def _string(name: str, what: str, value: Any) -> Tensor:
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
    """

    def read(path: bytes) -> bytes:
        try:
            with open_regular(os.fsdecode(path)) as file:
                return file.read()
        except FileNotFoundError:
            raise NotFoundError(f"read_file: {os.fsdecode(path)}; No such file or directory") from None
        except IsADirectoryError:
            raise FailedPreconditionError(f"read_file: {os.fsdecode(path)}; Is a directory") from None

    return numpy_function(read, [_string("read_file", "filename", filename)], dtypes.string)


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

    inputs = [_string("write_file", "filename", filename), _string("write_file", "contents", contents)]
    numpy_function(write, inputs, [])


__getattr__, __dir__ = _namespace_hooks("tf.io", globals())
