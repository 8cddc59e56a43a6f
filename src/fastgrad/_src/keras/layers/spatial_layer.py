"""``SpatialLayer``: the base of layers for sequences, images and volumes."""

from __future__ import annotations

from typing import Any

from fastgrad._src.keras.layers.layer import Layer


class SpatialLayer(Layer):
    """The base of layers for inputs of shape (batch, *sizes, channels), with ``"channels_first"`` (batch, channels, *sizes).

    Attributes:
        rank: the number of spatial dimensions; a class keyword sets it: ``class MaxPooling2D(_MaxPooling, rank=2)``.
    """

    rank = 0
    data_format: str

    def __init_subclass__(cls, rank: int | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        if rank is not None:
            cls.rank = rank
