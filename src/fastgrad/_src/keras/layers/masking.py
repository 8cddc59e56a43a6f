"""``Masking``: masks the time steps whose features all equal one value."""

from __future__ import annotations

from typing import Any

import fastgrad as tf
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.layers.same_shape import SameShape
from fastgrad._src.keras.masks import any_mask_flag, give_mask


class Masking(SameShape):
    """Masks the time steps whose features all equal ``mask_value``, and sets these features to 0.

    Args:
        mask_value: the value.
        **kwargs: as in ``Layer``.

    Inputs and outputs have shape (batch, time, ..., features).
    """

    _config_names = ("mask_value",)

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value
        self.supports_masking = any_mask_flag.is_set = True
        self._build_at_init()

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Tensor:
        """A mask that is True where a feature differs from ``mask_value``."""
        x = tf.convert_to_tensor(inputs)
        x = x if x.dtype.is_floating else tf.cast(x, tf.float64)  # the value may be between two integers
        return tf.reduce_any(tf.not_equal(x, self.mask_value), axis=-1)

    def call(self, inputs: Tensor) -> Tensor:
        """Returns ``inputs`` with zeros at the masked time steps."""
        mask = self.compute_mask(inputs)
        outputs = tf.where(tf.expand_dims(mask, -1), inputs, tf.zeros_like(inputs))
        give_mask(outputs, mask)
        return outputs
