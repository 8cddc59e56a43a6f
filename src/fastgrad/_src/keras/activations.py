"""Activation functions of one tensor (``keras.activations``), element by element unless they have an ``axis``.

Element-wise functions of a ragged tensor give a ragged tensor.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any

from fastgrad._src.core.composite import Composite as _Composite
from fastgrad._src.core.composite import CompositeOperand as _CompositeOperand
from fastgrad._src.core.errors import InvalidArgumentError as _InvalidArgumentError
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.tensor import convert_to_tensor as _convert_to_tensor
from fastgrad._src.keras.axes import axis_from_front as _axis_from_front
from fastgrad._src.keras.saving.objects import (
    deserialize_keras_object,
    is_function,
    resolve_identifier,
    serialize_keras_object,
)
from fastgrad._src.keras.settings import floatx
from fastgrad._src.keras.symbolic_functions import FUNCTIONS as _FUNCTIONS
from fastgrad._src.keras.symbolic_functions import add_operator as _add_operator
from fastgrad._src.ops import namespace as ops


def linear(x: Any) -> Any:
    """Returns ``x`` unchanged: no activation."""
    return x


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Tensor:
    """``x`` above ``threshold``, ``negative_slope * (x - threshold)`` below, at most ``max_value``."""
    x = _convert_to_tensor(x)
    if negative_slope:
        if max_value is None and not threshold:
            return ops.leaky_relu(x, negative_slope)
        negative_part = ops.relu(threshold - x)
    if threshold:
        y = ops.where(x > threshold, x, ops.zeros_like(x))
    elif max_value == 6:
        y = ops.relu6(x)
    else:
        y = ops.relu(x)
    if max_value is not None and (threshold or max_value != 6):
        y = ops.clip_by_value(y, 0.0, max_value)
    return y - negative_slope * negative_part if negative_slope else y


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Tensor:
    """``x`` where it is positive, ``negative_slope * x`` elsewhere."""
    return ops.leaky_relu(x, negative_slope)


def relu6(x: Any) -> Tensor:
    """``min(max(x, 0), 6)``."""
    return ops.relu6(x)


def softmax(x: Any, axis: Any = -1) -> Tensor:
    """``exp(x) / sum(exp(x))`` along ``axis``, an axis or several axes together.

    With one axis, the result remembers ``x``, so that cross-entropies are computed from logits. A ragged ``x`` allows only the last axis.
    """
    if isinstance(x, _Composite) and not x.is_rectangular:
        return ops.softmax(x, axis)
    logits = _convert_to_tensor(x)
    if isinstance(axis, (tuple, list)):
        return _apply_along_axes(ops.softmax, logits, axis)
    y = ops.softmax(logits, axis)
    y._keras_logits = logits
    return y


def log_softmax(x: Any, axis: Any = -1) -> Tensor:
    """The logarithm of the softmax of ``x``, along an axis."""
    if isinstance(axis, (tuple, list)):
        return _apply_along_axes(ops.log_softmax, _convert_to_tensor(x), axis)
    return ops.log_softmax(x, axis)


def _apply_along_axes(function: Callable[..., Tensor], x: Tensor, axes: Any) -> Tensor:
    """Applies ``function`` along several axes: joins them to one last axis, then restores the shape."""
    reduced_axes = [_axis_from_front("softmax", axis, x._array.shape) for axis in axes]
    order = [*(axis for axis in range(x.ndim) if axis not in reduced_axes), *reduced_axes]
    transposed = ops.transpose(x, order)
    kept_sizes = transposed.shape[: x.ndim - len(reduced_axes)]
    y = ops.reshape(function(ops.reshape(transposed, [*kept_sizes, -1]), -1), transposed.shape)
    return ops.transpose(y, [order.index(axis) for axis in range(x.ndim)])


def sigmoid(x: Any) -> Tensor:
    """``1 / (1 + exp(-x))``; the result remembers ``x``, so that cross-entropies are computed from logits."""
    logits = _convert_to_tensor(x)
    y = ops.sigmoid(logits)
    y._keras_logits = logits
    return y


def log_sigmoid(x: Any) -> Tensor:
    """The logarithm of the sigmoid of ``x``."""
    return ops.log_sigmoid(x)


def _apply_to_floats(function: Callable[[Any], Tensor], x: Any) -> Tensor:
    """Returns ``function(x)``, where integers, which ``function`` does not take, are first cast to ``floatx()``."""
    try:
        return function(x)
    except _InvalidArgumentError:
        return function(ops.cast(x, floatx()))


def tanh(x: Any) -> Tensor:
    """The hyperbolic tangent."""
    return _apply_to_floats(ops.tanh, x)


def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """``x`` where it is positive, ``alpha * (exp(x) - 1)`` elsewhere."""
    y = ops.elu(x)
    return y if alpha == 1.0 else ops.where(y > 0, y, alpha * y)


def selu(x: Any) -> Tensor:
    """``elu`` scaled so that mean 0 and variance 1 are kept (Klambauer et al. 2017)."""
    return ops.selu(x)


def celu(x: Any, alpha: float = 1.0) -> Tensor:
    """``max(x, 0) + alpha * (exp(min(x, 0) / alpha) - 1)``."""
    x = _convert_to_tensor(x)
    return ops.maximum(x, 0.0) + alpha * ops.expm1(ops.minimum(x, 0.0) / alpha)


def gelu(x: Any, approximate: bool = False) -> Tensor:
    """``x`` times the normal distribution's cumulative function at ``x``; ``approximate`` uses tanh."""
    return ops.gelu(x, approximate)


def silu(x: Any) -> Tensor:
    """``x * sigmoid(x)``."""
    return ops.silu(x)


swish = silu


def mish(x: Any) -> Tensor:
    """``x * tanh(softplus(x))``."""
    x = _convert_to_tensor(x)
    return x * ops.tanh(ops.softplus(x))


def softplus(x: Any) -> Tensor:
    """``log(1 + exp(x))``."""
    return ops.softplus(x)


def softsign(x: Any) -> Tensor:
    """``x / (1 + |x|)``."""
    return ops.softsign(x)


def squareplus(x: Any, b: float = 4) -> Tensor:
    """``(x + sqrt(x**2 + b)) / 2``."""
    x = _convert_to_tensor(x)
    return (x + ops.sqrt(ops.square(x) + b)) / 2.0


def exponential(x: Any) -> Tensor:
    """``exp(x)``."""
    return _apply_to_floats(ops.exp, x)


def hard_sigmoid(x: Any) -> Tensor:
    """``relu6(x + 3) / 6``."""
    return ops.relu6(_convert_to_tensor(x) + 3.0) / 6.0


def hard_silu(x: Any) -> Tensor:
    """``x * hard_sigmoid(x)``."""
    x = _convert_to_tensor(x)
    return x * hard_sigmoid(x)


hard_swish = hard_silu


def hard_tanh(x: Any) -> Tensor:
    """``x`` clipped to [-1, 1]."""
    return ops.clip_by_value(x, -1.0, 1.0)


def hard_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """``x`` where its absolute value is above ``threshold``, 0 elsewhere."""
    x = _convert_to_tensor(x)
    return ops.where(ops.abs(x) > threshold, x, ops.zeros_like(x))


def soft_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """``x`` moved towards 0 by ``threshold``; 0 where ``|x| <= threshold``."""
    x = _convert_to_tensor(x)
    negative_side = ops.where(x < -threshold, x + threshold, ops.zeros_like(x))
    return ops.where(x > threshold, x - threshold, negative_side)


def tanh_shrink(x: Any) -> Tensor:
    """``x - tanh(x)``."""
    x = _convert_to_tensor(x)
    return x - ops.tanh(x)


def threshold(x: Any, threshold: float, default_value: float) -> Tensor:
    """``x`` above ``threshold``, ``default_value`` elsewhere."""
    x = _convert_to_tensor(x)
    return ops.where(x > threshold, x, ops.zeros_like(x) + default_value)


def glu(x: Any, axis: int = -1) -> Tensor:
    """The first half along ``axis`` times the sigmoid of the second half; ValueError if the axis has an odd size."""
    x = _convert_to_tensor(x)
    if x.shape[_axis_from_front("glu", axis, x._array.shape)] % 2:
        raise ValueError(f"axis size must be divisible by 2. Received: x.shape={x.shape} with axis={axis}")
    values, gates = ops.split(x, 2, axis)
    return values * ops.sigmoid(gates)


def sparse_plus(x: Any) -> Tensor:
    """0 up to -1, ``(x + 1)**2 / 4`` up to 1, ``x`` above."""
    x = _convert_to_tensor(x)
    middle = 0.25 * ops.square(x + 1.0)
    return ops.where(x <= -1.0, ops.zeros_like(x), ops.where(x < 1.0, middle, x))


def sparse_sigmoid(x: Any) -> Tensor:
    """``(x + 1) / 2`` clipped to [0, 1]."""
    x = _convert_to_tensor(x)
    return ops.where(x <= -1.0, ops.zeros_like(x), ops.where(x >= 1.0, ops.ones_like(x), 0.5 * (x + 1.0)))


def sparsemax(x: Any, axis: int = -1) -> Tensor:
    """The nearest point of the probability simplex, along ``axis`` (Martins and Astudillo 2016)."""
    x = _convert_to_tensor(x)
    try:
        count = x.shape[_axis_from_front("sparsemax", axis, x._array.shape)]
    except IndexError as error:
        raise _InvalidArgumentError(str(error)) from None
    x = x - ops.stop_gradient(
        ops.reduce_max(x, axis, keepdims=True)
    )  # a shift changes nothing but the size of the sums
    ordered = ops.sort(x, axis, "DESCENDING")
    shape = [1] * x.ndim
    shape[axis] = count
    ranks = ops.reshape(ops.range(1, count + 1, dtype=x.dtype), shape)
    sums = ops.cumsum(ordered, axis)
    support = ops.cast(ordered * ranks > sums - 1.0, x.dtype)
    size = ops.reduce_sum(support, axis, keepdims=True)
    threshold = (ops.reduce_sum(ordered * support, axis, keepdims=True) - 1.0) / size
    return ops.relu(x - threshold)


def _for_keras_tensors(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function that adds an ``Operator`` to the functional model if its first argument is a ``KerasTensor``."""
    path = f"activations.{function.__name__}"
    if function.__name__ == "linear":  # returns its argument
        return function

    has_axis = "axis" in inspect.signature(function).parameters

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        x = args[0] if args else kwargs.get("x")
        if not getattr(type(x), "is_keras_tensor", False):  # of the type: a tensor explains at length what it lacks
            try:
                return function(*args, **kwargs)
            except _CompositeOperand as met:
                if x is not met.composite or met.composite.is_rectangular or has_axis:
                    raise  # a sparse tensor has zeros that its values do not show
                rest = {name: value for name, value in kwargs.items() if name != "x"}
                return met.mapped(lambda values: function(values, *args[1:], **rest), x)
        return _add_operator(path, args, kwargs)

    return _FUNCTIONS.setdefault(path, call)  # two names of one function stay one function


ALL: dict[str, Callable[..., Any]] = {
    name: _for_keras_tensors(value)
    for name, value in list(globals().items())
    if isinstance(value, FunctionType) and value.__module__ == __name__ and not name.startswith("_")
}
globals().update(ALL)


def serialize(activation: Any) -> Any:
    """The name of a function of this module or of an unregistered function; the configuration of other activations."""
    if not (callable(activation) or isinstance(activation, (str, type(None)))):
        raise TypeError(f"activations.serialize: `activation` must be a function or a layer, got {activation!r}.")
    config = serialize_keras_object(activation)
    is_name = is_function(activation) and isinstance(config["config"], str) and ">" not in config["config"]
    return config["config"] if is_name else config


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The activation function of a name or configuration."""
    return deserialize_keras_object(config, custom_objects, module_objects=ALL)


def get(identifier: Any) -> Callable[..., Any]:
    """Returns the activation function of a name, configuration or callable; None gives ``linear``.

    Args:
        identifier: a function, a name (``"relu"``), a configuration, a layer, or None for ``linear``.

    Raises:
        ValueError: ``identifier`` is none of these.

    Example:
        >>> tf.keras.activations.get("relu")(tf.constant([-1.0, 1.0])).numpy()
        array([0., 1.], dtype=float32)
    """
    return linear if identifier is None else resolve_identifier(identifier, ALL, "activation function")
