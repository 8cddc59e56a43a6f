"""``MultiHeadAttention``: attention of queries to keys and values, in several heads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from math import prod
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_positive, check_type, refuse, require
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.keras import masks, regularizers
from fastgrad._src.keras.layers.head_projection import WEIGHT_ARGUMENTS, HeadProjection
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.layers.seeds import generator_of_seed
from fastgrad._src.keras.layers.weight_arguments import with_weight_arguments
from fastgrad._src.ops import namespace as ops

ATTENTION_ARGUMENT_NAMES = (
    *("use_bias", "use_gate", "sliding_window", "dropout", *WEIGHT_ARGUMENTS),
    *("activity_regularizer", "seed"),
)


class HeadsAttention(Layer):
    """The base of ``MultiHeadAttention``: projection to heads, attention, projection back.

    Subclasses set ``_heads``, ``_groups``, ``_depth``, ``_width`` (of a value), ``_output_sizes`` and ``_axes``.
    """

    _heads: int
    _groups: int
    _depth: int
    _width: int
    _output_sizes: tuple[int, ...] | None
    _axes: tuple[int, ...] | None

    def __init__(
        self,
        dropout: float,
        use_bias: bool,
        sliding_window: Any,
        flash_attention: bool | None,
        use_gate: bool,
        seed: int | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._activity_regularizer = self.activity_regularizer  # of the projections
        require(not flash_attention, self, "`flash_attention` is for GPUs; leave it None")
        if sliding_window is not None and (not isinstance(sliding_window, int) or sliding_window < 1):
            refuse(self, "`sliding_window` must be a positive integer", sliding_window=sliding_window)
        self.dropout, self.use_bias, self.use_gate, self.seed = dropout, use_bias, use_gate, seed
        self.sliding_window = sliding_window
        self._generator = generator_of_seed(seed)
        self.supports_masking = True

    def build(  # type: ignore[override]  # of several inputs
        self, query_shape: Any, value_shape: Any, key_shape: Any = None
    ) -> None:
        key_shape = self._checked_shapes(query_shape, value_shape, key_shape)
        if self._axes is None:
            self._axes = tuple(range(1, len(query_shape) - 1))
        last_axis = len(query_shape) - 1
        if any(not -last_axis - 1 <= axis < last_axis or axis == -1 for axis in self._axes):
            text = f"{self.name}: attention_axes={self._axes} must be axes of {query_shape=} but the last."
            raise InvalidArgumentError(text)
        heads, groups, depth, width = self._heads, self._groups, self._depth, self._width
        self._query_dense = self._built_projection(1, (heads, depth), "query", query_shape)
        self._key_dense = self._built_projection(1, (groups, depth), "key", key_shape)
        self._gate_dense = None
        if self.use_gate:
            penalty = self._activity_regularizer and partial(_penalty_of_sigmoid, self._activity_regularizer)
            self._gate_dense = self._built_projection(
                1, (heads, width), "gate", query_shape, activity_regularizer=penalty
            )
        self._value_dense = self._built_projection(1, (groups, width), "value", value_shape)
        output = self._output_sizes or (query_shape[-1],)
        self._output_dense = self._built_projection(2, output, "attention_output", (heads, width))

    def _built_projection(
        self, contracted: int, output: tuple[int, ...], name: str, shape: Any, **options: Any
    ) -> HeadProjection:
        weight_arguments = {argument: getattr(self, argument) for argument in WEIGHT_ARGUMENTS}
        options = {"activity_regularizer": self._activity_regularizer, **weight_arguments, **options}
        layer = HeadProjection(contracted, output, self.use_bias, dtype=self._policy, name=name, **options)
        layer.build(tuple(shape))
        return layer

    def _checked_shapes(self, query_shape: Any, value_shape: Any, key_shape: Any) -> Any:
        key_shape = value_shape if key_shape is None else key_shape
        if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
            refuse(
                self,
                "All dimensions of `value` and `key` but the last must agree",
                value_shape=value_shape,
                key_shape=key_shape,
            )
        if len(query_shape) != len(value_shape) or len(query_shape) < 3:
            refuse(
                self,
                "`query` and `value` must have the same rank, >= 3",
                query_shape=query_shape,
                value_shape=value_shape,
            )
        return key_shape

    @property
    def query_dense(self) -> HeadProjection:
        """The projection of queries; AttributeError before the layer is built."""
        return self._query_dense

    @property
    def key_dense(self) -> HeadProjection:
        """The projection of keys; AttributeError before the layer is built."""
        return self._key_dense

    @property
    def value_dense(self) -> HeadProjection:
        """The projection of values; AttributeError before the layer is built."""
        return self._value_dense

    @property
    def output_dense(self) -> HeadProjection:
        """The projection of the heads' results; AttributeError before the layer is built."""
        return self._output_dense

    def call(
        self,
        query: Tensor,
        value: Tensor,
        key: Tensor | None = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """Computes the attention of the queries to the keys and values.

        Args:
            query: (batch, ..., queries, features).
            value: (batch, ..., keys, features).
            key: (batch, ..., keys, features); default ``value``.
            query_mask, value_mask, key_mask: which steps count; (batch, length), bool. As in Keras, ``MultiHeadAttention`` takes
                the mask of ``query`` itself in place of ``query_mask``.
            attention_mask: which keys a query sees; (batch, queries, keys) or a shape that broadcasts with it, or
                (batch, heads, queries, keys).
            return_attention_scores: whether to return also the weights, (batch, heads, queries, keys).
            training: whether weights are dropped.
            use_causal_mask: whether a query does not see later keys.
        """
        key = value if key is None else key
        query_mask = self._take_query_mask(query, value, key, query_mask)
        self._checked_shapes(query._array.shape, value._array.shape, key._array.shape)
        axes = [axis % query.ndim for axis in self._axes or ()]
        queries, keys = [prod(x._array.shape[axis] for axis in axes) for x in (query, key)]
        visible = _combined_mask(query_mask, value_mask, key_mask, attention_mask, self.sliding_window, (queries, keys))
        options: dict[str, Any] = {"use_causal_mask": True} if use_causal_mask else {}
        if use_causal_mask and type(self)._compute_attention is not HeadsAttention._compute_attention:
            # As in Keras, whose subclasses get all masks as one.
            visible, options = _combine_two_masks(visible, constant_tensor(np.tri(queries, keys, dtype=bool))), {}
        projections = self._query_dense(query), self._key_dense(key), self._value_dense(value)
        results, weights = self._compute_attention(*projections, visible, training, return_attention_scores, **options)
        if self._gate_dense is not None:
            results = results * ops.sigmoid(self._gate_dense(query))
        results = self._output_dense(results)
        return (results, weights) if return_attention_scores else results

    def _compute_attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Returns the attention of projected queries, (batch, ..., queries, heads, size), and its weights or None.

        A subclass may override it, as in Keras; ``attention_mask`` then has the causal mask, too.
        """
        rank = query.ndim - 1
        axes = tuple([axis % rank for axis in self._axes or ()])
        outer_sizes = [n for axis, n in enumerate(query._array.shape[:-2]) if axis not in axes]
        inner_sizes = [[x._array.shape[axis] for axis in axes] for x in (query, key)]
        q, k, v = [_merge_axes(x, axes) for x in (query, key, value)]
        visible = attention_mask
        if visible is not None:
            visible = _mask_per_head(visible, outer_sizes, self._heads, inner_sizes)
        rate = self.dropout if training else 0.0
        options: dict[str, Any] = {"scale": self._depth**-0.5, "causal": bool(use_causal_mask), "rate": rate}
        if rate:
            options["drawn"] = (
                ops.default_philox_words(None) if self._generator is None else self._generator._draw_words
            )
        options["blank"] = bool(self.dropout > 0 or return_attention_scores or rank != 3)
        weights = None
        if return_attention_scores:
            results, weights = ops.attention_and_weights(q, k, v, visible, **options)
            weights = ops.reshape(weights, (*outer_sizes, self._heads, *inner_sizes[0], *inner_sizes[1]))
        else:
            results = ops.attention(q, k, v, visible, **options)
        return _unmerge_axes(results, axes, [*outer_sizes, *inner_sizes[0]]), weights

    def _take_query_mask(self, query: Tensor, value: Tensor, key: Tensor, query_mask: Any) -> Any:
        """Returns the mask that hides queries; a subclass may take the masks of the inputs away."""
        return query_mask

    def compute_output_shape(  # type: ignore[override]  # of several inputs
        self, query_shape: Any, value_shape: Any, key_shape: Any = None
    ) -> tuple[int | None, ...]:
        self._checked_shapes(query_shape, value_shape, key_shape)
        return (*query_shape[:-1], *(self._output_sizes or query_shape[-1:]))


class MultiHeadAttention(HeadsAttention):
    """``softmax(Q K^T / sqrt(key_dim)) V`` in several heads, projected back (Vaswani et al. 2017).

    Args:
        num_heads: the number of heads.
        key_dim: the size of a query and of a key in a head.
        value_dim: the size of a value in a head; default ``key_dim``.
        dropout: the fraction of weights that are dropped in training.
        use_bias: whether the projections have biases.
        output_shape: the last sizes of the output; default: the query's last size.
        attention_axes: the axes of queries and keys; default all axes between the batch and the features.
        sliding_window: a query attends only to keys that are fewer steps away than this number; None for all keys.
        flash_attention: kept for Keras's signature.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint,
            bias_constraint: of the projections.
        use_gate: whether the heads' results are multiplied by the sigmoid of another projection of the query.
        seed: as in ``Dropout``.
        **kwargs: as in ``Layer``.

    Weights: ``query``, ``key``, ``value`` (features, heads, size) and ``attention_output`` (heads, value_dim, features), a kernel and
    a bias each. Attention weights are kept in memory only if the call returns them.

    Raises:
        ValueError: the number of heads or a size is not a positive integer.

    Example:
        >>> x = tf.ones((2, 5, 8))
        >>> tf.keras.layers.MultiHeadAttention(num_heads=2, key_dim=4)(x, x).shape
        TensorShape([2, 5, 8])
    """

    @with_weight_arguments(kernel="glorot_uniform", bias="zeros", activity_regularizer=True)
    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        *,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        check_positive(self, num_heads=num_heads, key_dim=key_dim)
        if value_dim is not None:
            check_positive(self, value_dim=value_dim)
        types = (int, list, tuple, type(None))
        check_type(self, "an int, list, tuple or None", types, ValueError, attention_axes=attention_axes)
        super().__init__(dropout, use_bias, sliding_window, flash_attention, use_gate, seed, **kwargs)
        self.activity_regularizer = None  # the projection of the output adds the penalty on the output
        self.num_heads, self.key_dim = num_heads, key_dim
        self.value_dim = value_dim = key_dim if value_dim is None else value_dim
        if isinstance(attention_axes, int):
            attention_axes = (attention_axes,)
        self._axes = None if attention_axes is None else tuple(attention_axes)
        if output_shape and not isinstance(output_shape, (int, Iterable)):
            raise ValueError(f"MultiHeadAttention: `output_shape` must be an int, list or tuple, got {output_shape!r}.")
        self._output_sizes = (output_shape,) if isinstance(output_shape, int) else output_shape and tuple(output_shape)
        self._heads, self._groups, self._depth, self._width = num_heads, num_heads, key_dim, value_dim

    def _take_query_mask(self, query: Tensor, value: Tensor, key: Tensor, query_mask: Any) -> Any:
        """Returns the mask attached to ``query``, as in Keras also beside an explicit one, and takes the masks off the inputs."""
        query_mask = masks.mask_of(query)
        for x in (query, value, key):
            if masks.mask_of(x) is not None:
                masks.attach_mask(x, None)
        return query_mask

    @property
    def attention_axes(self) -> tuple[int, ...] | None:
        """The axes that queries and keys run along; None for the default before the layer is built."""
        return self._axes

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            **self._config_of(("num_heads", "key_dim", "value_dim")),
            "output_shape": self._output_sizes,
            "attention_axes": self._axes,
            **self._config_of(ATTENTION_ARGUMENT_NAMES),
            "activity_regularizer": regularizers.serialize(self._activity_regularizer),
        }


def _penalty_of_sigmoid(regularizer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return regularizer(ops.sigmoid(x))


def _merge_axes(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Reshapes (..., heads, size) to (batch, length, heads, size): ``axes`` form the length, other axes the batch."""
    shape = x._array.shape
    batch_axes = [axis for axis in range(len(shape) - 2) if axis not in axes]
    order = [*batch_axes, *axes, len(shape) - 2, len(shape) - 1]
    if order != list(range(len(shape))):
        x = ops.transpose(x, order)
    if len(batch_axes) == len(axes) == 1:
        return x
    sizes = prod(shape[axis] for axis in batch_axes), prod(shape[axis] for axis in axes)
    return ops.reshape(x, (*sizes, *shape[-2:]))


def _unmerge_axes(x: Tensor, axes: tuple[int, ...], sizes: list[int]) -> Tensor:
    """Reshapes the result of ``_merge_axes`` back; ``sizes``: of the axes not in ``axes``, then of ``axes``."""
    rank = len(sizes)
    batch_axes = [axis for axis in range(rank) if axis not in axes]
    if rank > 2:
        x = ops.reshape(x, (*sizes, *x._array.shape[-2:]))
    order = [*batch_axes, *axes]
    if order == list(range(rank)):
        return x
    return ops.transpose(x, [*(order.index(axis) for axis in range(rank)), rank, rank + 1])


def _mask_per_head(mask: Tensor, outer: list[int], heads: int, inner: list[list[int]]) -> Tensor:
    """Reshapes a mask (batch, queries, keys), or of another rank, to broadcast with (batch, heads, queries, keys)."""
    axes = len(inner[0])
    full_shape = (*outer, heads, *inner[0], *inner[1])
    shape = list(mask._array.shape)
    while len(shape) < len(full_shape):
        shape.insert(max(len(shape) - 2 * axes, 0), 1)
    mask = ops.reshape(mask, shape)
    if len(outer) == axes == 1 or mask.ndim != len(full_shape):
        return mask
    mask = ops.broadcast_to(mask, full_shape)
    return ops.reshape(mask, (prod(outer), heads, prod(inner[0]), prod(inner[1])))


def _combined_mask(
    query_mask: Any, value_mask: Any, key_mask: Any, attention_mask: Any, window: int | None, lengths: tuple[int, int]
) -> Tensor | None:
    """The mask of visible keys by query, which broadcasts with (batch, queries, keys); None if all keys are visible.

    Args:
        query_mask, value_mask, key_mask: masks of steps, (batch, length), or None.
        attention_mask: the user's mask, or None.
        window: the bound of the distance to a key: fewer steps than this number; None for no bound.
        lengths: the numbers of queries and keys.
    """
    visible = None if attention_mask is None else ops.cast(attention_mask, "bool")
    for mask, axis in ((query_mask, -1), (value_mask, -2), (key_mask, -2)):
        if mask is not None:
            visible = _combine_two_masks(visible, ops.expand_dims(ops.cast(mask, "bool"), axis))
    if window is not None:
        in_window = np.abs(np.subtract.outer(np.arange(lengths[0]), np.arange(lengths[1]))) < window
        visible = _combine_two_masks(visible, constant_tensor(in_window))
    return visible


def _combine_two_masks(mask: Tensor | None, other_mask: Tensor) -> Tensor:
    return other_mask if mask is None else ops.logical_and(mask, other_mask)
