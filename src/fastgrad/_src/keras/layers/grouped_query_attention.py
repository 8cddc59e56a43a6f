"""``GroupedQueryAttention``, Keras's ``GroupQueryAttention``: query heads share the heads of keys and values."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import check_positive
from fastgrad._src.keras.layers.multi_head_attention import ATTENTION_ARGUMENT_NAMES, HeadsAttention
from fastgrad._src.keras.layers.weight_arguments import with_weight_arguments


class GroupedQueryAttention(HeadsAttention):
    """``MultiHeadAttention`` with fewer heads of keys and values than of queries (Ainslie et al. 2023).

    Args:
        head_dim: the size of a query, key and value in a head.
        num_query_heads: the number of heads of queries.
        num_key_value_heads: the number of heads of keys and values; it divides ``num_query_heads``.
        dropout, use_bias, sliding_window, flash_attention, kernel_initializer, bias_initializer, kernel_regularizer,
            bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint, use_gate, seed: as in
            ``MultiHeadAttention``.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: ``num_key_value_heads`` does not divide ``num_query_heads``.
    """

    # As in Keras's files:
    _public_name = "GroupQueryAttention"
    _shows_parts = False

    _output_sizes = None
    _axes = (1,)
    _config_names = ("head_dim", "num_query_heads", "num_key_value_heads", *ATTENTION_ARGUMENT_NAMES)

    @with_weight_arguments(kernel="glorot_uniform", bias="zeros", activity_regularizer=True)
    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        *,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        check_positive(
            self, head_dim=head_dim, num_query_heads=num_query_heads, num_key_value_heads=num_key_value_heads
        )
        if num_query_heads % num_key_value_heads:
            raise ValueError("`num_query_heads` must be divisible by `num_key_value_heads`.")
        super().__init__(dropout, use_bias, sliding_window, flash_attention, use_gate, seed, **kwargs)
        self.head_dim, self.num_query_heads, self.num_key_value_heads = head_dim, num_query_heads, num_key_value_heads
        self._heads, self._groups = num_query_heads, num_key_value_heads
        self._depth = self._width = head_dim
