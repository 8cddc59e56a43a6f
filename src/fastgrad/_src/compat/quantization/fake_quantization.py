"""Fake quantization: values rounded to the levels of an integer type, with gradients (Jacob et al. 2018, arXiv:1712.05877)."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.ops.arguments import as_python_int, check_dtype, tensor_of
from fastgrad._src.ops.clipping import clip_by_value
from fastgrad._src.ops.comparison import equal, is_finite, logical_and
from fastgrad._src.ops.creation import constant, ones_like, zeros_like
from fastgrad._src.ops.custom_gradient import stop_gradient
from fastgrad._src.ops.rounding import floor
from fastgrad._src.ops.selection import where

_FLOAT32 = frozenset([dtypes.float32.numpy])


def fake_quant_with_min_max_args(
    inputs: Any, min: Any = -6, max: Any = 6, num_bits: int = 8, narrow_range: bool = False, name: str | None = None
) -> Tensor:
    """Rounds ``inputs`` to the levels of an integer type whose range is ``min`` to ``max``, moved so that 0 is a level.

    The gradient flows where the input is within the range.

    Args:
        inputs: float32, of any shape.
        min, max: numbers.
        num_bits: from 2 to 16; there are ``2 ** num_bits`` levels.
        narrow_range: whether there is one level less.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: ``min`` is not below ``max``, or ``num_bits`` is out of range.
        ValueError: ``inputs`` has another dtype.
    """
    caller = "fake_quant_with_min_max_args"
    lower, upper = constant(min, dtypes.float32), constant(max, dtypes.float32)
    if not float(lower) < float(upper):
        raise InvalidArgumentError(f"{caller}: min has to be smaller than max, was: {min} >= {max}.")
    return _fake_quantized(caller, convert_to_tensor(inputs, dtypes.float32), lower, upper, num_bits, narrow_range)


def fake_quant_with_min_max_vars(
    inputs: Any, min: Any, max: Any, num_bits: int = 8, narrow_range: bool = False, name: str | None = None
) -> Tensor:
    """As ``fake_quant_with_min_max_args``, for tensors ``min`` and ``max``, which get the gradients of inputs out of range.

    Args:
        inputs: float32, of any shape.
        min, max: float32 scalars. If both are 0, all results are 0.
        num_bits, narrow_range, name: as of ``fake_quant_with_min_max_args``.

    Raises:
        InvalidArgumentError: a bound is no scalar, ``num_bits`` is out of range, or a dtype is not float32.
    """
    return _fake_quantized("fake_quant_with_min_max_vars", inputs, min, max, num_bits, narrow_range)


def fake_quant_with_min_max_vars_per_channel(
    inputs: Any, min: Any, max: Any, num_bits: int = 8, narrow_range: bool = False, name: str | None = None
) -> Tensor:
    """As ``fake_quant_with_min_max_vars``, with bounds for each index of the last dimension.

    Args:
        inputs: float32, shape (..., channels).
        min, max: float32, shape (channels,).
        num_bits, narrow_range, name: as of ``fake_quant_with_min_max_args``.

    Raises:
        InvalidArgumentError: a bound has another shape, ``num_bits`` is out of range, or a dtype is not float32.
    """
    caller = "fake_quant_with_min_max_vars_per_channel"
    return _fake_quantized(caller, inputs, min, max, num_bits, narrow_range, per_channel=True)


def _fake_quantized(
    caller: str, inputs: Any, min: Any, max: Any, num_bits: Any, narrow_range: Any, per_channel: bool = False
) -> Tensor:
    bits = as_python_int(num_bits, f"{caller}: num_bits")
    if not 2 <= bits <= 16:
        raise InvalidArgumentError(f"{caller}: num_bits must be between 2 and 16, inclusive, got {num_bits}.")
    x, lower, upper = [
        tensor_of(value) if isinstance(value, (Tensor, Variable)) else convert_to_tensor(value, dtypes.float32)
        for value in (inputs, min, max)
    ]
    for tensor in (x, lower, upper):
        check_dtype(caller, tensor._array.dtype, _FLOAT32)
    wanted = x.shape[-1:] if per_channel else ()
    if per_channel and not x.shape.rank:
        raise InvalidArgumentError(f"{caller}: inputs must have a last dimension, got a scalar.")
    for label, bound in (("min", lower), ("max", upper)):
        if bound.shape != wanted:
            raise InvalidArgumentError(f"{caller}: {label} must have shape {list(wanted)}, got {list(bound.shape)}.")
    lowest, highest = float(bool(narrow_range)), float(2**bits - 1)
    both_zero = logical_and(equal(lower, 0.0), equal(upper, 0.0))
    width = where(both_zero, ones_like(lower), upper - lower)
    scale, inverse_scale = width / (highest - lowest), (highest - lowest) / width
    # TensorFlow rounds half up, so these are no `round`, which rounds half to even.
    zero_level = floor(clip_by_value(lowest - lower / scale, lowest, highest) + 0.5)
    first, last = (lowest - zero_level) * scale, (highest - zero_level) * scale
    clipped = clip_by_value(x, _with_gradient_of(first, lower), _with_gradient_of(last, upper))
    level_of_zero = floor(-first * inverse_scale + 0.5)
    rounded = floor((clip_by_value(x, first, last) - first) * inverse_scale - level_of_zero + 0.5) * scale
    passed = where(is_finite(x), x, zeros_like(x))  # infinity less infinity would be no number
    return _with_gradient_of(where(both_zero, zeros_like(x), rounded), where(both_zero, passed, clipped))


def _with_gradient_of(value: Tensor, source: Tensor) -> Tensor:
    """Returns ``value``, with the gradient of ``source`` in place of its own."""
    return stop_gradient(value) + (source - stop_gradient(source))
