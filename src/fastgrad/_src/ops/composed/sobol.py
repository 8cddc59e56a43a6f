"""Sobol sequences (``tf.math.sobol_sample``), by SciPy's direction numbers of Joe and Kuo, which are TensorFlow's."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.ops.arguments import as_python_int

_MOST_DIMENSIONS = 1111  # as in TensorFlow
_MOST_POINTS = 1 << 30  # of SciPy's generator


def sobol_sample(
    dim: Any, num_results: Any, skip: Any = 0, dtype: Any = dtypes.float32, name: str | None = None
) -> Tensor:
    """Points of the Sobol sequence, which fill the unit cube evenly. The point 0 is left out.

    Args:
        dim: the number of coordinates, from 1 to 1111.
        num_results: the number of points, at least 1.
        skip: the number of points that are left out at the start.
        dtype: float32 or float64.
        name: kept for TensorFlow's signature.

    Returns:
        ``dtype``, shape (num_results, dim), in [0, 1).

    Raises:
        TypeError: a number is no integer.
        InvalidArgumentError: a number is out of range, more than 2 ** 30 points are asked for, or another dtype.
    """
    what = "sobol_sample"
    dimensions, count, start = (
        as_python_int(value, f"{what}: {argument}")
        for argument, value in (("dim", dim), ("num_results", num_results), ("skip", skip))
    )
    result_dtype = dtypes.as_dtype(dtype)
    if result_dtype not in (dtypes.float32, dtypes.float64):
        raise InvalidArgumentError(f"{what}: dtype must be float32 or float64, got {result_dtype.name}.")
    if not 1 <= dimensions <= _MOST_DIMENSIONS:
        raise InvalidArgumentError(f"{what}: dim must be from 1 to {_MOST_DIMENSIONS}, got {dimensions}.")
    if count < 1 or start < 0 or start + count >= _MOST_POINTS:
        raise InvalidArgumentError(
            f"{what}: num_results must be at least 1, skip at least 0, and their sum below 2 ** 30; got {count} and {start}."
        )
    from scipy.stats import qmc

    points = qmc.Sobol(dimensions, scramble=False)
    points.fast_forward(start + 1)
    return Tensor(points.random(count).astype(result_dtype.numpy))
