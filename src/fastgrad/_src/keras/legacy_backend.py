"""The functions that ``keras.backend`` had in Keras 2: ``K.square``, ``K.sum`` … Newer programs call those of ``tf``.

``LEGACY`` has them by name. If a function is TensorFlow's with other defaults, its entry is one line that says so.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_choice, check_length, check_rank, refuse
from fastgrad._src.core.tensor import convert_to_tensor, is_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.keras import activations
from fastgrad._src.keras.settings import epsilon, floatx, image_data_format
from fastgrad._src.ops import namespace as ops
from fastgrad._src.ops import reduction as reduction_ops
from fastgrad._src.structures.sparse.conversion import to_dense
from fastgrad._src.structures.sparse.label_sequences import (
    collapse_repeated,
    ctc_beam_search_decoder,
    ctc_greedy_decoder,
    ctc_loss,
)
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor

_AS_IN_TF = (
    "abs cast cos equal exp foldl foldr gather greater greater_equal less less_equal map_fn maximum minimum not_equal ones_like pow "
    "reshape round shape sigmoid sign sin square stack tanh transpose zeros_like"
)
_tf: Any = importlib.import_module("fastgrad")
LEGACY: dict[str, Callable[..., Any]] = {name: getattr(_tf, name) for name in _AS_IN_TF.split()}
LEGACY |= {
    "arange": lambda start, stop=None, step=1, dtype="int32": ops.cast(
        ops.range(start, stop, step) if stop is not None else ops.range(start), dtype
    ),
    "argmax": lambda x, axis=-1: ops.argmax(x, axis),
    "batch_flatten": lambda x: ops.reshape(x, (-1, math.prod(x.shape[1:]))),
    "concatenate": lambda tensors, axis=-1: ops.concat(tensors, axis),
    "constant": lambda value, dtype=None, shape=None, name=None: ops.constant(value, dtype or floatx(), shape),
    "count_params": lambda x: math.prod(x.shape),
    "dtype": lambda x: x.dtype.name,
    "elu": activations.elu,
    "expand_dims": lambda x, axis=-1: ops.expand_dims(x, axis),
    "flatten": lambda x: ops.reshape(x, (-1,)),
    "int_shape": lambda x: tuple(x.shape),
    "is_sparse": lambda tensor: isinstance(tensor, SparseTensor),
    "l2_normalize": lambda x, axis=None: ops.l2_normalize(x, axis),
    "log": ops.log,
    "moving_average_update": lambda x, value, momentum: x.assign_sub((x - ops.cast(value, x.dtype)) * (1 - momentum)),
    "ndim": lambda x: x.shape.rank,
    "one_hot": ops.one_hot,
    "permute_dimensions": ops.transpose,
    "random_normal": lambda shape, mean=0.0, stddev=1.0, dtype=None, seed=None: ops.normal(
        shape, mean, stddev, dtype or floatx(), seed
    ),
    "random_uniform": lambda shape, minval=0.0, maxval=1.0, dtype=None, seed=None: ops.uniform(
        shape, minval, maxval, dtype or floatx(), seed
    ),
    "softplus": ops.softplus,
    "softsign": ops.softsign,
    "sqrt": lambda x: ops.sqrt(ops.maximum(x, 0.0)),
    "squeeze": lambda x, axis: ops.squeeze(x, [axis]),
    "update": lambda x, new_x: x.assign(new_x),
}


def _register_legacy(function: Callable[..., Any]) -> Callable[..., Any]:
    LEGACY[function.__name__] = function
    return function


def _add_reductions() -> None:
    """Adds the reductions: those of ``tf``, of numbers that are truth values their floats."""

    def add(name: str, function: Callable[..., Any], dtype_of_bool: str) -> None:
        def reduction(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
            x = convert_to_tensor(x)
            if dtype_of_bool == "bool" or x.dtype == dtypes.bool:
                x = ops.cast(x, dtype_of_bool)
            return function(x, axis, keepdims)

        reduction.__name__ = name
        LEGACY[name] = reduction

    for name in ("all", "any"):
        add(name, getattr(reduction_ops, f"reduce_{name}"), "bool")
    for name in ("max", "mean", "min", "prod", "sum"):
        add(name, getattr(reduction_ops, f"reduce_{name}"), floatx())
    add("std", ops.reduce_std, floatx())
    add("var", ops.reduce_variance, floatx())


_add_reductions()


# ---- variables -----------------------------------------------------------------------------------------------------


@_register_legacy
def variable(value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None) -> Any:
    """Returns a variable, by default of ``floatx()``."""
    return Variable(value, dtype=dtype or floatx(), name=name, constraint=constraint)


@_register_legacy
def zeros(shape: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Returns a variable of zeros."""
    return variable(ops.zeros(shape, dtype or floatx()), dtype, name)


@_register_legacy
def ones(shape: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Returns a variable of ones."""
    return variable(ops.ones(shape, dtype or floatx()), dtype, name)


@_register_legacy
def random_bernoulli(shape: Any, p: float = 0.0, dtype: Any = None, seed: Any = None) -> Any:
    """Returns ones with probability ``p``, else zeros."""
    dtype = dtype or floatx()
    return ops.cast(ops.uniform(shape, dtype=dtype, seed=seed) <= p, dtype)


@_register_legacy
def get_value(x: Any) -> Any:
    """Returns the array of a tensor or a variable; other values as they are."""
    return x.numpy() if is_tensor(x) else x


LEGACY["eval"] = get_value


@_register_legacy
def set_value(x: Any, value: Any) -> None:
    """Assigns a variable."""
    x.assign(np.asarray(value, x.dtype.name))


@_register_legacy
def batch_set_value(tuples: Sequence[tuple[Any, Any]]) -> None:
    """Assigns several variables."""
    for x, value in tuples:
        set_value(x, value)


# ---- values --------------------------------------------------------------------------------------------------------


@_register_legacy
def cast_to_floatx(x: Any) -> Any:
    """Returns a tensor or an array of ``floatx()``."""
    return ops.cast(x, floatx()) if is_tensor(x) else np.asarray(x, floatx())


@_register_legacy
def clip(x: Any, min_value: Any, max_value: Any) -> Any:
    """Returns values in a range; None for an open end. A maximum below the minimum counts as the minimum."""
    if isinstance(min_value, (int, float)) and isinstance(max_value, (int, float)):
        max_value = max(min_value, max_value)
    return ops.clip_by_value(x, -np.inf if min_value is None else min_value, np.inf if max_value is None else max_value)


@_register_legacy
def stop_gradient(variables: Any) -> Any:
    """Returns tensors that are constants for gradients; of a list a ``map``."""
    return map(ops.stop_gradient, variables) if isinstance(variables, (list, tuple)) else ops.stop_gradient(variables)


@_register_legacy
def repeat(x: Any, n: int) -> Any:
    """Returns a matrix n times: shape (rows, n, columns).

    Raises:
        ValueError: ``x`` is no matrix.
    """
    check_rank("repeat", 2, x=x)
    return ops.tile(ops.expand_dims(x, 1), [1, n, 1])


@_register_legacy
def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """Returns one of two tensors, or of the results of two functions, by a scalar or by each element."""
    condition = ops.cast(condition, dtypes.bool)
    then, otherwise = (f if callable(f) else lambda value=f: value for f in (then_expression, else_expression))
    if not condition.shape.rank:
        return ops.cond(condition, then, otherwise)
    x, y = convert_to_tensor(then()), convert_to_tensor(otherwise())
    if condition.shape.rank > x.shape.rank:
        refuse("switch", f"`condition` must not have more axes than {x.shape}", shape=condition.shape)
    return ops.where(ops.reshape(condition, (*condition.shape, *[1] * (x.shape.rank - condition.shape.rank))), x, y)


# ---- activations and losses -----------------------------------------------------------------------------------------


@_register_legacy
def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """Returns the values above a threshold, at most ``max_value``; below it ``alpha (x - threshold)``."""
    return activations.relu(x, alpha, max_value, threshold)


@_register_legacy
def softmax(x: Any, axis: int = -1) -> Any:
    """Returns the softmax.

    Raises:
        ValueError: ``x`` is a vector.
    """
    if x.shape.rank <= 1:
        raise ValueError(f"Cannot apply softmax to a tensor that is 1D. Received input: {x}")
    return activations.softmax(x, axis)


def _clip_probabilities(probabilities: Any) -> Any:
    return ops.clip_by_value(probabilities, epsilon(), 1.0 - epsilon())


@_register_legacy
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """Returns the cross-entropy of each element."""
    target, output = convert_to_tensor(target), convert_to_tensor(output)
    if from_logits:
        return ops.sigmoid_cross_entropy_with_logits(target, output)
    output = _clip_probabilities(output)
    return -(target * ops.log(output + epsilon()) + (1 - target) * ops.log(1 - output + epsilon()))


@_register_legacy
def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """Returns the cross-entropy of each row."""
    target, output = convert_to_tensor(target), convert_to_tensor(output)
    if from_logits:
        return ops.softmax_cross_entropy_with_logits(target, output, axis)
    output = _clip_probabilities(output / ops.reduce_sum(output, axis, keepdims=True))
    return -ops.reduce_sum(target * ops.log(output), axis)


@_register_legacy
def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """Returns the cross-entropy of each row, for targets that are numbers of classes."""
    target, output = ops.cast(target, dtypes.int64), convert_to_tensor(output)
    if not from_logits:
        output = ops.log(_clip_probabilities(output))
    rank = output.shape.rank
    if axis % rank != rank - 1:
        output = ops.transpose(output, [*[a for a in range(rank) if a != axis % rank], axis % rank])
    target = ops.reshape(target, output.shape[:-1])
    return ops.sparse_softmax_cross_entropy_with_logits(target, output)


# ---- products, convolutions, padding --------------------------------------------------------------------------------


@_register_legacy
def dot(x: Any, y: Any) -> Any:
    """Returns the product over the last axis of ``x`` and the last but one of ``y``."""
    if x.shape.rank <= 2 and y.shape.rank <= 2:
        return ops.matmul(x, y)
    return ops.tensordot(x, y, [[x.shape.rank - 1], [max(y.shape.rank - 2, 0)]])


@_register_legacy
def batch_dot(x: Any, y: Any, axes: Any = None) -> Any:
    """Returns the products of the rows of two batches over one axis of each.

    Raises:
        ValueError: a batch has rank 1, the batches differ, or axes are 0 or have different sizes.
    """
    ranks = x.shape.rank, y.shape.rank
    if min(ranks) < 2:
        raise ValueError(f"batch_dot: inputs must have at least rank 2. Received: {x.shape=}, {y.shape=}.")
    if x.shape[0] != y.shape[0]:
        raise ValueError(f"batch_dot: inputs must have one batch size. Received: {x.shape=}, {y.shape=}.")
    if axes is None:
        axes = (ranks[0] - 1, ranks[1] - 1 if ranks[1] == 2 else ranks[1] - 2)
    pair = [axes, axes] if isinstance(axes, int) else list(axes)
    if any(isinstance(axis, (list, tuple)) for axis in pair):
        raise ValueError(f"batch_dot: `axes` must be None, int or (int, int): {axes=}")
    a, b = [axis % rank for axis, rank in zip(pair, ranks, strict=True)]
    if 0 in (a, b):
        raise ValueError("Cannot perform batch_dot over axis 0. Add a dummy batch dimension with K.expand_dims(x, 0).")
    if x.shape[a] != y.shape[b]:
        raise ValueError(f"batch_dot: x.shape[{a}] != y.shape[{b}]. Received: {x.shape=}, {y.shape=}, axes={pair}.")
    letters = iter("bcdefghijklmnopqrstuvwxyz")
    first = ["a", *[next(letters) for _ in range(ranks[0] - 1)]]
    second = ["a", *[next(letters) for _ in range(ranks[1] - 1)]]
    second[b] = first[a]
    rest = [c for n, c in enumerate(first) if n != a] + [c for n, c in enumerate(second) if n not in (0, b)]
    product = ops.einsum(f"{''.join(first)},{''.join(second)}->{''.join(rest)}", x, y)
    return ops.expand_dims(product, 1) if product.shape.rank == 1 else product


def _has_channels_first(data_format: str | None) -> bool:
    """True for ``"channels_first"``, and for None if it is the global setting.

    Raises:
        ValueError: another format.
    """
    data_format = data_format or image_data_format()
    check_choice("keras.backend", ("channels_first", "channels_last"), data_format=data_format)
    return data_format == "channels_first"


def _layout(rank: int, data_format: str | None) -> str:
    """Returns TensorFlow's name of a data format for some spatial axes, such as ``"NHWC"``."""
    axes = "DHW"[3 - rank :]
    return f"NC{axes}" if _has_channels_first(data_format) else f"N{axes}C"


def _padding(padding: str) -> str:
    check_choice("keras.backend", ("same", "valid"), padding=padding)
    return padding.upper()


@_register_legacy
def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Any:
    """Returns a tensor with a bias for each channel, or for each element of a row."""
    is_first = _has_channels_first(data_format)
    rank = x.shape.rank
    if bias.shape.rank not in (1, rank - 1):
        raise ValueError(f"Unexpected bias dimensions {bias.shape.rank}. Expected it to be 1 or {rank - 1} dimensions")
    if bias.shape.rank > 1:
        return x + ops.expand_dims(
            ops.transpose(bias, [bias.shape.rank - 1, *range(bias.shape.rank - 1)]) if is_first else bias, 0
        )
    return x + (ops.reshape(bias, (-1, *[1] * (rank - 2))) if is_first else bias)


def _declare_convolution(rank: int, name: str) -> None:
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
        return ops.convolution(x, kernel, strides, _padding(padding), layout, dilation_rate)

    convolution.__name__ = name
    LEGACY[name] = convolution


for _rank, _name in ((1, "conv1d"), (2, "conv2d"), (3, "conv3d")):
    _declare_convolution(_rank, _name)


@_register_legacy
def temporal_padding(x: Any, padding: Sequence[int] = (1, 1)) -> Any:
    """Returns sequences with zeros before and after."""
    check_length("temporal_padding", 2, padding=padding)
    return ops.pad(x, [(0, 0), tuple(padding), (0, 0)])


def _pair(strides: Any) -> tuple[int, ...]:
    return (strides,) * 2 if isinstance(strides, int) else tuple(strides)


def _strides_of(layout: str, strides: Any) -> list[int]:
    return [1, *_pair(strides), 1] if layout == "NHWC" else [1, 1, *_pair(strides)]


@_register_legacy
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
    return ops.depthwise_conv2d(x, depthwise_kernel, strides, _padding(padding), layout, _pair(dilation_rate))


@_register_legacy
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
    check_length("separable_conv2d", 2, strides=strides)
    layout = _layout(2, data_format)
    options = _strides_of(layout, strides), _padding(padding), layout, _pair(dilation_rate)
    return ops.separable_conv2d(x, depthwise_kernel, pointwise_kernel, *options)


@_register_legacy
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
        return ops.conv2d_transpose(x, kernel, sizes, _strides_of(layout, strides), _padding(padding), layout)
    if rates[0] != rates[1]:
        raise ValueError(f"conv2d_transpose: both numbers of `dilation_rate` must be equal. Received: {dilation_rate=}")
    if layout == "NHWC":
        return ops.atrous_conv2d_transpose(x, kernel, sizes, rates[0], _padding(padding))
    last = [sizes[axis] for axis in (0, 2, 3, 1)]
    y = ops.atrous_conv2d_transpose(ops.transpose(x, [0, 2, 3, 1]), kernel, last, rates[0], _padding(padding))
    return ops.transpose(y, [0, 3, 1, 2])


@_register_legacy
def ctc_label_dense_to_sparse(labels: Any, label_lengths: Any) -> Any:
    """Returns the first ``label_lengths`` labels of each row as a ``SparseTensor``."""
    labels = convert_to_tensor(labels)
    indices = ops.where(ops.sequence_mask(label_lengths, labels.shape[1]))
    return SparseTensor(indices, ops.gather_nd(labels, indices), labels.shape)


@_register_legacy
def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> Any:
    """Returns the CTC loss of each row, shape (batch, 1).

    Args:
        y_true: labels, shape (batch, labels).
        y_pred: probabilities of the classes, of which the last is the blank; shape (batch, time, classes).
        input_length, label_length: how much of both counts, shape (batch, 1).
    """
    logits = ops.log(convert_to_tensor(y_pred) + epsilon())
    losses = ctc_loss(
        ops.cast(y_true, dtypes.int32),
        logits,
        ops.cast(ops.squeeze(label_length, -1), dtypes.int32),
        ops.cast(ops.squeeze(input_length, -1), dtypes.int32),
        logits_time_major=False,
        blank_index=-1,
    )
    return ops.expand_dims(losses, 1)


@_register_legacy
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
    logits = ops.log(ops.transpose(y_pred, [1, 0, 2]) + epsilon())
    lengths = ops.cast(input_length, dtypes.int32)
    if greedy:
        decoded, scores = ctc_greedy_decoder(logits, lengths)
    else:
        decoded, scores = ctc_beam_search_decoder(logits, lengths, beam_width, top_paths)
    shape = logits.shape[1], logits.shape[0]
    paths = [to_dense(SparseTensor(path.indices, path.values, shape), -1) for path in decoded]
    return paths if greedy else [_without_repetitions(path) for path in paths], scores


def _without_repetitions(labels: Any) -> Any:
    """Returns each run of a label once, filled up with -1, as the beam search of TensorFlow 1 does."""
    counts = ops.reduce_sum(ops.cast(labels >= 0, dtypes.int32), 1)
    merged, counts = collapse_repeated(labels, counts)
    is_label = ops.sequence_mask(counts, merged.shape[1])
    merged = ops.where(is_label, merged, ops.constant(-1, merged.dtype))
    return ops.pad(merged, [[0, 0], [0, labels.shape[1] - merged.shape[1]]], constant_values=-1)
