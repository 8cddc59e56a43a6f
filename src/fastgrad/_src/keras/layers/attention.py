"""``Attention`` (Luong): scores are products or sums of queries and keys."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_choice, check_type, refuse, require
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.layers.seeds import generator_of_seed
from fastgrad._src.ops import namespace as ops


class Attention(Layer):
    """``softmax(scores) value`` with products of queries and keys as scores (Luong, Pham and Manning 2015).

    Args:
        use_scale: whether the scores are multiplied by a weight, ``scale``.
        score_mode: "dot" for products; "concat" for sums of ``tanh(query + key)``, times a weight.
        dropout: the fraction of weights that are dropped in training.
        seed: as in ``Dropout``.
        **kwargs: as in ``Layer``.

    The input is a list: a query (batch, ..., queries, size), a value (batch, ..., keys, width) and a key; without a key, the
    value is the key. ``mask`` is a list of the query mask and the value mask. Results are 0 where the query mask is False.

    If a mask hides all values, the result is their mean, and the scores get no gradient (in Keras they do, by rounding).

    Raises:
        ValueError: ``score_mode`` is unknown, or the input of a call is not such a list.
    """

    _config_names = ("use_scale", "score_mode", "dropout", "seed")

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice(self, ("dot", "concat"), score_mode=score_mode)
        self.use_scale, self.score_mode, self.dropout, self.seed = use_scale, score_mode, dropout, seed
        self._generator = generator_of_seed(seed)

    def build(self, input_shape: Any) -> None:
        self._check_inputs(input_shape)
        self.scale: Any = None
        self.concat_score_weight: Any = None
        if self.use_scale:
            self.scale = self.add_weight((), "ones", name="scale")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight")

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool | None = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Returns the results; with ``return_attention_scores``, also the weights, (batch, ..., queries, keys)."""
        self._check_inputs(inputs)
        query_mask, value_mask = self._checked_masks(mask)
        query, value = inputs[:2]
        key = inputs[2] if len(inputs) > 2 else value
        rate = self.dropout if training else 0.0
        if return_attention_scores or self.score_mode != "dot":
            results, weights = self._attend_by_operations(query, key, value, value_mask, use_causal_mask, rate)
        else:
            weights = None
            results = self._attend_by_kernel(query, key, value, value_mask, use_causal_mask, rate)
        if query_mask is not None:
            results = results * ops.expand_dims(ops.cast(query_mask, results.dtype), -1)
        return (results, weights) if return_attention_scores else results

    def _attend_by_kernel(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Any, causal: bool, rate: float
    ) -> Tensor:
        """Returns attention by the kernel for one head, or by operations for ranks below 3 and empty operands."""
        if self.scale is not None:
            query = query * self.scale._read()
        if query.ndim < 3 or 0 in (*query._array.shape, *value._array.shape):
            return self._attend_by_operations(query, key, value, mask, causal, rate, scaled=True)[0]
        q, k, v = (ops.reshape(x, (-1, x._array.shape[-2], 1, x._array.shape[-1])) for x in (query, key, value))
        if mask is not None:
            mask = ops.reshape(mask, (-1, 1, 1, mask._array.shape[-1]))
        drawn = self._random_word_function() if rate else None
        results = ops.attention(q, k, v, mask, scale=1.0, causal=causal, rate=rate, drawn=drawn)
        return ops.reshape(results, (*query._array.shape[:-1], value._array.shape[-1]))

    def _attend_by_operations(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Any, causal: bool, rate: float, scaled: bool = False
    ) -> tuple[Tensor, Tensor]:
        scores = self._scores(query, key, scaled)
        visible = None if mask is None else ops.expand_dims(mask, -2)
        if causal:
            not_behind = constant_tensor(np.tri(*scores._array.shape[-2:], dtype=bool))
            visible = not_behind if visible is None else ops.logical_and(visible, not_behind)
        if visible is not None:
            masked_offset = -3e4 if scores.dtype == "float16" else -1e9
            scores = ops.where(visible, scores, scores + masked_offset)
        weights = ops.softmax(scores)
        if rate:
            weights = ops.dropout_from(self._random_word_function(), weights, rate, None)
        return ops.matmul(weights, value), weights

    def _scores(self, query: Tensor, key: Tensor, scaled: bool) -> Tensor:
        if self.score_mode == "dot":
            scores = ops.matmul(query, key, transpose_b=True)
            return scores if self.scale is None or scaled else scores * self.scale._read()
        sums = ops.expand_dims(query, -2) + ops.expand_dims(key, -3)
        if self.scale is not None:
            sums = sums * self.scale._read()
        return ops.reduce_sum(ops.tanh(sums), axis=-1) * self.concat_score_weight._read()

    def _random_word_function(self) -> Any:
        return ops.default_philox_words(None) if self._generator is None else self._generator._draw_words

    def _check_inputs(self, inputs: Any) -> None:
        name = type(self).__name__
        if not isinstance(inputs, (list, tuple)) or all(n is None or isinstance(n, int) for n in inputs):
            refuse(name, "call the layer on a list of inputs, [query, value] or [query, value, key]", inputs=inputs)
        require(2 <= len(inputs) <= 3, name, "inputs must be a list of 2 or 3: query, value(, key)", length=len(inputs))

    def _checked_masks(self, mask: Any) -> tuple[Any, Any]:
        if mask is None:
            return None, None
        name = type(self).__name__
        check_type(name, "a list, namely [query_mask, value_mask]", (list, tuple), ValueError, mask=mask)
        require(2 <= len(mask) <= 3, name, "`mask` must be a list of length 2 or 3", length=len(mask))
        query_mask, value_mask = (None if step_mask is None else ops.cast(step_mask, "bool") for step_mask in mask[:2])
        return query_mask, value_mask

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the queries."""
        return self._checked_masks(mask)[0]

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (*input_shape[0][:-1], input_shape[1][-1])
