"""``UnitNormalization``: scales inputs to length 1."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import require
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.layers.same_shape import SameShape
from fastgrad._src.ops.norms import l2_normalize


class UnitNormalization(SameShape):
    """``x / sqrt(sum(x^2))`` over some axes; a root below 1e-12 is replaced by 1e-12.

    Args:
        axis: an axis or a list of axes.
        **kwargs: as in ``Layer``.

    Raises:
        TypeError: ``axis`` is neither an int nor a list of ints.
    """

    _config_names = ("axis",)

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        axes = axis if isinstance(axis, (list, tuple)) else [axis]
        require(all(isinstance(n, int) for n in axes), self, "`axis` must be an int, or ints", TypeError, axis=axis)
        self.axis = list(axis) if isinstance(axis, (list, tuple)) else axis
        self._build_at_init()

    def call(self, inputs: Tensor) -> Tensor:
        return l2_normalize(inputs, self.axis, 1e-24)
