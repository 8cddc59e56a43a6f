"""``stateless_parameterized_truncated_normal``."""

from __future__ import annotations

import math
from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import FLOAT_DTYPES
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.ops.arguments import broadcasts_to, check_dtype, tensors_of
from fastgrad._src.ops.assertion import assert_less, assert_positive
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.clipping import clip_by_value
from fastgrad._src.ops.comparison import greater
from fastgrad._src.ops.custom_gradient import stop_gradient
from fastgrad._src.ops.error_function import erfc, ndtri
from fastgrad._src.ops.random_generator import shape_of_argument
from fastgrad._src.ops.random_stateless import stateless_uniform
from fastgrad._src.ops.selection import where


def stateless_parameterized_truncated_normal(
    shape: Any,
    seed: Any,
    means: Any = 0.0,
    stddevs: Any = 1.0,
    minvals: Any = -2.0,
    maxvals: Any = 2.0,
    name: str | None = None,
) -> Tensor:
    """Normal numbers between bounds, by inversion of the distribution function in float64.

    Args:
        shape: the shape of the result, which the parameters broadcast to.
        seed: two integers.
        means, stddevs: of the normal distribution, floating, of one dtype.
        minvals, maxvals: the bounds of the numbers.
        name: kept for TensorFlow's signature.

    Returns:
        Numbers of the dtype of the parameters; no gradient flows through them.

    Raises:
        InvalidArgumentError: a parameter has a wrong shape or dtype, a standard deviation is not above 0, or a lower bound is not
            below the upper one.
    """
    caller = "stateless_parameterized_truncated_normal"
    sizes, parameters = shape_of_argument(caller, shape), tensors_of([means, stddevs, minvals, maxvals], caller)
    for value in parameters:
        check_dtype(caller, value._array.dtype, FLOAT_DTYPES)
        if not broadcasts_to(value._array.shape, sizes):
            raise InvalidArgumentError(f"{caller}: parameters {value.shape} must broadcast to shape {list(sizes)}.")
    mean, deviation, low, high = (stop_gradient(cast(value, dtypes.float64)) for value in parameters)
    assert_positive(deviation, f"{caller}: stddevs must be above 0")
    assert_less(low, high, f"{caller}: minvals must be below maxvals")
    first, last = (low - mean) / deviation, (high - mean) / deviation
    # Numbers of the lower tail have more digits, so an interval above the mean is mirrored.
    is_upper = greater(first, 0.0)
    first, last = where(is_upper, -last, first), where(is_upper, -first, last)
    below, above = (0.5 * erfc(-bound / math.sqrt(2.0)) for bound in (first, last))
    quantile = ndtri(below + stateless_uniform(sizes, seed, dtype=dtypes.float64) * (above - below))
    numbers = mean + deviation * where(is_upper, -quantile, quantile)
    return cast(clip_by_value(numbers, low, high), parameters[0].dtype)
