"""Sparse tensors as strings: the serialized tensors of their indices, values and shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.files.records.string_tensors import parse_tensor, tensor_message
from fastgrad._src.ops.python_function import call_of_strings, call_on_host
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor, as_sparse
from fastgrad._src.structures.strings.rows import array_of_elements, strings_of


def _check_out_type(what: str, out_type: Any) -> None:
    if dtypes.as_dtype(out_type) is not dtypes.string:
        raise InvalidArgumentError(f"{what}: out_type must be tf.string, got {out_type!r}.")


def _serialize_parts(indices: np.ndarray, values: np.ndarray, shape: Any) -> list[bytes]:
    arrays = (indices, values, np.array(shape, np.int64))
    return [tensor_message(array).SerializeToString(deterministic=True) for array in arrays]


def serialize_sparse(sp_input: Any, out_type: Any = dtypes.string, name: str | None = None) -> Tensor:
    """A sparse tensor as three strings: the serialized indices, values and shape.

    Args:
        sp_input: a sparse tensor.
        out_type: ``tf.string``.
        name: kept for TensorFlow's signature.

    Returns:
        Strings, shape (3,).

    Raises:
        TypeError: ``sp_input`` is no sparse tensor.
        InvalidArgumentError: another ``out_type``.
    """
    what = "serialize_sparse"
    sparse = as_sparse(sp_input, what)
    _check_out_type(what, out_type)
    shape = sparse._shape

    def run(indices: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, ...]:
        return (array_of_elements(_serialize_parts(indices, values, shape), [3]),)

    return call_on_host(what, run, (sparse.indices, sparse.values), acts=False)[0]


def serialize_many_sparse(sp_input: Any, out_type: Any = dtypes.string, name: str | None = None) -> Tensor:
    """Each row of a sparse tensor, itself a sparse tensor, as three strings: indices, values and shape.

    Args:
        sp_input: a sparse tensor of rank 2 or more, whose indices are in order of rows.
        out_type: ``tf.string``.
        name: kept for TensorFlow's signature.

    Returns:
        Strings, shape (rows, 3); ``deserialize_many_sparse`` reads them.

    Raises:
        TypeError: ``sp_input`` is no sparse tensor.
        InvalidArgumentError: its rank is below 2, or another ``out_type``.
    """
    what = "serialize_many_sparse"
    sparse = as_sparse(sp_input, what)
    _check_out_type(what, out_type)
    shape = sparse._shape
    if len(shape) < 2:
        raise InvalidArgumentError(f"{what}: Rank of input SparseTensor should be > 1, but saw rank: {len(shape)}")

    def run(indices: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, ...]:
        texts = []
        for row in range(shape[0]):
            is_in_row = indices[:, 0] == row
            texts += _serialize_parts(indices[is_in_row, 1:], values[is_in_row], shape[1:])
        return (array_of_elements(texts, [shape[0], 3]),)

    return call_on_host(what, run, (sparse.indices, sparse.values), acts=False)[0]


def deserialize_many_sparse(
    serialized_sparse: Any, dtype: Any, rank: Any = None, name: str | None = None
) -> SparseTensor:
    """Stacks serialized sparse tensors along a new first dimension; where sizes differ, the result has the largest.

    Args:
        serialized_sparse: strings, shape (tensors, 3): from ``serialize_many_sparse``, or stacked results of ``serialize_sparse``.
        dtype: the dtype of the values.
        rank, name: kept for TensorFlow's signature.

    Raises:
        TypeError: ``serialized_sparse`` are no strings.
        InvalidArgumentError: another shape than (tensors, 3), strings that are no sparse tensors, other dtypes or ranks.
    """
    what = "deserialize_many_sparse"
    strings, value_dtype = strings_of(what, serialized_sparse), dtypes.as_dtype(dtype)
    if strings.ndim != 2 or strings.shape[1] != 3 or not strings.shape[0]:
        raise InvalidArgumentError(f"{what}: serialized_sparse must be of shape (n, 3), got {tuple(strings.shape)}.")

    def run(texts: np.ndarray) -> tuple[np.ndarray, ...]:
        parts = [_parse_parts(what, number, row, value_dtype) for number, row in enumerate(texts)]
        shapes = [shape for _, _, shape in parts]
        if len(set(map(len, shapes))) > 1:
            raise InvalidArgumentError(f"{what}: Inconsistent rank across SparseTensors: {[*map(len, shapes)]}.")
        numbers = np.repeat(np.arange(len(parts)), [len(values) for _, values, _ in parts])
        indices = np.concatenate([numbers[:, None], np.concatenate([part[0] for part in parts])], 1)
        sizes = np.array([len(parts), *np.max(shapes, axis=0)], np.int64)
        return indices, np.concatenate([part[1] for part in parts]), sizes

    return SparseTensor(*call_of_strings(what, run, (strings,), None, (what, value_dtype.name)))


def _parse_parts(what: str, number: int, texts: np.ndarray, dtype: dtypes.DType) -> tuple[np.ndarray, ...]:
    """Returns the indices, values and shape of one serialized sparse tensor."""
    parts = tuple(
        [
            parse_tensor(convert_to_tensor(text), part_dtype)._on_host()
            for text, part_dtype in zip(texts, (dtypes.int64, dtype, dtypes.int64), strict=True)
        ]
    )
    indices, values, shape = parts
    if indices.shape != (*values.shape, *shape.shape) or values.ndim != 1 or shape.ndim != 1:
        raise InvalidArgumentError(
            f"{what}: SparseTensor {number} has indices of the shape {indices.shape}, values of {values.shape} and a shape of {shape.shape}."
        )
    if (indices < 0).any() or (indices >= shape).any():
        raise InvalidArgumentError(f"{what}: SparseTensor {number} has an index outside of its shape {shape.tolist()}.")
    return parts
