"""Clipping by value, by norm, and by the global norm of all gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.backward import sum_to_shape
from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.lowering import Elementwise
from fastgrad._src.core.operand_errors import mixed_dtypes_error
from fastgrad._src.core.operation import (
    FLOAT_DTYPES,
    HALF_DTYPES,
    REAL_DTYPES,
    TABLE,
    Form,
    convert_pair,
    joint,
    operation,
)
from fastgrad._src.core.result_rules import ArraySpec, broadcast
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_like
from fastgrad._src.ops.arguments import broadcasts_to, check_dtype, tensor_of
from fastgrad._src.ops.arithmetic import add, maximum, minimum, multiply, subtract
from fastgrad._src.ops.batching import shift_axes_rule
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.comparison import (
    greater_equal,
    is_finite,
    less_equal,
    logical_and,
    logical_not,
    masked,
    not_equal,
)
from fastgrad._src.ops.division import realdiv
from fastgrad._src.ops.kernel_launches import KERNEL_FLOATS, kernel_operation, launches_from
from fastgrad._src.ops.power import sqrt, square
from fastgrad._src.ops.reduction import reduce_sum, reduction_axes
from fastgrad._src.ops.summation import sum_over
from fastgrad._src.scalars import terms


def _clip(t: np.ndarray, low: np.ndarray, high: np.ndarray) -> Any:
    return np.maximum(np.minimum(t, high), low)


# The gradients of ``maximum(minimum(t, high), low)``, which TensorFlow's function is.
_clip_operation = operation(
    "clip_by_value",
    Form.ELEMENTWISE,
    run=_clip,
    elementwise=Elementwise(lambda t, low, high: terms.maximum(terms.minimum(t, high), low)),
    gradient=(
        lambda g, y, t, low, high: masked(g, logical_and(less_equal(t, high), greater_equal(t, low))),
        lambda g, y, t, low, high: masked(g, logical_not(greater_equal(minimum(t, high), low))),
        lambda g, y, t, low, high: masked(
            g, logical_and(greater_equal(minimum(t, high), low), logical_not(less_equal(t, high)))
        ),
    ),
    dtypes=REAL_DTYPES,
)


def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None) -> Any:
    """Clips the elements of ``t`` to the range from ``clip_value_min`` to ``clip_value_max``.

    The gradient flows to ``t`` where ``t`` is within or on the bounds, else to the bound. Where the lower bound is
    above the upper bound, the lower bound holds.

    Args:
        t: a real tensor, or ``IndexedSlices``, whose values are clipped.
        clip_value_min, clip_value_max: the bounds; they must broadcast to the shape of ``t``.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: shapes that do not broadcast, other dtypes.
        TypeError: a bound is a number that the dtype of ``t`` can't hold.
        ValueError: a bound of a larger shape than ``t``.

    Example:
        >>> tf.clip_by_value([-2.0, 0.5, 3.0], 0.0, 1.0)
        <tf.Tensor: shape=(3,), dtype=float32, numpy=array([0. , 0.5, 1. ], dtype=float32)>
    """
    if isinstance(t, IndexedSlices):
        return IndexedSlices(clip_by_value(t.values, clip_value_min, clip_value_max), t.indices, t.dense_shape)
    try:
        t = tensor_of(t)
    except CompositeOperand as met:
        return met.mapped(clip_by_value, t, clip_value_min, clip_value_max)
    shape = t._array.shape
    try:
        _, high = convert_pair(t, clip_value_max, "minimum")
        _, low = convert_pair(t, clip_value_min, "maximum")
        if all(x._array.dtype == t._array.dtype and broadcasts_to(x._array.shape, shape) for x in (low, high)):
            _clip_operation.check_dtype(t._array)
            return _clip_operation(t, low, high)
        y = maximum(minimum(t, high), low)  # names the bound that does not fit
    except (InvalidArgumentError, TypeError) as error:
        raise type(error)(
            f"clip_by_value: a bound does not go with t, {t.dtype.name} of shape {t.shape}: {error}"
        ) from None
    if y._array.shape != shape:
        raise ValueError(
            f"clip_by_value: the bounds have larger shapes than t: {y.shape} and {t.shape} are incompatible."
        )
    return y


# ---- by norm -------------------------------------------------------------------------------------------


def _clip_by_norm(t: np.ndarray, limit: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    if t.dtype in HALF_DTYPES:
        return _clip_by_norm(t.astype(np.float32), limit.astype(np.float32), axes).astype(t.dtype)
    norm = np.sqrt(sum_over(np.square(t), axes, True)).astype(t.dtype, copy=False)
    return np.multiply(t, np.divide(limit, np.maximum(norm, limit)))


def _clip_by_norm_gradient(
    needs: tuple[bool, ...], g: Tensor, y: Tensor, t: Tensor, limit: Tensor, axes: tuple[int, ...]
) -> tuple[Tensor | None, Tensor | None]:
    squares_sum = reduce_sum(square(t), axes, True)
    nonzero = not_equal(squares_sum, 0)  # also where the norm is NaN
    # The derivative of the square root is infinite at 0, so a sum of 0 is replaced by 1.
    squares_sum = add(squares_sum, cast(logical_not(nonzero), squares_sum.dtype))
    norm = masked(sqrt(squares_sum), nonzero)
    clipped = logical_and(greater_equal(norm, limit), nonzero)
    scale = realdiv(limit, maximum(norm, limit))
    dot_product = reduce_sum(multiply(g, t), axes, True)
    t_cotangent = limit_cotangent = None
    if needs[0]:
        # y = t limit / norm: where t is clipped, the part of g along t drops out.
        t_cotangent = subtract(
            multiply(g, scale), masked(multiply(t, multiply(dot_product, realdiv(scale, squares_sum))), clipped)
        )
    if needs[1]:
        limit_cotangent = sum_to_shape(masked(realdiv(dot_product, sqrt(squares_sum)), clipped), limit._array.shape)
    return t_cotangent, limit_cotangent


_clip_by_norm_operation = operation(
    "clip_by_norm",
    Form.FUSED,
    run=_clip_by_norm,
    gradient=joint(_clip_by_norm_gradient),
    dtypes=FLOAT_DTYPES,
    launches=launches_from("reduction.general", "clip_by_norm_launches"),
    batched=shift_axes_rule("axes", first_only=True),
    result=broadcast,
)


def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: str | None = None) -> Any:
    """Scales ``t`` down to the Euclidean norm ``clip_norm`` where its norm is larger.

    The result is ``t * clip_norm / max(norm, clip_norm)``.

    Args:
        t: a floating tensor, or ``IndexedSlices``, whose values are clipped by their norm.
        clip_norm: the largest norm allowed, a number or a tensor that broadcasts with ``t``; negative counts as 0.
        axes: the axes over which norms are taken; None means all.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: not floating, no such axis, shapes that do not broadcast.
        ValueError: ``clip_norm`` and ``t`` broadcast to a shape other than that of ``t``.
    """
    if isinstance(t, IndexedSlices):
        return IndexedSlices(clip_by_norm(t.values, clip_norm, axes), t.indices, t.dense_shape)
    t = tensor_of(t)
    array = t._array
    check_dtype("clip_by_norm", array.dtype, FLOAT_DTYPES)
    limit = convert_like(clip_norm, array.dtype)
    limit = cast(limit, t.dtype)
    if not (isinstance(clip_norm, (int, float)) and clip_norm >= 0):
        limit = maximum(limit, constant_tensor(np.zeros((), array.dtype)))
    if limit._array.ndim and not broadcasts_to(limit._array.shape, array.shape):
        message = f"clip_by_norm: clip_norm of shape {limit.shape} must broadcast to the shape of t, {t.shape}."
        try:
            np.broadcast_shapes(limit._array.shape, array.shape)
        except ValueError:
            raise InvalidArgumentError(message) from None
        raise ValueError(message)
    return _clip_by_norm_operation(t, limit, axes=reduction_axes("clip_by_norm", axes, array.ndim))


def clip_by_average_norm(t: Any, clip_norm: Any, name: str | None = None) -> Tensor:
    """Scales ``t`` down to a Euclidean norm of at most ``clip_norm`` times its element count (``tf.compat.v1``)."""
    t = tensor_of(t)
    return clip_by_norm(t, multiply(convert_like(clip_norm, t._array.dtype), float(t._array.size)))


# ---- by the norm of all --------------------------------------------------------------------------------


def _checked_tensors(name: str, t_list: Any) -> list[Any]:
    if not isinstance(t_list, Sequence) or isinstance(t_list, (str, bytes)):
        raise TypeError(f"{name}: `t_list` must be a sequence of tensors, such as [x, y], got {t_list!r:.200}.")
    tensors: list[Any] = []
    first_dtype = None
    for t in t_list:
        if t is None or isinstance(t, IndexedSlices):
            tensors.append(t)
        else:
            tensors.append(tensor_of(t))
        if t is not None:
            array = (tensors[-1].values if isinstance(t, IndexedSlices) else tensors[-1])._array
            check_dtype(name, array.dtype, FLOAT_DTYPES)
            first_dtype = array.dtype if first_dtype is None else first_dtype
            if array.dtype != first_dtype:
                raise mixed_dtypes_error(name, first_dtype, array.dtype)
    return tensors


def _decomposed_sum_of_squares(builder: Any, t: Any) -> tuple[Any]:
    square = builder.add("square", t, shape=t.shape)
    return (builder.add("reduce_sum", square, shape=(), axes=tuple(range(len(t.shape))), keepdims=False),)


_sum_of_squares_operation = kernel_operation(
    "sum_of_squares",
    Form.FUSED,
    gradient=lambda g, y, t: multiply(multiply(g, 2.0), t),
    dtypes=KERNEL_FLOATS,
    launches=launches_from("optimizers.norms", "sum_of_squares_launches"),
    reference=lambda t: TABLE["reduce_sum"](multiply(t, t), axes=tuple(range(t.ndim)), keepdims=False),
    decomposition=_decomposed_sum_of_squares,  # in programs the squares are part of the loop of the sum
    result=lambda t: ArraySpec((), t.dtype),
)


def global_norm(t_list: Any, name: str | None = None) -> Tensor:
    """The Euclidean norm of all elements of several tensors together.

    Args:
        t_list: a sequence of floating tensors of one dtype, ``IndexedSlices`` (their values count) and None (ignored).
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: ``t_list`` is no sequence.
        InvalidArgumentError: not floating, or different dtypes.
    """
    tensors = _checked_tensors("global_norm", t_list)
    norm = _wide_global_norm(tensors)
    return next((cast(norm, t.dtype) for t in tensors if t is not None), norm)


def _wide_global_norm(t_list: list[Any]) -> Tensor:
    """Returns ``global_norm`` of checked tensors, in float32 for half-width floats, whose squares may be infinite."""
    tensors = [t.values if isinstance(t, IndexedSlices) else t for t in t_list if t is not None]
    sums = [_sum_of_squares_operation(t if t._array.dtype in KERNEL_FLOATS else cast(t, "float32")) for t in tensors]
    if not sums:
        return constant_tensor(np.zeros((), np.float32))
    total = sums[0] if len(sums) == 1 else reduce_sum(TABLE["stack"](*sums, axis=0))
    return sqrt(total)


def clip_by_global_norm(
    t_list: Any, clip_norm: Any, use_norm: Any = None, name: str | None = None
) -> tuple[list[Any], Tensor]:
    """Scales several tensors down by one factor, so that their global norm is at most ``clip_norm``.

    Args:
        t_list: a sequence of floating tensors of one dtype, ``IndexedSlices`` and None (which stays None).
        clip_norm: the largest global norm allowed.
        use_norm: the global norm, if the caller knows it.
        name: kept for TensorFlow's signature.

    Returns:
        ``(clipped list, global norm)``. If the norm is infinite or NaN, all elements are NaN.

    Raises:
        TypeError: ``t_list`` is no sequence, or ``clip_norm`` no number.
        ValueError: ``clip_norm`` is None.
        InvalidArgumentError: not floating, or different dtypes.
    """
    tensors = _checked_tensors("clip_by_global_norm", t_list)
    if clip_norm is None:
        raise ValueError("clip_by_global_norm: clip_norm is None; it must be a number.")
    if isinstance(clip_norm, (str, bytes)):
        raise TypeError(f"clip_by_global_norm: clip_norm must be a number, got {clip_norm!r}.")
    norm = _wide_global_norm(tensors) if use_norm is None else tensor_of(use_norm)
    if all(t is None for t in tensors):
        return tensors, norm
    limit, norm = convert_pair(clip_norm, norm)
    scale = realdiv(limit, maximum(norm, limit))
    scale = TABLE["where"](is_finite(norm), scale, constant_tensor(np.array(np.nan, norm._array.dtype)))
    clipped: list[Any] = []
    for t in tensors:
        if isinstance(t, IndexedSlices):
            clipped.append(IndexedSlices(_scaled(t.values, scale), t.indices, t.dense_shape))
        else:
            clipped.append(None if t is None else _scaled(t, scale))
    return clipped, norm if use_norm is not None else next(cast(norm, t.dtype) for t in tensors if t is not None)


def _scaled(t: Tensor, scale: Tensor) -> Tensor:
    return (
        multiply(t, scale) if t._array.dtype in KERNEL_FLOATS else cast(multiply(cast(t, scale.dtype), scale), t.dtype)
    )
