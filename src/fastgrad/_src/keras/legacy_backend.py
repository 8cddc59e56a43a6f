"""The functions that ``keras.backend`` had in Keras 2: ``K.square``, ``K.sum`` … Newer programs call those of ``tf``.

``LEGACY`` has them by name. Where a function is that of TensorFlow with other defaults, its entry says so in a line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fastgrad as tf
from fastgrad._src.keras import activations
from fastgrad._src.keras.settings import epsilon, floatx, image_data_format

_AS_IN_TF = (
    "abs cast cos equal exp foldl foldr gather greater greater_equal less less_equal map_fn maximum minimum not_equal ones_like pow "
    "reshape round shape sigmoid sign sin square stack tanh transpose zeros_like"
)
LEGACY: dict[str, Callable[..., Any]] = {name: getattr(tf, name) for name in _AS_IN_TF.split()}
LEGACY |= {
    "arange": lambda start, stop=None, step=1, dtype="int32": tf.cast(
        tf.range(start, stop, step) if stop is not None else tf.range(start), dtype
    ),
    "argmax": lambda x, axis=-1: tf.argmax(x, axis),
    "argmin": lambda x, axis=-1: tf.argmin(x, axis),
    "batch_flatten": lambda x: tf.reshape(x, (-1, math.prod(x.shape[1:]))),
    "batch_get_value": lambda tensors: [x.numpy() for x in tensors],
    "batch_normalization": lambda x, mean, var, beta, gamma, axis=-1, epsilon=1e-3: tf.nn.batch_normalization(
        x, mean, var, beta, gamma, epsilon
    ),
    "constant": lambda value, dtype=None, shape=None, name=None: tf.constant(value, dtype or floatx(), shape),
    "count_params": lambda x: math.prod(x.shape),
    "cumprod": lambda x, axis=0: tf.math.cumprod(x, axis),
    "cumsum": lambda x, axis=0: tf.cumsum(x, axis),
    "dropout": lambda x, level, noise_shape=None, seed=None: tf.nn.dropout(x, level, noise_shape, seed),
    "dtype": lambda x: x.dtype.name,
    "elu": activations.elu,
    "expand_dims": lambda x, axis=-1: tf.expand_dims(x, axis),
    "eye": lambda size, dtype=None, name=None: variable(tf.eye(size, dtype=dtype or floatx()), dtype, name),
    "flatten": lambda x: tf.reshape(x, (-1,)),
    "in_top_k": lambda predictions, targets, k: tf.math.in_top_k(targets, predictions, k),
    "int_shape": lambda x: tuple(x.shape),
    "l2_normalize": lambda x, axis=None: tf.linalg.l2_normalize(x, axis),
    "log": tf.math.log,
    "moving_average_update": lambda x, value, momentum: x.assign_sub((x - tf.cast(value, x.dtype)) * (1 - momentum)),
    "ndim": lambda x: x.shape.rank,
    "one_hot": tf.one_hot,
    "permute_dimensions": tf.transpose,
    "random_normal": lambda shape, mean=0.0, stddev=1.0, dtype=None, seed=None: tf.random.normal(
        shape, mean, stddev, dtype or floatx(), seed
    ),
    "random_uniform": lambda shape, minval=0.0, maxval=1.0, dtype=None, seed=None: tf.random.uniform(
        shape, minval, maxval, dtype or floatx(), seed
    ),
    "reverse": lambda x, axes: tf.reverse(x, [axes] if isinstance(axes, int) else axes),
    "softplus": tf.math.softplus,
    "softsign": tf.math.softsign,
    "sqrt": lambda x: tf.sqrt(tf.maximum(x, 0.0)),
    "squeeze": lambda x, axis: tf.squeeze(x, [axis]),
    "tile": lambda x, n: tf.tile(x, [n] if isinstance(n, int) else n),
    "to_dense": lambda x: x,
    "truncated_normal": lambda shape, mean=0.0, stddev=1.0, dtype=None, seed=None: tf.random.truncated_normal(
        shape, mean, stddev, dtype or floatx(), seed
    ),
    "update": lambda x, new_x: x.assign(new_x),
    "update_add": lambda x, increment: x.assign_add(increment),
    "update_sub": lambda x, decrement: x.assign_sub(decrement),
}


def _legacy(function: Callable[..., Any]) -> Callable[..., Any]:
    LEGACY[function.__name__] = function
    return function


def _add_reductions() -> None:
    """Adds the reductions: those of ``tf``, of numbers that are truth values their floats."""

    def add(name: str, function: Callable[..., Any], dtype_of_bool: str) -> None:
        def reduction(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
            x = tf.convert_to_tensor(x)
            if dtype_of_bool == "bool" or x.dtype == tf.bool:
                x = tf.cast(x, dtype_of_bool)
            return function(x, axis, keepdims)

        reduction.__name__ = name
        LEGACY[name] = reduction

    for name in ("all", "any"):
        add(name, getattr(tf, f"reduce_{name}"), "bool")
    for name in ("max", "mean", "min", "prod", "sum"):
        add(name, getattr(tf, f"reduce_{name}"), floatx())
    add("std", tf.math.reduce_std, floatx())
    add("var", tf.math.reduce_variance, floatx())


_add_reductions()


# ---- variables -----------------------------------------------------------------------------------------------------


@_legacy
def variable(value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None) -> Any:
    """Returns a variable, by default of ``floatx()``."""
    return tf.Variable(value, dtype=dtype or floatx(), name=name, constraint=constraint)


@_legacy
def zeros(shape: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Returns a variable of zeros."""
    return variable(tf.zeros(shape, dtype or floatx()), dtype, name)


@_legacy
def ones(shape: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Returns a variable of ones."""
    return variable(tf.ones(shape, dtype or floatx()), dtype, name)


@_legacy
def random_normal_variable(
    shape: Any, mean: float, scale: float, dtype: Any = None, name: str | None = None, seed: Any = None
) -> Any:
    """Returns a variable of normal numbers."""
    return variable(tf.random.normal(shape, mean, scale, dtype or floatx(), seed), dtype, name)


@_legacy
def random_uniform_variable(
    shape: Any, low: float, high: float, dtype: Any = None, name: str | None = None, seed: Any = None
) -> Any:
    """Returns a variable of uniform numbers."""
    return variable(tf.random.uniform(shape, low, high, dtype or floatx(), seed), dtype, name)


@_legacy
def random_bernoulli(shape: Any, p: float = 0.0, dtype: Any = None, seed: Any = None) -> Any:
    """Returns ones with probability ``p``, else zeros."""
    dtype = dtype or floatx()
    return tf.cast(tf.random.uniform(shape, dtype=dtype, seed=seed) <= p, dtype)


@_legacy
def get_value(x: Any) -> Any:
    """Returns the array of a tensor or a variable; other values as they are."""
    return x.numpy() if tf.is_tensor(x) else x


LEGACY["eval"] = get_value


@_legacy
def set_value(x: Any, value: Any) -> None:
    """Assigns a variable."""
    x.assign(np.asarray(value, x.dtype.name))


@_legacy
def batch_set_value(tuples: Sequence[tuple[Any, Any]]) -> None:
    """Assigns several variables."""
    for x, value in tuples:
        set_value(x, value)


# ---- values --------------------------------------------------------------------------------------------------------


@_legacy
def cast_to_floatx(x: Any) -> Any:
    """Returns a tensor or an array of ``floatx()``."""
    return tf.cast(x, floatx()) if tf.is_tensor(x) else np.asarray(x, floatx())


@_legacy
def clip(x: Any, min_value: Any, max_value: Any) -> Any:
    """Returns values in a range; None for an open end. A maximum below the minimum counts as the minimum."""
    if isinstance(min_value, (int, float)) and isinstance(max_value, (int, float)):
        max_value = max(min_value, max_value)
    return tf.clip_by_value(x, -np.inf if min_value is None else min_value, np.inf if max_value is None else max_value)


@_legacy
def concatenate(tensors: Sequence[Any], axis: int = -1) -> Any:
    """Returns tensors joined along an axis."""
    return tf.concat(tensors, axis)


@_legacy
def stop_gradient(variables: Any) -> Any:
    """Returns tensors that are constants for gradients; of a list a ``map``."""
    return map(tf.stop_gradient, variables) if isinstance(variables, (list, tuple)) else tf.stop_gradient(variables)


@_legacy
def repeat(x: Any, n: int) -> Any:
    """Returns a matrix n times: shape (rows, n, columns).

    Raises:
        ValueError: ``x`` is no matrix.
    """
    if x.shape.rank != 2:
        raise ValueError(f"Expected input `x` to have rank 2. Received: rank(x)={x.shape.rank}")
    return tf.tile(tf.expand_dims(x, 1), [1, n, 1])


@_legacy
def repeat_elements(x: Any, rep: int, axis: int) -> Any:
    """Returns each slice along an axis ``rep`` times."""
    return tf.repeat(x, rep, axis)


@_legacy
def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """Returns one of two tensors, or of the results of two functions, by a scalar or by each element."""
    condition = tf.cast(condition, tf.bool)
    then, otherwise = (f if callable(f) else lambda value=f: value for f in (then_expression, else_expression))
    if not condition.shape.rank:
        return tf.cond(condition, then, otherwise)
    x, y = tf.convert_to_tensor(then()), tf.convert_to_tensor(otherwise())
    if condition.shape.rank > x.shape.rank:
        raise ValueError(
            "Rank of `condition` should be less than or equal to rank of `then_expression` and `else_expression`. "
            f"ndim(condition)={condition.shape.rank}, ndim(then_expression)={x.shape.rank}"
        )
    return tf.where(tf.reshape(condition, (*condition.shape, *[1] * (x.shape.rank - condition.shape.rank))), x, y)


# ---- activations and losses -----------------------------------------------------------------------------------------


@_legacy
def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """Returns the values above a threshold, at most ``max_value``; below it ``alpha (x - threshold)``."""
    return activations.relu(x, alpha, max_value, threshold)


@_legacy
def hard_sigmoid(x: Any) -> Any:
    """Returns 0.2 x + 0.5 between 0 and 1."""
    return tf.clip_by_value(0.2 * x + 0.5, 0.0, 1.0)


@_legacy
def softmax(x: Any, axis: int = -1) -> Any:
    """Returns the softmax.

    Raises:
        ValueError: ``x`` is a vector.
    """
    if x.shape.rank <= 1:
        raise ValueError(f"Cannot apply softmax to a tensor that is 1D. Received input: {x}")
    return activations.softmax(x, axis)


def _inside(probabilities: Any) -> Any:
    return tf.clip_by_value(probabilities, epsilon(), 1.0 - epsilon())


@_legacy
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """Returns the cross-entropy of each element."""
    target, output = tf.convert_to_tensor(target), tf.convert_to_tensor(output)
    if from_logits:
        return tf.nn.sigmoid_cross_entropy_with_logits(target, output)
    output = _inside(output)
    return -(target * tf.math.log(output + epsilon()) + (1 - target) * tf.math.log(1 - output + epsilon()))


@_legacy
def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """Returns the cross-entropy of each row."""
    target, output = tf.convert_to_tensor(target), tf.convert_to_tensor(output)
    if from_logits:
        return tf.nn.softmax_cross_entropy_with_logits(target, output, axis)
    output = _inside(output / tf.reduce_sum(output, axis, keepdims=True))
    return -tf.reduce_sum(target * tf.math.log(output), axis)


@_legacy
def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """Returns the cross-entropy of each row, for targets that are numbers of classes."""
    target, output = tf.cast(target, tf.int64), tf.convert_to_tensor(output)
    if not from_logits:
        output = tf.math.log(_inside(output))
    rank = output.shape.rank
    if axis % rank != rank - 1:
        output = tf.transpose(output, [*[a for a in range(rank) if a != axis % rank], axis % rank])
    target = tf.reshape(target, output.shape[:-1])
    return tf.nn.sparse_softmax_cross_entropy_with_logits(target, output)


# ---- products, convolutions, padding --------------------------------------------------------------------------------


@_legacy
def dot(x: Any, y: Any) -> Any:
    """Returns the product over the last axis of ``x`` and the last but one of ``y``."""
    if x.shape.rank <= 2 and y.shape.rank <= 2:
        return tf.matmul(x, y)
    return tf.tensordot(x, y, [[x.shape.rank - 1], [max(y.shape.rank - 2, 0)]])


@_legacy
def batch_dot(x: Any, y: Any, axes: Any = None) -> Any:
    """Returns the products of the rows of two batches over one axis of each.

    Raises:
        ValueError: a batch has rank 1, the batches differ, or axes are 0 or have different sizes.
    """
    ranks = x.shape.rank, y.shape.rank
    if min(ranks) < 2:
        raise ValueError(
            f"Cannot do batch_dot on inputs with rank < 2. Received inputs with tf.shapes {x.shape} and {y.shape}."
        )
    if x.shape[0] != y.shape[0]:
        raise ValueError(
            f"Cannot do batch_dot on inputs with different batch sizes. Received inputs with tf.shapes {x.shape} and {y.shape}."
        )
    if axes is None:
        axes = (ranks[0] - 1, ranks[1] - 1 if ranks[1] == 2 else ranks[1] - 2)
    pair = [axes, axes] if isinstance(axes, int) else list(axes)
    if any(isinstance(axis, (list, tuple)) for axis in pair):
        raise ValueError(
            f"Multiple target dimensions are not supported. Expected: None, int, (int, int), Provided: {axes}"
        )
    a, b = [axis % rank for axis, rank in zip(pair, ranks, strict=True)]
    if 0 in (a, b):
        raise ValueError("Cannot perform batch_dot over axis 0. Add a dummy batch dimension with K.expand_dims(x, 0).")
    if x.shape[a] != y.shape[b]:
        raise ValueError(
            f"Cannot do batch_dot on inputs with tf.shapes {x.shape} and {y.shape} with axes={pair}. "
            f"x.shape[{a}] != y.shape[{b}] ({x.shape[a]} != {y.shape[b]})."
        )
    letters = iter("bcdefghijklmnopqrstuvwxyz")
    first = ["a", *[next(letters) for _ in range(ranks[0] - 1)]]
    second = ["a", *[next(letters) for _ in range(ranks[1] - 1)]]
    second[b] = first[a]
    rest = [c for n, c in enumerate(first) if n != a] + [c for n, c in enumerate(second) if n not in (0, b)]
    product = tf.einsum(f"{''.join(first)},{''.join(second)}->{''.join(rest)}", x, y)
    return tf.expand_dims(product, 1) if product.shape.rank == 1 else product


def _has_channels_first(data_format: str | None) -> bool:
    """True for ``"channels_first"``, and for None if it is the global setting.

    Raises:
        ValueError: another format.
    """
    data_format = data_format or image_data_format()
    if data_format not in ("channels_first", "channels_last"):
        raise ValueError(f"Unknown data_format: {data_format}")
    return data_format == "channels_first"


def _layout(rank: int, data_format: str | None) -> str:
    """Returns TensorFlow's name of a data format for some spatial axes, such as ``"NHWC"``."""
    axes = "DHW"[3 - rank :]
    return f"NC{axes}" if _has_channels_first(data_format) else f"N{axes}C"


def _padding(padding: str) -> str:
    if padding not in ("same", "valid"):
        raise ValueError(f"Invalid padding: {padding}")
    return padding.upper()


@_legacy
def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Any:
    """Returns a tensor with a bias for each channel, or for each element of a row."""
    is_first = _has_channels_first(data_format)
    rank = x.shape.rank
    if bias.shape.rank not in (1, rank - 1):
        raise ValueError(f"Unexpected bias dimensions {bias.shape.rank}. Expected it to be 1 or {rank - 1} dimensions")
    if bias.shape.rank > 1:
        return x + tf.expand_dims(
            tf.transpose(bias, [bias.shape.rank - 1, *range(bias.shape.rank - 1)]) if is_first else bias, 0
        )
    return x + (tf.reshape(bias, (-1, *[1] * (rank - 2))) if is_first else bias)


def _convolution(rank: int, name: str) -> None:
    def convolution(
        x: Any,
        kernel: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
    ) -> Any:
        layout = _layout(rank, data_format)
        if padding == "causal" and rank == 1:
            x, padding = temporal_padding(x, (dilation_rate * (kernel.shape[0] - 1), 0)), "valid"
        return tf.nn.convolution(x, kernel, strides, _padding(padding), layout, dilation_rate)

    convolution.__name__ = name
    LEGACY[name] = convolution


for _rank, _name in ((1, "conv1d"), (2, "conv2d"), (3, "conv3d")):
    _convolution(_rank, _name)


def _pooling(rank: int, name: str) -> None:
    def pooling(
        x: Any,
        pool_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        pool_mode: str = "max",
    ) -> Any:
        layout = _layout(rank, data_format)
        if pool_mode not in ("max", "avg"):
            raise ValueError(f"Invalid pooling mode: {pool_mode}")
        return tf.nn.pool(x, pool_size, pool_mode.upper(), strides, _padding(padding), layout)

    pooling.__name__ = name
    LEGACY[name] = pooling


for _rank, _name in ((2, "pool2d"), (3, "pool3d")):
    _pooling(_rank, _name)


@_legacy
def temporal_padding(x: Any, padding: Sequence[int] = (1, 1)) -> Any:
    """Returns sequences with zeros before and after."""
    if len(padding) != 2:
        raise ValueError(f"Expected `padding` to be a tuple of 2 integers. Received: padding={padding}")
    return tf.pad(x, [(0, 0), tuple(padding), (0, 0)])


def _spatial_padding(rank: int, name: str) -> None:
    def spatial_padding(x: Any, padding: Any = ((1, 1),) * rank, data_format: str | None = None) -> Any:
        if len(padding) != rank or any(len(pair) != 2 for pair in padding):
            raise ValueError(
                f"Expected `padding` to be a tuple of {rank} tuples of 2 integers. Received: padding={padding}"
            )
        is_first = _has_channels_first(data_format)
        pairs = [tuple(pair) for pair in padding]
        return tf.pad(x, [(0, 0), (0, 0), *pairs] if is_first else [(0, 0), *pairs, (0, 0)])

    spatial_padding.__name__ = name
    LEGACY[name] = spatial_padding


for _rank, _name in ((2, "spatial_2d_padding"), (3, "spatial_3d_padding")):
    _spatial_padding(_rank, _name)


@_legacy
def rnn(
    step_function: Callable[..., Any],
    inputs: Any,
    initial_states: Any,
    go_backwards: bool = False,
    mask: Any = None,
    constants: Any = None,
) -> Any:
    """Runs a step over the time of inputs.

    Args:
        step_function: takes the input of a time, and a tuple of states and constants; returns an output and new states.
        inputs: shape (batch, time, …).
        initial_states: a tuple of tensors.
        go_backwards: whether the last time comes first.
        mask: shape (batch, time): where it is False, states and outputs stay as they were.
        constants: further tensors for the step.

    Returns:
        The last output, all outputs, shape (batch, time, …), and the last states.
    """
    states: tuple[Any, ...] = tuple(initial_states)
    outputs: list[Any] = []
    times = range(inputs.shape[1])
    for time in reversed(times) if go_backwards else times:
        output, new_states = step_function(inputs[:, time], states + tuple(constants or ()))
        if mask is not None:
            keep = tf.cast(mask, tf.bool)[:, time]
            before = outputs[-1] if outputs else tf.zeros_like(output)
            output = switch(keep, output, before)
            new_states = tuple(switch(keep, new, old) for new, old in zip(new_states, states, strict=True))
        outputs.append(output)
        states = tuple(new_states)
    return outputs[-1], tf.stack(outputs, axis=1), states


def _pair(strides: Any) -> tuple[int, ...]:
    return (strides,) * 2 if isinstance(strides, int) else tuple(strides)


def _strides_of(layout: str, strides: Any) -> list[int]:
    return [1, *_pair(strides), 1] if layout == "NHWC" else [1, 1, *_pair(strides)]


@_legacy
def depthwise_conv2d(
    x: Any,
    depthwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """Returns a convolution of each channel with kernels of its own."""
    layout = _layout(2, data_format)
    strides = _strides_of(layout, strides)
    return tf.nn.depthwise_conv2d(x, depthwise_kernel, strides, _padding(padding), layout, _pair(dilation_rate))


@_legacy
def separable_conv2d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """Returns a convolution of each channel, followed by one of single pixels."""
    if len(strides) != 2:
        raise ValueError(f"`strides` must be a tuple of 2 integers. Received: strides={strides}")
    layout = _layout(2, data_format)
    options = _strides_of(layout, strides), _padding(padding), layout, _pair(dilation_rate)
    return tf.nn.separable_conv2d(x, depthwise_kernel, pointwise_kernel, *options)


@_legacy
def conv2d_transpose(
    x: Any,
    kernel: Any,
    output_shape: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """Returns a transposed convolution; the kernel has the shape (height, width, channels of the result, channels of ``x``)."""
    layout, rates = _layout(2, data_format), _pair(dilation_rate)
    sizes = [x.shape[0] if size is None else size for size in output_shape]
    if rates == (1, 1):
        return tf.nn.conv2d_transpose(x, kernel, sizes, _strides_of(layout, strides), _padding(padding), layout)
    if rates[0] != rates[1]:
        raise ValueError(
            "Expected the 2 dimensions of the `dilation_rate` argument to be equal to each other. "
            f"Received: dilation_rate={dilation_rate}"
        )
    if layout == "NHWC":
        return tf.nn.atrous_conv2d_transpose(x, kernel, sizes, rates[0], _padding(padding))
    last = [sizes[axis] for axis in (0, 2, 3, 1)]
    y = tf.nn.atrous_conv2d_transpose(tf.transpose(x, [0, 2, 3, 1]), kernel, last, rates[0], _padding(padding))
    return tf.transpose(y, [0, 3, 1, 2])


@_legacy
def resize_images(
    x: Any, height_factor: int, width_factor: int, data_format: str, interpolation: str = "nearest"
) -> Any:
    """Returns images whose height and width are multiples of those of ``x``."""
    methods = ("area", "bicubic", "bilinear", "gaussian", "lanczos3", "lanczos5", "mitchellcubic", "nearest")
    if interpolation not in methods:
        raise ValueError(f"`interpolation` argument should be one of: {methods}. Received: {interpolation!r}.")
    is_first = _has_channels_first(data_format)
    x = tf.transpose(x, [0, 2, 3, 1]) if is_first else x
    y = tf.image.resize(x, (x.shape[1] * height_factor, x.shape[2] * width_factor), interpolation)
    return tf.transpose(y, [0, 3, 1, 2]) if is_first else y


@_legacy
def resize_volumes(x: Any, depth_factor: int, height_factor: int, width_factor: int, data_format: str) -> Any:
    """Returns volumes in which each element is repeated along depth, height and width."""
    first = 2 if _has_channels_first(data_format) else 1
    for axis, factor in enumerate((depth_factor, height_factor, width_factor), first):
        x = tf.repeat(x, factor, axis=axis)
    return x


@_legacy
def is_sparse(tensor: Any) -> bool:
    """True for a ``SparseTensor``."""
    return isinstance(tensor, tf.SparseTensor)


@_legacy
def binary_focal_crossentropy(
    target: Any,
    output: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
) -> Any:
    """Returns the binary cross-entropy times a power of the distance from the label; of each element."""
    probabilities = tf.sigmoid(output) if from_logits else output
    match = target * probabilities + (1 - target) * (1 - probabilities)
    losses = tf.pow(1.0 - match, gamma) * LEGACY["binary_crossentropy"](target, output, from_logits=from_logits)
    return losses * (target * alpha + (1 - target) * (1 - alpha)) if apply_class_balancing else losses


@_legacy
def categorical_focal_crossentropy(
    target: Any, output: Any, alpha: float = 0.25, gamma: float = 2.0, from_logits: bool = False, axis: int = -1
) -> Any:
    """Returns the cross-entropy of classes times a power of the distance from the label."""
    target, output = tf.convert_to_tensor(target), tf.convert_to_tensor(output)
    output = tf.nn.softmax(output, axis=axis) if from_logits else output
    output = output / tf.reduce_sum(output, axis=axis, keepdims=True)
    output = tf.clip_by_value(output, epsilon(), 1.0 - epsilon())
    return tf.reduce_sum(tf.pow(1.0 - output, gamma) * alpha * (-target * tf.math.log(output)), axis=axis)


@_legacy
def ctc_label_dense_to_sparse(labels: Any, label_lengths: Any) -> Any:
    """Returns the first ``label_lengths`` labels of each row as a ``SparseTensor``."""
    labels = tf.convert_to_tensor(labels)
    indices = tf.where(tf.sequence_mask(label_lengths, labels.shape[1]))
    return tf.SparseTensor(indices, tf.gather_nd(labels, indices), labels.shape)


@_legacy
def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> Any:
    """Returns the CTC loss of each row, shape (batch, 1).

    Args:
        y_true: labels, shape (batch, labels).
        y_pred: probabilities of the classes, of which the last is the blank; shape (batch, time, classes).
        input_length, label_length: how much of both counts, shape (batch, 1).
    """
    logits = tf.math.log(tf.convert_to_tensor(y_pred) + epsilon())
    losses = tf.nn.ctc_loss(
        tf.cast(y_true, tf.int32),
        logits,
        tf.cast(tf.squeeze(label_length, -1), tf.int32),
        tf.cast(tf.squeeze(input_length, -1), tf.int32),
        logits_time_major=False,
        blank_index=-1,
    )
    return tf.expand_dims(losses, 1)


@_legacy
def ctc_decode(
    y_pred: Any, input_length: Any, greedy: bool = True, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[Any], Any]:
    """Returns the decoded labels of each path, filled up with -1, and the logarithms of their probabilities.

    Args:
        y_pred: probabilities of the classes, of which the last is the blank; shape (batch, time, classes).
        input_length: how much of the time counts, shape (batch,).
        greedy: whether to take the best class of each time; else a beam search of ``beam_width`` gives ``top_paths``.
        beam_width, top_paths: of the beam search.
    """
    logits = tf.math.log(tf.transpose(y_pred, [1, 0, 2]) + epsilon())
    lengths = tf.cast(input_length, tf.int32)
    if greedy:
        decoded, scores = tf.nn.ctc_greedy_decoder(logits, lengths)
    else:
        decoded, scores = tf.nn.ctc_beam_search_decoder(logits, lengths, beam_width, top_paths)
    shape = logits.shape[1], logits.shape[0]
    paths = [tf.sparse.to_dense(tf.SparseTensor(path.indices, path.values, shape), -1) for path in decoded]
    return paths if greedy else [_without_repetitions(path) for path in paths], scores


def _without_repetitions(labels: Any) -> Any:
    """Returns each run of a label once, filled up with -1, as the beam search of TensorFlow 1 does."""
    counts = tf.reduce_sum(tf.cast(labels >= 0, tf.int32), 1)
    merged, counts = tf.nn.collapse_repeated(labels, counts)
    is_label = tf.sequence_mask(counts, merged.shape[1])
    merged = tf.where(is_label, merged, tf.constant(-1, merged.dtype))
    return tf.pad(merged, [[0, 0], [0, labels.shape[1] - merged.shape[1]]], constant_values=-1)
