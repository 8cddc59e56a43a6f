"""Raw operations that no public function computes alone: gradients of single operations, and TensorFlow's old variants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.eager import get_static_value
from fastgrad._src.core.errors import InvalidArgumentError, UnimplementedError
from fastgrad._src.core.tape import GradientTape
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.kernels.elementwise.activation import SELU_SCALE
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.ragged import factories
from fastgrad._src.structures.sparse import array_ops
from fastgrad._src.structures.sparse.array_ops import concat, reorder
from fastgrad._src.structures.sparse.conversion import to_dense
from fastgrad._src.structures.sparse.elementwise import add, softmax
from fastgrad._src.structures.sparse.label_sequences import ctc_greedy_decoder, ctc_loss
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor
from fastgrad._src.structures.strings.splitting import split
from fastgrad._src.structures.strings.unicode import unicode_decode

_SELU_SCALE_ALPHA = 1.7580993408473768
"""TensorFlow's number: the product of the rounded scale and alpha is another."""


def pullback(function: Callable[[Tensor], Tensor], x: Any, cotangent: Any) -> Tensor:
    """Returns the cotangent of ``x`` for the ``cotangent`` of ``function(x)``."""
    x = convert_to_tensor(x)
    with GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    gradient: Tensor = tape.gradient(y, x, output_gradients=convert_to_tensor(cotangent, y.dtype))
    return gradient


def window_padding(padding: str, explicit_paddings: Sequence[int]) -> Any:
    """Returns the padding of a window operation: its name, or for "EXPLICIT" one pair per dimension."""
    return [list(pair) for pair in np.reshape(explicit_paddings, (-1, 2))] if padding == "EXPLICIT" else padding


def elu_gradient(gradients: Any, outputs: Any) -> Any:
    """The cotangent of the input of elu, from the output."""
    outputs = convert_to_tensor(outputs)
    return gradients * ops.where(outputs < 0, outputs + 1, ops.ones_like(outputs))


def selu_gradient(gradients: Any, outputs: Any) -> Any:
    """The cotangent of the input of selu, from the output."""
    outputs = convert_to_tensor(outputs)
    return gradients * ops.where(
        outputs < 0, outputs + _SELU_SCALE_ALPHA, ops.fill(ops.shape(outputs), ops.cast(SELU_SCALE, outputs.dtype))
    )


def leaky_relu_gradient(gradients: Any, features: Any, alpha: float) -> Any:
    """The cotangent of the input of leaky_relu."""
    return ops.where(convert_to_tensor(features) > 0, gradients, gradients * ops.cast(alpha, gradients.dtype))


def relu6_gradient(gradients: Any, features: Any) -> Any:
    """The cotangent of the input of relu6."""
    inside = ops.logical_and(convert_to_tensor(features) > 0, convert_to_tensor(features) < 6)
    return ops.where(inside, gradients, ops.zeros_like(gradients))


def divide(x: Any, y: Any) -> Any:
    """The quotient; of integers, rounded towards zero."""
    x = convert_to_tensor(x)
    return ops.truncatediv(x, y) if x.dtype.is_integer else ops.realdiv(x, y)


def bias_gradient(out_backprop: Any, data_format: str) -> Any:
    """The cotangent of the bias of bias_add."""
    rank = convert_to_tensor(out_backprop).ndim
    channel = 1 if data_format == "NCHW" else rank - 1
    return ops.reduce_sum(out_backprop, [axis for axis in range(rank) if axis != channel])


def bincount(values: Any, size: Any, weights: Any, binary_output: bool, axis: int | None) -> Any:
    """The counts, or sums of weights, of the numbers from 0 to ``size`` - 1; ``axis`` -1 counts each row of a matrix alone."""
    values, weights = convert_to_tensor(values), convert_to_tensor(weights)
    factors = weights if 0 not in weights.shape else None
    rows = axis if values.ndim == 2 else None
    return ops.bincount(values, factors, size, size, weights.dtype, axis=rows, binary_output=binary_output)


def list_difference(x: Any, y: Any, out_idx: Any) -> tuple[Any, Any]:
    """The elements of ``x`` that are not in ``y``, and their positions."""
    x = convert_to_tensor(x)
    is_new = ops.logical_not(ops.reduce_any(ops.expand_dims(x, 1) == ops.expand_dims(y, 0), 1))
    return ops.boolean_mask(x, is_new), ops.cast(ops.reshape(ops.where(is_new), [-1]), out_idx)


def select(condition: Any, x: Any, y: Any) -> Any:
    """The elements of ``x`` where ``condition`` holds, else of ``y``; a vector chooses rows.

    Raises:
        InvalidArgumentError: ``x`` and ``y`` differ in shape, or ``condition`` has neither their shape nor that of their rows.
    """
    condition = convert_to_tensor(condition, dtypes.bool)
    shape, shape_of_y, shape_of_condition = (tuple(convert_to_tensor(z).shape) for z in (x, y, condition))
    if shape != shape_of_y or shape_of_condition not in ((), shape, shape[:1]):
        raise InvalidArgumentError(
            f"where: x and y need one shape, and the condition that shape or {list(shape[:1])}; "
            f"got {list(shape)}, {list(shape_of_y)} and the condition {list(shape_of_condition)}."
        )
    if len(shape_of_condition) == 1:
        condition = ops.reshape(condition, [-1] + [1] * (len(shape) - 1))
    return ops.where(condition, x, y)


def softmax_loss(features: Any, labels: Any) -> tuple[Any, Any]:
    """The cross-entropy of each row and its gradient with respect to the logits."""
    loss = ops.softmax_cross_entropy_with_logits(labels, features)
    return loss, ops.softmax(features) - ops.cast(labels, loss.dtype)


def sparse_softmax_loss(features: Any, labels: Any) -> tuple[Any, Any]:
    """The cross-entropy of each row with a class number and its gradient with respect to the logits."""
    features = convert_to_tensor(features)
    loss = ops.sparse_softmax_cross_entropy_with_logits(labels, features)
    return loss, ops.softmax(features) - ops.one_hot(labels, ops.shape(features)[-1], dtype=features.dtype)


def symmetric_eigenvalues(input: Any, compute_v: bool) -> tuple[Any, Any]:
    """The eigenvalues and eigenvectors of self-adjoint matrices."""
    if compute_v:
        values, vectors = ops.eigh(input)
        return values, vectors
    values = ops.eigvalsh(input)
    return values, ops.zeros([0], values.dtype)


def singular_values(input: Any, compute_uv: bool, full_matrices: bool) -> tuple[Any, Any, Any]:
    """The singular values and vectors of matrices."""
    if compute_uv:
        s, u, v = ops.svd(input, full_matrices)
        return s, u, v
    s = ops.svd(input, full_matrices, False)
    empty = ops.zeros([0], convert_to_tensor(input).dtype)
    return s, empty, empty


def conv2d(
    input: Any,
    filter: Any,
    strides: Any,
    padding: str,
    explicit_paddings: Sequence[int],
    data_format: str,
    dilations: Any,
) -> Any:
    """The two-dimensional convolution."""
    return ops.conv2d(input, filter, strides, window_padding(padding, explicit_paddings), data_format, dilations)


def conv2d_input_gradient(input_sizes: Any, filter: Any, out_backprop: Any, *options: Any) -> Any:
    """The cotangent of the input of a convolution."""
    zeros = ops.zeros(input_sizes, convert_to_tensor(filter).dtype)
    return pullback(lambda x: conv2d(x, filter, *options), zeros, out_backprop)


def conv2d_filter_gradient(input: Any, filter_sizes: Any, out_backprop: Any, *options: Any) -> Any:
    """The cotangent of the filter of a convolution."""
    zeros = ops.zeros(filter_sizes, convert_to_tensor(input).dtype)
    return pullback(lambda weights: conv2d(input, weights, *options), zeros, out_backprop)


def max_pool_gradient(orig_input: Any, grad: Any, *options: Any) -> Any:
    """The cotangent of the input of max_pool."""
    return pullback(lambda x: ops.max_pool(x, *options), orig_input, grad)


def average_pool_gradient(orig_input_shape: Any, grad: Any, *options: Any) -> Any:
    """The cotangent of the input of avg_pool."""
    zeros = ops.zeros(orig_input_shape, convert_to_tensor(grad).dtype)
    return pullback(lambda x: ops.avg_pool(x, *options), zeros, grad)


def batch_normalization(  # noqa: PLR0913  # TensorFlow's arguments
    x: Any,
    scale: Any,
    offset: Any,
    mean: Any,
    variance: Any,
    epsilon: float,
    exponential_avg_factor: float,
    data_format: str,
    is_training: bool,
) -> tuple[Any, ...]:
    """The normalised images, then the new mean and variance, then the mean and variance that normalised them."""
    x = convert_to_tensor(x)
    channel = 1 if data_format == "NCHW" else 3
    axes = [axis for axis in range(4) if axis != channel]
    floats = ops.cast(x, dtypes.float32)
    mean, variance = convert_to_tensor(mean, dtypes.float32), convert_to_tensor(variance, dtypes.float32)
    used_mean, used_variance = mean, variance
    if is_training:
        used_mean, used_variance = ops.moments(floats, axes)
        count = ops.cast(ops.size(x) / ops.shape(x)[channel], dtypes.float32)
        unbiased = used_variance * (count / ops.maximum(count - 1.0, 1.0))
        kept = 1.0 - exponential_avg_factor
        if kept:
            mean = mean * kept + used_mean * exponential_avg_factor
            variance = variance * kept + unbiased * exponential_avg_factor
        else:
            mean, variance = used_mean, unbiased

    def along_channels(vector: Any) -> Any:
        return ops.reshape(vector, [-1 if axis == channel else 1 for axis in range(4)])

    parameters: list[Any] = list(map(along_channels, (used_mean, used_variance, offset, scale)))
    y = ops.batch_normalization(floats, *parameters, epsilon)  # type: ignore[call-arg]  # mypy counts no list
    return ops.cast(y, x.dtype), *map(ops.identity, (mean, variance, used_mean, used_variance))


def batch_normalization_3(*arguments: Any) -> tuple[Any, ...]:
    """The results of ``batch_normalization``, then an empty tensor: only GPUs keep more for the gradient."""
    return *batch_normalization(*arguments), ops.zeros([0])


def sparse_to_dense(sparse_indices: Any, output_shape: Any, sparse_values: Any, default_value: Any, check: bool) -> Any:
    """A tensor with ``sparse_values`` at ``sparse_indices`` and ``default_value`` elsewhere."""
    indices = ops.cast(sparse_indices, dtypes.int64)
    if indices.shape.rank < 2:
        indices = ops.reshape(indices, [-1, 1])
    values = ops.broadcast_to(sparse_values, ops.shape(indices)[:1])
    sparse = SparseTensor(indices, values, ops.cast(output_shape, dtypes.int64))
    return to_dense(sparse, default_value, check)


def split_strings(input: Any, sep: Any, maxsplit: int) -> tuple[Any, Any, Any]:
    """The parts of each string as indices, values and shape of a sparse matrix."""
    parts = split(input, get_static_value(convert_to_tensor(sep)).decode() or None, maxsplit).to_sparse()
    return parts.indices, parts.values, parts.dense_shape


def sparse_parts(sparse: Any) -> tuple[Any, Any, Any]:
    """The indices, values and shape of a sparse tensor."""
    return sparse.indices, sparse.values, sparse.dense_shape


def sparse_softmax(sparse: Any) -> Any:
    """The values of the softmax of each row of a sparse tensor."""
    return softmax(sparse).values


def sparse_reorder(sparse: Any) -> tuple[Any, Any]:
    """The indices and values of a sparse tensor in row-major order."""
    return sparse_parts(reorder(sparse))[:2]


def sparse_reshape(input_indices: Any, input_shape: Any, new_shape: Any) -> tuple[Any, Any]:
    """The indices and shape of a sparse tensor of another shape."""
    values = ops.zeros(ops.shape(input_indices)[:1])
    result = array_ops.reshape(SparseTensor(input_indices, values, input_shape), new_shape)
    return result.indices, result.dense_shape


def sparse_concat(indices: Any, values: Any, shapes: Any, concat_dim: int) -> tuple[Any, Any, Any]:
    """The parts of sparse tensors joined along a dimension."""
    return sparse_parts(concat(concat_dim, list(map(SparseTensor, indices, values, shapes))))


def sparse_slice(sparse: Any, start: Any, size: Any) -> tuple[Any, Any, Any]:
    """The parts of a slice of a sparse tensor."""
    return sparse_parts(array_ops.slice(sparse, start, size))


def sparse_add(first: Any, second: Any, thresh: Any) -> tuple[Any, Any, Any]:
    """The parts of the sum of two sparse tensors."""
    return sparse_parts(add(first, second, thresh))


def ragged_range(starts: Any, limits: Any, deltas: Any, Tsplits: Any) -> tuple[Any, Any]:
    """The row splits and values of ranges, one per row."""
    ranges = factories.range(starts, limits, deltas, row_splits_dtype=Tsplits)
    return ranges.row_splits, ranges.flat_values


def decoded_code_points(text: Any, *options: Any) -> tuple[Any, Any]:
    """The row splits and values of the code points of each string."""
    points = unicode_decode(ops.reshape(text, [-1]), *options)
    return points.row_splits, points.flat_values


def pooled_with_argmax(*options: Any) -> Any:
    """The maxima of windows and their flat positions."""
    input, ksize, strides, padding, dtype, include_batch = options
    return ops.max_pool_with_argmax(input, ksize, strides, padding, "NHWC", dtype, include_batch)


def uniform_integers(shape: Any, minval: Any, maxval: Any, seed: int | None) -> Any:
    """Integers from ``minval`` up to ``maxval``, which is left out."""
    minval = convert_to_tensor(minval)
    return ops.uniform(shape, minval, maxval, minval.dtype, seed)


def stateless_uniform_integers(shape: Any, seed: Any, minval: Any, maxval: Any) -> Any:
    """Integers from ``minval`` up to ``maxval``, which is left out, from a seed of two numbers."""
    minval = convert_to_tensor(minval)
    return ops.stateless_uniform(shape, seed, minval, maxval, minval.dtype)


def gamma_draws(shape: Any, alpha: Any, seed: int | None) -> Any:
    """Draws from gamma distributions, of the dtype of ``alpha``."""
    alpha = convert_to_tensor(alpha)
    return ops.gamma(shape, alpha, dtype=alpha.dtype, seed=seed)


def ctc_loss_and_gradient(
    inputs: Any, labels_indices: Any, labels_values: Any, sequence_length: Any, *options: bool
) -> tuple[Any, Any]:
    """The loss of connectionist temporal classification, whose blank is the last class, and its gradient for the logits."""
    if options != (False, True, False):
        raise UnimplementedError(
            None, None, f"CTCLoss: the options must have their defaults (False, True, False), got {options}."
        )
    logits = convert_to_tensor(inputs)
    batch, longest = logits.shape[1], int(ops.reduce_max(convert_to_tensor(labels_indices)[:, 1])) + 1
    labels = SparseTensor(labels_indices, labels_values, [batch, longest])
    with GradientTape() as tape:
        tape.watch(logits)
        loss = ctc_loss(labels, logits, None, sequence_length, blank_index=-1)
    return loss, tape.gradient(loss, logits)


def greedy_decoding(*options: Any) -> tuple[Any, Any, Any, Any]:
    """The parts of the decoded sequences as a sparse matrix, and the negative sums of the largest logits."""
    (decoded,), scores = ctc_greedy_decoder(*options)
    return *sparse_parts(decoded), scores
