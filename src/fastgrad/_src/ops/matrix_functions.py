"""Functions of square matrices: expm, logm, sqrtm."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core.backward import zeros_of
from fastgrad._src.core.operation import COMPLEX_DTYPES, Operation
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.ops.diagonals import adjoint
from fastgrad._src.ops.joining import concat
from fastgrad._src.ops.lapack_threads import OF_SCIPY
from fastgrad._src.ops.linear_algebra import LAPACK_DTYPES, call_on_matrices, matrix_operation


def _matrix_function(
    name: str, run: Callable[[np.ndarray], np.ndarray], dtypes: frozenset[np.dtype] = LAPACK_DTYPES
) -> Operation:
    """Declares an operation that computes ``run(x)`` for square matrices ``x``."""

    def gradient(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
        # The upper right block of f([[a, g], [0, a]]) is the derivative of f at a in the direction g, and its adjoint is
        # the derivative at a^H: Mathias, "A chain rule for matrix functions and applications" (1996).
        a = adjoint(x)
        blocks = concat([concat([a, g], -1), concat([zeros_of(a), a], -1)], -2)
        size = x._array.shape[-1]
        return row(blocks)[..., :size, size:]

    row = matrix_operation(name, run, gradient, dtypes=dtypes, blas=OF_SCIPY)
    return row


def _run_expm(x: np.ndarray) -> np.ndarray:
    from scipy.linalg import expm

    if not x.size:
        return x
    return expm(x) if np.isfinite(x).all() else np.full(x.shape, np.nan, x.dtype)


def _map_matrices(function: str, x: np.ndarray) -> np.ndarray:
    import scipy.linalg

    out = np.empty(x.shape, x.dtype)
    # Computes in double precision, because in single precision SciPy's check of logm's result usually fails.
    wide = x.astype(np.result_type(x.dtype, np.float64))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about singular matrices, whose results are inf and NaN
        for index in np.ndindex(x.shape[:-2] if x.size else (0,)):
            try:
                y = getattr(scipy.linalg, function)(wide[index]) if np.isfinite(x[index]).all() else np.nan
            except ZeroDivisionError:  # SciPy 1.13 divides by an eigenvalue that is 0
                y = np.nan
            out[index] = np.nan if np.iscomplexobj(y) and x.dtype.kind != "c" else y
    return out


_expm_operation = _matrix_function("expm", _run_expm)
_logm_operation = _matrix_function("logm", lambda x: _map_matrices("logm", x), COMPLEX_DTYPES)
_sqrtm_operation = _matrix_function("sqrtm", lambda x: _map_matrices("sqrtm", x))


def expm(input: Any, name: str | None = None) -> Tensor:
    """The matrix exponential, the sum of ``x^k / k!``.

    Args:
        input: shape (..., n, n), float or complex.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: matrices are not square, or the dtype is unsupported.
    """
    return call_on_matrices(_expm_operation, input)


def logm(input: Any, name: str | None = None) -> Tensor:
    """The principal matrix logarithm, whose exponential is the matrix.

    Args:
        input: shape (..., n, n), complex.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: matrices are not square, or the dtype is unsupported.
    """
    return call_on_matrices(_logm_operation, input)


def sqrtm(input: Any, name: str | None = None) -> Tensor:
    """The principal matrix square root, whose square is the matrix.

    Args:
        input: shape (..., n, n), float or complex; a float matrix without a real root gives NaN.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: matrices are not square, or the dtype is unsupported.
    """
    return call_on_matrices(_sqrtm_operation, input)
