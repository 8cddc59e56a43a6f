"""Sparse tensors as strings: the serialized tensors of their indices, values and shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.files.records.string_tensors import tensor_message
from fastgrad._src.ops.python_function import call_on_host
from fastgrad._src.structures.sparse.sparse_tensor import as_sparse
from fastgrad._src.structures.strings.rows import array_of_elements


def serialize_sparse(sp_input: Any, out_type: Any = dtypes.string, name: str | None = None) -> Tensor:
    """A sparse tensor as three strings: the serialized indices, values and shape.

    Args:
        sp_input: a sparse tensor.
        out_type: ``tf.string``.
        name: kept for TensorFlow's signature.

    Returns:
        Strings, shape (3,); ``tf.io.parse_tensor`` reads each.

    Raises:
        TypeError: ``sp_input`` is no sparse tensor.
        InvalidArgumentError: another ``out_type``.
    """
    what = "serialize_sparse"
    sparse = as_sparse(sp_input, what)
    if dtypes.as_dtype(out_type) is not dtypes.string:
        raise InvalidArgumentError(f"{what}: out_type must be tf.string, got {out_type!r}.")
    shape = np.array(sparse._shape, np.int64)

    def run(indices: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, ...]:
        messages = map(tensor_message, (indices, values, shape))
        return (array_of_elements([part.SerializeToString(deterministic=True) for part in messages], [3]),)

    return call_on_host(what, run, (sparse.indices, sparse.values), acts=False)[0]
