"""Matrix products: matmul, matvec."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.backward import sum_to_shape
from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.dispatch import dispatchers
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.floating_errors import QUIET, reset_float_errors, set_float_errors
from fastgrad._src.core.operand_errors import mixed_dtypes_error
from fastgrad._src.core.operation import (
    COMPLEX_DTYPES,
    FLOAT_DTYPES,
    HALF_DTYPES,
    TABLE,
    Form,
    Operation,
    convert_pair,
    operation,
)
from fastgrad._src.core.recording import recorders
from fastgrad._src.core.result_rules import ArraySpec, require_fitting_shapes
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.kernels.elementwise.half import BFLOAT16, cast_bfloat16
from fastgrad._src.kernels.gemm.config import uses_bfloat16_pairs
from fastgrad._src.kernels.gemm.eager import batch_product as product_of_batches
from fastgrad._src.kernels.gemm.eager import product as product_of_matrices
from fastgrad._src.kernels.gemm.eager import product_of_bfloat16, runs_gemm
from fastgrad._src.kernels.runtime.launch import Spec
from fastgrad._src.ops.arithmetic import conjugate
from fastgrad._src.ops.batching import BatchArg, call_operation, pad_rank
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.kernel_launches import launches_from

MATRIX_PRODUCT_DTYPES = FLOAT_DTYPES | COMPLEX_DTYPES | {dtypes.int32.numpy, dtypes.int64.numpy}
"""The dtypes that matrix products take."""

_BLAS_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
_BLAS_MIN_ELEMENTS = 4096  # NumPy is faster if both matrices have fewer elements and b is not transposed


# ---- the primitive ---------------------------------------------------------------------------------


def _product(a: np.ndarray, b: np.ndarray, transpose_a: bool, transpose_b: bool) -> np.ndarray:
    if a.dtype in HALF_DTYPES:
        # Summed in float32, rounded once.
        c = _half_product_in_float32(a, b, transpose_a, transpose_b)
        return cast_bfloat16(c) if a.dtype == BFLOAT16 else c.astype(a.dtype)
    if a.ndim == 2 and b.ndim == 2:
        return matrix_product(a, b, transpose_a, transpose_b)
    result = product_of_batches(a, b, transpose_a, transpose_b)
    if result is not None:
        return result
    if transpose_a:
        a = a.swapaxes(-1, -2)
    if transpose_b:
        b = b.swapaxes(-1, -2)
    if b.ndim == 2 and a.flags.c_contiguous:
        # One large product instead of many small ones.
        rows = a.reshape(math.prod(a.shape[:-1]), a.shape[-1])
        return matrix_product(rows, b).reshape(*a.shape[:-1], b.shape[-1])
    return np.matmul(a, b)


def _half_product_in_float32(a: np.ndarray, b: np.ndarray, transpose_a: bool, transpose_b: bool) -> np.ndarray:
    """The product of half floats in float32."""
    result = product_of_bfloat16(a, b, transpose_a, transpose_b)
    if result is not None:
        return result
    return _product(a.astype(np.float32), b.astype(np.float32), transpose_a, transpose_b)


def matrix_product(a: np.ndarray, b: np.ndarray, transpose_a: bool = False, transpose_b: bool = False) -> np.ndarray:
    """The product of two matrices of one dtype and matching sizes."""
    if transpose_b or a.size >= _BLAS_MIN_ELEMENTS or b.size >= _BLAS_MIN_ELEMENTS:
        result = product_of_matrices(a, b, transpose_a, transpose_b)
        if result is not None:
            return result
    return (a.T if transpose_a else a).dot(b.T if transpose_b else b)


def runs_product_kernel(inputs: Sequence[Spec], outputs: Sequence[Spec], transpose_a: bool, transpose_b: bool) -> bool:
    """True if products of arrays of these shapes run the kernels that programs run."""
    a, b = inputs
    is_small = max(math.prod(a.shape), math.prod(b.shape)) < _BLAS_MIN_ELEMENTS
    if len(a.shape) == len(b.shape) == 2 and is_small and not transpose_b:
        return False
    return runs_gemm(a, b, transpose_a, transpose_b)


class _Matmul(Operation):
    """Matrix products of the last two dimensions: ``matmul(a, b, transpose_a, transpose_b)``; the others broadcast."""

    # ``Operation.__call__`` without its loops, and with a fast path for two float matrices.
    def __call__(self, a: Tensor, b: Tensor, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
        if dispatchers:
            return Operation.__call__(self, a, b, transpose_a=transpose_a, transpose_b=transpose_b)
        active = recorders.active
        if active and active[0]._prediction is not None:
            known = active[0]._prediction.result(
                self, (a, b), {"transpose_a": transpose_a, "transpose_b": transpose_b}, active
            )
            if known is not None:
                return known
        x, y = a._array, b._array
        token = set_float_errors(QUIET)
        try:
            if x.ndim == 2 and y.ndim == 2 and x.dtype in _BLAS_DTYPES:
                if transpose_b or x.size >= _BLAS_MIN_ELEMENTS or y.size >= _BLAS_MIN_ELEMENTS:
                    z = Tensor(matrix_product(x, y, transpose_a, transpose_b))
                else:
                    z = Tensor((x.T if transpose_a else x).dot(y))
            else:
                z = Tensor(_product(x, y, transpose_a, transpose_b))
        except (MemoryError, ValueError) as error:
            self._raise_explained(error, (a, b))
        finally:
            reset_float_errors(token)
        if active:
            inputs, outputs, attributes = (a, b), (z,), {"transpose_a": transpose_a, "transpose_b": transpose_b}
            for recorder in active:
                recorder.on_operation(self, inputs, outputs, attributes)
        return z


def _cotangent_of_a(g: Tensor, y: Tensor, a: Tensor, b: Tensor, transpose_a: bool, transpose_b: bool) -> Tensor:
    b = conjugate(b)
    if b._array.ndim == 2 and a._array.ndim > 2 and not transpose_a:
        rows = matmul_operation(_as_matrix(g), b, transpose_a=False, transpose_b=not transpose_b)
        return TABLE["reshape"](rows, shape=a._array.shape)
    if transpose_a:
        result = matmul_operation(b, g, transpose_a=transpose_b, transpose_b=True)
    else:
        result = matmul_operation(g, b, transpose_a=False, transpose_b=not transpose_b)
    return result if result._array.shape == a._array.shape else sum_to_shape(result, a._array.shape)


def _cotangent_of_b(g: Tensor, y: Tensor, a: Tensor, b: Tensor, transpose_a: bool, transpose_b: bool) -> Tensor:
    a = conjugate(a)
    if b._array.ndim == 2 and a._array.ndim > 2 and not transpose_a:
        # The sum over the batch is part of the product.
        a, g = _as_matrix(a), _as_matrix(g)
    if transpose_b:
        result = matmul_operation(g, a, transpose_a=True, transpose_b=transpose_a)
    else:
        result = matmul_operation(a, g, transpose_a=not transpose_a, transpose_b=False)
    return result if result._array.shape == b._array.shape else sum_to_shape(result, b._array.shape)


def _as_matrix(x: Tensor) -> Tensor:
    return TABLE["reshape"](x, shape=(math.prod(x._array.shape[:-1]), x._array.shape[-1]))


def _batched_matmul(name: str, rows: int, /, a: BatchArg, b: BatchArg, transpose_a: bool, transpose_b: bool) -> Any:
    if a.rank == 2 and b.rank == 2 and not b.has_rows and not transpose_a:
        m, k = a.shape  # one large product instead of many small ones
        y = call_operation(
            name,
            call_operation("reshape", a.tensor, shape=(rows * m, k)),
            b.tensor,
            transpose_a=False,
            transpose_b=transpose_b,
        )
        return call_operation("reshape", y, shape=(rows, m, y._array.shape[-1]))
    rank = max(a.rank, b.rank)
    return call_operation(name, pad_rank(a, rank), pad_rank(b, rank), transpose_a=transpose_a, transpose_b=transpose_b)


def product_spec(a: Any, b: Any, transpose_a: bool, transpose_b: bool) -> ArraySpec:
    """The result rule of matrix products."""
    *batch_a, rows, inner = a.shape[:-2] + (a.shape[:-3:-1] if transpose_a else a.shape[-2:])
    *batch_b, other_inner, columns = b.shape[:-2] + (b.shape[:-3:-1] if transpose_b else b.shape[-2:])
    require_fitting_shapes(inner == other_inner)
    return ArraySpec((*np.broadcast_shapes(tuple(batch_a), tuple(batch_b)), rows, columns), a.dtype)


def _decomposed_matmul(builder: Any, a: Any, b: Any, transpose_a: bool, transpose_b: bool) -> tuple[Any] | None:
    """Decomposes a product of half-width floats: summed in float32 and rounded once, as in eager code."""
    half_dtype = a.dtype
    if half_dtype not in HALF_DTYPES:
        return None
    shape = product_spec(a, b, transpose_a, transpose_b).shape
    transposes = {"transpose_a": transpose_a, "transpose_b": transpose_b}
    if uses_bfloat16_pairs((a, b), transpose_a, transpose_b):
        y = builder.add("wide_product", a, b, shape=shape, out_dtype=np.dtype(np.float32), **transposes)
    else:
        a, b = (builder.add("cast", x, shape=x.shape, out_dtype=np.dtype(np.float32), dtype="float32") for x in (a, b))
        y = builder.add("matmul", a, b, shape=shape, **transposes)
    return (builder.add("cast", y, shape=shape, out_dtype=half_dtype, dtype=half_dtype.name),)


matmul_operation = _Matmul(
    "matmul",
    _product,
    (_cotangent_of_a, _cotangent_of_b),
    form=Form.CONTRACT,
    dtypes=MATRIX_PRODUCT_DTYPES,
    launches=launches_from("gemm.steps", "matmul_launches"),
    launches_with_epilogue=launches_from("gemm.steps", "matmul_launches_with_epilogue"),
    batched=_batched_matmul,
    rounds_as_run=runs_product_kernel,
    decomposition=_decomposed_matmul,
    result=product_spec,
    simplifications=lambda rules: (rules.absorb_transposes,),
)


operation(
    "wide_product",  # what compiled programs make of a product of bfloat16 matrices
    Form.CONTRACT,
    run=_half_product_in_float32,
    dtypes=HALF_DTYPES,
    launches=launches_from("gemm.steps", "wide_product_launches"),
    launches_with_epilogue=launches_from("gemm.steps", "wide_product_launches_with_epilogue"),
    batched=_batched_matmul,
    result=lambda a, b, **transposes: ArraySpec(product_spec(a, b, **transposes).shape, np.dtype(np.float32)),
)


# ---- matmul, matvec --------------------------------------------------------------------------------


def matmul(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    transpose_b: bool = False,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    output_type: Any = None,
    grad_a: bool = False,
    grad_b: bool = False,
    name: str | None = None,
) -> Tensor:
    """The matrix product ``a @ b``.

    Args:
        a: shape (..., m, k), or (..., k, m) if transposed; float, complex, int32 or int64.
        b: shape (..., k, n), or (..., n, k) if transposed; the dtype of ``a``.
        transpose_a, transpose_b: whether to swap the last two dimensions first.
        adjoint_a, adjoint_b: whether to swap the last two dimensions first and take the complex conjugate.
        a_is_sparse, b_is_sparse, grad_a, grad_b, name: kept for TensorFlow's signature.
        output_type: default the dtype of the inputs. ``tf.int32`` allows int8 and uint8 matrices; ``tf.bfloat16`` allows
            int8, uint8 and bfloat16 matrices.

    Returns:
        Shape (..., m, n); the leading dimensions broadcast. float16 and bfloat16 are summed in float32 and rounded once;
        some processors treat bfloat16 numbers below 2^-126 as zeros.

    Raises:
        InvalidArgumentError: ranks below 2, sizes that do not match, two dtypes, a dtype without products.
        ValueError: transpose and adjoint of the same matrix.

    Example:
        >>> tf.matmul([[1.0, 2.0]], [[3.0], [4.0]])
        <tf.Tensor: shape=(1, 1), dtype=float32, numpy=array([[11.]], dtype=float32)>
    """
    if type(a) is not Tensor or type(b) is not Tensor:
        try:
            a, b = convert_pair(a, b)
        except CompositeOperand as met:
            options = {"transpose_a": transpose_a, "transpose_b": transpose_b, "output_type": output_type}
            return met.call("matmul", a, b, {**options, "adjoint_a": adjoint_a, "adjoint_b": adjoint_b})
    x, y = a._array, b._array
    is_plain_product = (
        x.ndim == 2 and y.ndim == 2 and x.dtype is y.dtype and x.dtype in _BLAS_DTYPES and output_type is None
    )
    flags_are_bools = type(transpose_a) is type(transpose_b) is bool  # a kernel reads them as 0 and 1
    if not is_plain_product or not flags_are_bools or adjoint_a or adjoint_b:
        return _matmul(a, b, transpose_a, transpose_b, adjoint_a, adjoint_b, output_type)
    if x.shape[0 if transpose_a else 1] != y.shape[1 if transpose_b else 0]:
        raise _size_mismatch_error(x, y, transpose_a, transpose_b)
    return matmul_operation(a, b, transpose_a, transpose_b)


def _matmul(
    a: Tensor, b: Tensor, transpose_a: bool, transpose_b: bool, adjoint_a: bool, adjoint_b: bool, output_type: Any
) -> Tensor:
    """Computes ``matmul`` of any two tensors, with all checks."""
    for letter, transpose, adjoint in (("a", transpose_a, adjoint_a), ("b", transpose_b, adjoint_b)):
        if transpose and adjoint:
            raise ValueError(f"matmul: Only one of `transpose_{letter}` and `adjoint_{letter}` can be True, got both.")
    if output_type is not None:
        a, b = _cast_to_output_type(a, b, dtypes.as_dtype(output_type))
    x, y = a._array, b._array
    if x.dtype != y.dtype:
        raise mixed_dtypes_error("matmul", x.dtype, y.dtype)
    matmul_operation.check_dtype(x)
    if x.ndim < 2 or y.ndim < 2:
        raise InvalidArgumentError(
            f"matmul: both operands need at least 2 dimensions, got shapes {list(x.shape)} and {list(y.shape)}. "
            "For a vector use tf.linalg.matvec, tf.tensordot or tf.expand_dims."
        )
    transpose_a, transpose_b = bool(transpose_a or adjoint_a), bool(transpose_b or adjoint_b)
    if x.shape[-2 if transpose_a else -1] != y.shape[-1 if transpose_b else -2]:
        raise _size_mismatch_error(x, y, transpose_a, transpose_b)
    for m, n in zip(reversed(x.shape[:-2]), reversed(y.shape[:-2]), strict=False):
        if m not in (n, 1) and n != 1:
            raise InvalidArgumentError(
                f"matmul: In[0] and In[1] must have compatible batch dimensions: {list(x.shape)} vs. {list(y.shape)}. "
                "All dimensions but the last two must be equal or 1."
            )
    a = conjugate(a) if adjoint_a else a
    b = conjugate(b) if adjoint_b else b
    return matmul_operation(a, b, transpose_a, transpose_b)


def _size_mismatch_error(x: np.ndarray, y: np.ndarray, transpose_a: bool, transpose_b: bool) -> InvalidArgumentError:
    names = [name for name, flag in (("transpose_a", transpose_a), ("transpose_b", transpose_b)) if flag]
    transposed_text = f" with {' and '.join(names)}" if names else ""
    return InvalidArgumentError(
        f"matmul: Matrix size-incompatible: In[0]: {list(x.shape)}, In[1]: {list(y.shape)}{transposed_text}. "
        "The first must have as many columns as the second has rows."
    )


def _cast_to_output_type(a: Tensor, b: Tensor, output_type: dtypes.DType) -> tuple[Tensor, Tensor]:
    if a.dtype is output_type and b.dtype is output_type:
        return a, b
    names = {a.dtype.name, b.dtype.name} - ({"bfloat16"} if output_type is dtypes.bfloat16 else set())
    if output_type not in (dtypes.int32, dtypes.bfloat16) or not names <= {"int8", "uint8"}:
        raise InvalidArgumentError(
            f"matmul: output_type {output_type.name} of {a.dtype.name} and {b.dtype.name}: only int32, of int8 and uint8, and "
            "bfloat16, of these and bfloat16, are supported. Convert the operands with tf.cast first."
        )
    return cast(a, output_type), cast(b, output_type)


def matvec(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    adjoint_a: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """The matrix ``a`` times the vector ``b``.

    Args:
        a: shape (..., m, k), or (..., k, m) if transposed.
        b: shape (..., k), the dtype of ``a``.
        transpose_a, adjoint_a, a_is_sparse, b_is_sparse, name: as in ``tf.matmul``.

    Returns:
        Shape (..., m); the leading dimensions broadcast.

    Raises:
        InvalidArgumentError, ValueError: as ``tf.matmul``; ``b`` is a scalar.
    """
    a, b = convert_pair(a, b)
    shape = b._array.shape
    if not shape or a._array.ndim < 2:
        raise InvalidArgumentError(
            f"matvec: wants a matrix (..., m, k) and a vector (..., k), got shapes {list(a._array.shape)} and {list(shape)}."
        )
    column = TABLE["reshape"](b, shape=(*shape, 1))
    y = matmul(a, column, transpose_a=transpose_a, adjoint_a=adjoint_a)
    return TABLE["reshape"](y, shape=y._array.shape[:-1])
