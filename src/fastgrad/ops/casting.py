"""From one dtype to another."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad import dtypes
from fastgrad.errors import UnimplementedError
from fastgrad.indexed_slices import IndexedSlices
from fastgrad.operation import Form, Operation
from fastgrad.tensor import Tensor, convert_to_tensor


def _cast(x: np.ndarray, dtype: str) -> np.ndarray:
    wanted = dtypes.as_dtype(dtype).numpy
    if x.dtype.kind == "c" and wanted.kind != "c" and wanted.kind != "b":
        x = x.real
    return x.astype(wanted)


def _cast_gradient(g: Tensor, y: Tensor, x: Tensor, dtype: str) -> Tensor | None:
    return _row(g, dtype=x.dtype.name) if x.dtype.is_differentiable else None


_row = Operation(
    "cast",
    _cast,
    _cast_gradient,
    form=Form.ELEMENTWISE,
    code="cast({0}, '{dtype}')",
    doc="``x`` in another dtype, whose name is the attribute ``dtype``.",
)


def cast(x: Any, dtype: Any, name: str | None = None) -> Any:
    """``x`` in another dtype.

    Floats lose their fraction on the way to integers, complex numbers their imaginary part on the way to
    real ones; to bool goes whether an element is not zero. Gradients flow between floating and complex dtypes.

    Args:
        x: a tensor, variable, ``IndexedSlices``, or what converts to a tensor.
        dtype: the dtype wanted; ``x`` comes back as it is if it has it.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: ``dtype`` names no dtype.
        UnimplementedError: from or to strings.
    """
    dtype = dtypes.as_dtype(dtype)
    if isinstance(x, IndexedSlices):
        return IndexedSlices(cast(x.values, dtype), x.indices, x.dense_shape)
    if type(x) is not Tensor:
        x = convert_to_tensor(x)
    got = x._array.dtype
    if got == dtype.numpy:
        return x
    if got == object or dtype is dtypes.string:
        raise UnimplementedError(
            f"cast: Cast {x.dtype.name} to {dtype.name} is not supported; tf.strings.to_number and tf.strings.as_string are."
        )
    return _row(x, dtype=dtype.name)
