"""Quantization of floats to integers and back, and both in one operation."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError, UnimplementedError
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.ops.arguments import as_python_int, check_dtype, tensor_of, tensor_of_dtype
from fastgrad._src.ops.arithmetic import abs, maximum, minimum
from fastgrad._src.ops.assertion import assert_less_equal
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.clipping import clip_by_value
from fastgrad._src.ops.comparison import equal, greater, less, logical_and
from fastgrad._src.ops.creation import constant, zeros_like
from fastgrad._src.ops.custom_gradient import custom_gradient, stop_gradient
from fastgrad._src.ops.reduction import reduce_max, reduce_min
from fastgrad._src.ops.rounding import floor, rint
from fastgrad._src.ops.selection import where
from fastgrad._src.ops.shaping import reshape

_QUANTIZED = frozenset(
    dtype.numpy for dtype in (dtypes.qint8, dtypes.quint8, dtypes.qint16, dtypes.quint16, dtypes.qint32)
)
_FLOATS = frozenset([dtypes.float32.numpy, dtypes.float64.numpy])
_MODES = ("MIN_COMBINED", "MIN_FIRST", "SCALED")


class QuantizeV2(NamedTuple):
    """The results of ``quantize``: the integers, and the range that they stand for."""

    output: Tensor
    output_min: Tensor
    output_max: Tensor


def quantize(  # noqa: PLR0913  # TensorFlow's arguments
    input: Any,
    min_range: Any,
    max_range: Any,
    T: Any,
    mode: str = "MIN_COMBINED",
    round_mode: str = "HALF_AWAY_FROM_ZERO",
    name: str | None = None,
    narrow_range: bool = False,
    axis: int | None = None,
    ensure_minimum_range: float = 0.01,
) -> QuantizeV2:
    """Quantizes floats to the integers of ``T``. Inputs out of the range become its bounds. There is no gradient.

    The range grows such that it holds 0 and is at least ``ensure_minimum_range`` wide, relative to the larger of 1 and its bounds.

    Args:
        input: float32, of any shape.
        min_range, max_range: float32, the range of ``input``: one number, or with ``axis`` a vector of one number a slice.
        T: ``tf.qint8``, ``tf.quint8``, ``tf.qint16``, ``tf.quint16`` or ``tf.qint32``. In fastgrad these are other names of
            ``tf.int8``, ``tf.uint8`` and so on, so the result is a tensor of integers.
        mode: ``"MIN_COMBINED"`` (the lowest integer is ``min_range``), ``"MIN_FIRST"`` (as it, with ``min_range`` rounded to a
            multiple of the scale) or ``"SCALED"`` (0 stays 0).
        round_mode: ``"HALF_AWAY_FROM_ZERO"``, or ``"HALF_TO_EVEN"`` with the mode ``"SCALED"``.
        name: kept for TensorFlow's signature.
        narrow_range: whether the mode ``"SCALED"`` leaves out the lowest integer.
        axis: the dimension of ``input`` whose slices have a range each; None for one range.
        ensure_minimum_range: the smallest width of the range.

    Returns:
        A named tuple: ``output`` of dtype ``T`` and the shape of ``input``, and the range ``output_min`` and ``output_max``.

    Raises:
        InvalidArgumentError: an unknown mode, another dtype, a bound of another shape, or ``min_range`` above ``max_range``.
        UnimplementedError: the mode ``"MIN_FIRST"`` with ``axis``.
    """
    caller = "quantize"
    dtype = dtypes.as_dtype(T)
    check_dtype(caller, dtype.numpy, _QUANTIZED)
    _check_choice(caller, "mode", mode, _MODES)
    _check_choice(caller, "round_mode", round_mode, ("HALF_AWAY_FROM_ZERO", "HALF_TO_EVEN"))
    if round_mode == "HALF_TO_EVEN" and mode != "SCALED":
        raise InvalidArgumentError(f"{caller}: round_mode 'HALF_TO_EVEN' needs mode 'SCALED', got mode {mode!r}.")
    x = stop_gradient(tensor_of_dtype(input, dtypes.float32, caller, "input"))
    index = _axis_index(caller, axis, x)
    low, high = _range(caller, x, min_range, max_range, index, mode)
    assert_less_equal(low, high, message=f"{caller}: max_range must not be below min_range.")
    low = minimum(low, 0.0)
    width = maximum(maximum(abs(low), abs(high)), 1.0) * ensure_minimum_range if ensure_minimum_range > 0 else 0.0
    high = maximum(maximum(high, low + width), 0.0)
    lowest, highest = int(dtype.min), int(dtype.max)
    if mode == "SCALED":
        scale, _, low, high = _symmetric_scale(low, high, lowest + bool(narrow_range), highest)
        scaled = clip_by_value(x, _along(low, x, index), _along(high, x, index)) * _along(scale, x, index)
        levels = rint(scaled) if round_mode == "HALF_TO_EVEN" else _round_half_away(scaled)
    elif mode == "MIN_FIRST":
        scale = _divide_in_float64(float(highest - lowest), high - low)
        offset = _round_half_away(low * scale) - float(lowest)
        top = min(highest, 2**31 - 128)  # the highest int32 is no float32: TensorFlow takes the float below it
        levels = clip_by_value(_round_half_away(x * scale) - offset, float(lowest), float(top))
        levels = where(equal(low, high), float(lowest), levels)
    else:
        scale = _divide_in_float64(float(highest - lowest), high - low)
        start = _along(low, x, index)
        scaled = (clip_by_value(x, start, _along(high, x, index)) - start) * _along(scale, x, index)
        levels = floor(scaled + 0.5) if lowest == 0 else _round_half_away(scaled - float(-lowest))
        levels = where(_along(equal(low, high), x, index), zeros_like(x), levels)
    # Levels that the dtype lacks (NaN; 2**31, to which the highest int32 rounds) become what a cast on x86 gives.
    levels = where(less(levels, 2.0**31), levels, -(2.0**31) if highest == 2**31 - 1 else 0.0)
    return QuantizeV2(cast(levels, dtype), low, high)


def dequantize(
    input: Any,
    min_range: Any,
    max_range: Any,
    mode: str = "MIN_COMBINED",
    name: str | None = None,
    axis: int | None = None,
    narrow_range: bool = False,
    dtype: Any = dtypes.float32,
) -> Tensor:
    """Returns the floats that quantized integers stand for: the inverse of ``quantize``. There is no gradient.

    Args:
        input: int8, uint8, int16, uint16 or int32 (TensorFlow's qint8 ...), of any shape.
        min_range, max_range: float32, the range that ``quantize`` returned: one number, or with ``axis`` a vector of one number a slice.
        mode, name, axis, narrow_range: as of ``quantize``.
        dtype: float32, or bfloat16 with the mode ``"MIN_COMBINED"``.

    Returns:
        A tensor of dtype ``dtype`` and the shape of ``input``.

    Raises:
        InvalidArgumentError: an unknown mode, another dtype, or a bound of another shape.
        UnimplementedError: the mode ``"MIN_FIRST"`` with ``axis``.
    """
    caller = "dequantize"
    _check_choice(caller, "mode", mode, _MODES)
    target = dtypes.as_dtype(dtype)
    check_dtype(caller, target.numpy, frozenset([dtypes.float32.numpy, dtypes.bfloat16.numpy]))
    if target is dtypes.bfloat16 and mode != "MIN_COMBINED":
        raise InvalidArgumentError(f"{caller}: dtype bfloat16 needs mode 'MIN_COMBINED', got mode {mode!r}.")
    integers = tensor_of(input)
    check_dtype(caller, integers.dtype.numpy, _QUANTIZED)
    lowest, highest = int(integers.dtype.min), int(integers.dtype.max)
    x = cast(integers, dtypes.float32)
    index = _axis_index(caller, axis, x)
    low, high = _range(caller, x, min_range, max_range, index, mode)
    if mode == "SCALED":
        scale = high / float(highest)
        if lowest:
            scale = maximum(low / float(lowest + bool(narrow_range)), scale)
        return x * _along(scale, x, index)
    scale = (high - low) / float(highest - lowest)
    if mode == "MIN_FIRST":
        start = where(equal(low, high), low, _round_half_away(low / scale) * scale)
        return start - float(lowest) * scale + x * scale
    return cast((x - float(lowest)) * _along(scale, x, index) + _along(low, x, index), target)


def quantize_and_dequantize_v2(  # noqa: PLR0913  # TensorFlow's arguments
    input: Any,
    input_min: Any,
    input_max: Any,
    signed_input: bool = True,
    num_bits: int = 8,
    range_given: bool = False,
    round_mode: str = "HALF_TO_EVEN",
    name: str | None = None,
    narrow_range: bool = False,
    axis: int | None = None,
) -> Tensor:
    """Rounds ``input`` to the levels of an integer type. The gradient flows where the input is within the given range.

    Args:
        input: float32 or float64, of any shape.
        input_min, input_max: the range, of the dtype of ``input``: one number, or with ``axis`` a vector of one number a slice.
        signed_input: whether the integers have a sign.
        num_bits: the bits of an integer.
        range_given: whether inputs are clipped to the given range; else the range of values is that of ``input``.
        round_mode: ``"HALF_TO_EVEN"`` or ``"HALF_UP"``.
        name: kept for TensorFlow's signature.
        narrow_range: whether signed integers leave out the lowest one.
        axis: the dimension of ``input`` whose slices have a range each; None for one range.

    Returns:
        A tensor of the shape and dtype of ``input``.

    Raises:
        InvalidArgumentError: an unknown ``round_mode``, another dtype, a bound of another shape, ``input_min`` above
            ``input_max``, or ``num_bits`` out of range.
    """
    caller = "quantize_and_dequantize_v2"
    _check_choice(caller, "round_mode", round_mode, ("HALF_TO_EVEN", "HALF_UP"))
    levels = _integer_range(caller, signed_input, num_bits, narrow_range)
    x, low, high, index = _float_range(caller, input, input_min, input_max, axis, bool(range_given))

    @custom_gradient
    def rounded(x: Tensor, low: Tensor, high: Tensor) -> Any:
        def gradient(upstream: Tensor) -> Any:
            inside = logical_and(x >= _along(low, x, index), x <= _along(high, x, index))
            return where(inside, upstream, zeros_like(upstream)), zeros_like(low), zeros_like(high)

        return _round_to_levels(x, low, high, index, levels, range_given, round_mode), gradient

    return rounded(x, low, high)


def quantize_and_dequantize(  # noqa: PLR0913  # TensorFlow's arguments
    input: Any,
    input_min: Any,
    input_max: Any,
    signed_input: bool = True,
    num_bits: int = 8,
    range_given: bool = False,
    round_mode: str = "HALF_TO_EVEN",
    name: str | None = None,
    narrow_range: bool = False,
    axis: int | None = None,
) -> Tensor:
    """As ``quantize_and_dequantize_v2``, but the gradient of every element is 1. TensorFlow has deprecated it.

    Args:
        input, input_min, input_max, signed_input, num_bits, range_given: as of ``quantize_and_dequantize_v2``.
        round_mode, name, narrow_range, axis: as of ``quantize_and_dequantize_v2``.

    Raises:
        InvalidArgumentError: as ``quantize_and_dequantize_v2``.
    """
    caller = "quantize_and_dequantize"
    _check_choice(caller, "round_mode", round_mode, ("HALF_TO_EVEN", "HALF_UP"))
    levels = _integer_range(caller, signed_input, num_bits, narrow_range)
    x, low, high, index = _float_range(caller, input, input_min, input_max, axis, bool(range_given))

    @custom_gradient
    def rounded(x: Tensor) -> Any:
        return _round_to_levels(x, low, high, index, levels, range_given, round_mode), lambda upstream: upstream

    return rounded(x)


def _float_range(
    caller: str, input: Any, input_min: Any, input_max: Any, axis: Any, range_given: bool
) -> tuple[Tensor, Tensor, Tensor, int | None]:
    """Returns the input, its bounds, and its axis; InvalidArgumentError for bounds of another shape or order."""
    x = tensor_of(input)
    low, high = [
        tensor_of_dtype(value, x.dtype, caller, label)
        for label, value in (("input_min", input_min), ("input_max", input_max))
    ]
    check_dtype(caller, x.dtype.numpy, _FLOATS)
    index = _axis_index(caller, axis, x)
    if range_given:
        expected = () if index is None else (x.shape[index],)
        for label, bound in (("input_min", low), ("input_max", high)):
            if tuple(bound.shape) != expected:
                raise InvalidArgumentError(
                    f"{caller}: {label} must have shape {list(expected)}, got {list(bound.shape)}."
                )
        assert_less_equal(low, high, message=f"{caller}: Invalid range: input_min must not be above input_max.")
    return x, low, high, index


def _integer_range(caller: str, signed_input: bool, num_bits: Any, narrow_range: bool) -> tuple[int, int]:
    """Returns the lowest and the highest integer."""
    bits = as_python_int(num_bits, f"{caller}: num_bits")
    if not 0 < bits < (62 if signed_input else 63):
        raise InvalidArgumentError(f"{caller}: num_bits is out of range: {num_bits} with signed_input={signed_input}.")
    if not signed_input:
        return 0, 2**bits - 1
    return -(2 ** (bits - 1)) + bool(narrow_range), 2 ** (bits - 1) - 1


def _round_to_levels(
    x: Tensor,
    low: Tensor,
    high: Tensor,
    index: int | None,
    integers: tuple[int, int],
    range_given: bool,
    round_mode: str,
) -> Tensor:
    if range_given:
        scale, inverse_scale, low, high = _symmetric_scale(low, high, *integers)
        x = clip_by_value(x, _along(low, x, index), _along(high, x, index))
    else:
        axes = None if index is None else [i for i in range(len(x.shape)) if i != index]
        scale, inverse_scale, _, _ = _symmetric_scale(reduce_min(x, axes), reduce_max(x, axes), *integers)
    scaled = x * _along(scale, x, index)
    levels = rint(scaled) if round_mode == "HALF_TO_EVEN" else floor(scaled + 0.5)
    return levels * _along(inverse_scale, x, index)


def _symmetric_scale(low: Tensor, high: Tensor, lowest: int, highest: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns the scale by which 0 stays 0 and both bounds are levels, its inverse, and the range of all levels."""
    largest = constant(low.dtype.max, low.dtype)
    # The other operand of a division by 0 is never selected.
    from_low = where(low * float(lowest) > 0.0, float(lowest) / low, largest)
    from_high = where(high * float(highest) > 0.0, float(highest) / high, largest)
    takes_low = less(from_low, from_high)
    scale = where(takes_low, from_low, from_high)
    inverse_scale = where(takes_low, low / float(lowest or 1), high / float(highest or 1))
    return scale, inverse_scale, float(lowest) / scale, float(highest) / scale


def _check_choice(caller: str, label: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidArgumentError(f"{caller}: {label} must be one of {', '.join(choices)}, got {value!r}.")


def _axis_index(caller: str, axis: Any, x: Tensor) -> int | None:
    if axis is None or (axis == -1 and not x.shape.rank):
        return None
    index, rank = as_python_int(axis, f"{caller}: axis"), len(x.shape)
    if index < 0 and rank:
        index %= rank  # as TensorFlow, which takes every negative number
    if not 0 <= index < rank:
        raise InvalidArgumentError(f"{caller}: axis must be below the number of dimensions, {rank}, got {axis}.")
    return index


def _range(
    caller: str, x: Tensor, min_range: Any, max_range: Any, index: int | None, mode: str
) -> tuple[Tensor, Tensor]:
    """Returns the bounds: scalars, or vectors of one number for each slice along the dimension ``index``."""
    bounds = []
    for label, value in (("min_range", min_range), ("max_range", max_range)):
        bound = stop_gradient(tensor_of_dtype(value, dtypes.float32, caller, label))
        expected = "a single number" if index is None else f"a vector of {x.shape[index]} numbers"
        if bound.shape.num_elements() != 1 if index is None else tuple(bound.shape) != (x.shape[index],):
            raise InvalidArgumentError(f"{caller}: {label} must be {expected}, got shape {list(bound.shape)}.")
        bounds.append(reshape(bound, []) if index is None else bound)
    if index is not None and mode == "MIN_FIRST":
        raise UnimplementedError(f"{caller}: mode MIN_FIRST takes no axis; modes MIN_COMBINED and SCALED do.")
    return bounds[0], bounds[1]


def _along(bound: Tensor, x: Tensor, index: int | None) -> Tensor:
    """Returns a vector of numbers of slices in a shape that broadcasts to ``x``; a scalar as it is."""
    if index is None or not bound.shape.rank:
        return bound
    return reshape(bound, [-1 if i == index else 1 for i in range(len(x.shape))])


def _divide_in_float64(numerator: float, denominator: Tensor) -> Tensor:
    """Returns float32 of the quotient; 2**32 - 1 is no float32."""
    return cast(numerator / cast(denominator, dtypes.float64), dtypes.float32)


def _round_half_away(x: Tensor) -> Tensor:
    """Rounds to whole numbers; of two that are equally near, to the one away from zero."""
    size = abs(x)
    whole = floor(size)
    rounded = where(size - whole >= 0.5, whole + 1.0, whole)
    return where(greater(x, 0.0), rounded, -rounded)
