"""``Masking``: masks the time steps whose features all equal one value."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.keras.layers.same_shape import SameShape
from fastgrad._src.keras.masks import any_mask_flag, attach_mask
from fastgrad._src.ops import namespace as ops


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
        x = convert_to_tensor(inputs)
        x = x if x.dtype.is_floating else ops.cast(x, dtypes.float64)  # the value may be between two integers
        return ops.reduce_any(ops.not_equal(x, self.mask_value), axis=-1)

    def call(self, inputs: Tensor) -> Tensor:
        mask = self.compute_mask(inputs)
        outputs = ops.where(ops.expand_dims(mask, -1), inputs, ops.zeros_like(inputs))
        attach_mask(outputs, mask)
        return outputs
