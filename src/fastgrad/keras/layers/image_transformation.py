"""Images that are rotated, zoomed or moved at random in training."""

from __future__ import annotations

import math
from typing import Any

import fastgrad as tf
from fastgrad.core.tensor import Tensor
from fastgrad.keras.affine_transform import INTERPOLATIONS, affine_transform
from fastgrad.keras.layers.image_preprocessing import RandomImageLayer, factor_range

_FILL_MODES = ("reflect", "wrap", "constant", "nearest")


class _RandomTransform(RandomImageLayer):
    """The base of layers that transform each image by a matrix of its own."""

    def __init__(
        self,
        fill_mode: str,
        interpolation: str,
        seed: int | None,
        fill_value: float,
        data_format: str | None,
        **kwargs: Any,
    ) -> None:
        for argument, value, choices in (
            ("fill_mode", fill_mode, _FILL_MODES),
            ("interpolation", interpolation, INTERPOLATIONS),
        ):
            if value not in choices:
                raise NotImplementedError(
                    f"{type(self).__name__}: Unknown `{argument}` {value}. Expected of one {choices}."
                )
        self.fill_mode, self.interpolation, self.fill_value = fill_mode, interpolation, fill_value
        super().__init__(seed, data_format, **kwargs)

    def _draws(self, images: int, factor: tuple[float, float], offset: float = 0.0) -> Tensor:
        """Returns a number for each image, float32."""
        return tf.cast(self._uniform((images,), offset + factor[0], offset + factor[1]), tf.float32)

    def _matrices(self, images: int, height: int, width: int) -> tuple[Any, ...]:
        """Returns a0, a1, a2, b0, b1, b2 of ``affine_transform``, each a number or one for each image."""
        raise NotImplementedError

    def _changed(self, x: Tensor) -> Tensor:
        images = x.shape[0] if x.ndim == 4 else 1
        axis = x.ndim + self._height_axis
        numbers = self._matrices(images, *x.shape[axis : axis + 2])
        columns = [tf.broadcast_to(tf.cast(number, tf.float32), (images,)) for number in (*numbers, 0.0, 0.0)]
        options = self.interpolation, self.fill_mode, self.fill_value, self.data_format
        return affine_transform(x, tf.stack(columns, 1), *options)


class RandomRotation(_RandomTransform):
    """In training, rotates each image around its centre.

    Args:
        factor: the bounds of the angle in whole turns, counter-clockwise: a pair in [-1, 1], or a number for both sides of 0.
        fill_mode: what is outside of the image: ``"reflect"``, ``"wrap"``, ``"constant"`` for ``fill_value``, or ``"nearest"``.
        interpolation: ``"bilinear"`` or ``"nearest"``.
        seed: an integer, or None.
        fill_value: a number.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor``; at a call another rank.
        NotImplementedError: another ``fill_mode`` or ``interpolation``.
    """

    _config_names = ("data_format", "factor", "fill_mode", "fill_value", "interpolation", "seed")

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.factor = factor_range(factor, -1, 1)
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)

    def _matrices(self, images: int, height: int, width: int) -> tuple[Any, ...]:
        low, high = self.factor
        angle = self._draws(images, (low * 360.0, high * 360.0)) * (math.pi / 180.0)
        cosine, sine = tf.cos(angle), tf.sin(angle)
        x, y = 0.5 * (width - 1), 0.5 * (height - 1)
        return cosine, -sine, x - x * cosine + y * sine, sine, cosine, y - x * sine - y * cosine


def _checked_factor(name: str, argument: str, factor: Any, allows_least: bool) -> tuple[float, float]:
    """Returns the bounds of a factor in [-1, 1], -1 only with ``allows_least``; ValueError for others."""
    bounds = factor if isinstance(factor, (tuple, list)) else (factor, factor)
    if (
        len(bounds) != 2
        or not all(isinstance(bound, (int, float)) for bound in bounds)
        or not all(-1.0 <= bound <= 1.0 and (allows_least or bound > -1.0) for bound in bounds)
    ):
        raise ValueError(
            f"{name}: `{argument}` should be a number (or a list of two numbers) in the range {'[' if allows_least else '('}-1.0, 1.0]. "
            f"Received: {argument}={factor}"
        )
    if bounds is factor:
        low, high = sorted(bounds)
        return low, high
    return -abs(factor), abs(factor)


class _RandomTransformOfAxes(_RandomTransform):
    """The base of layers with a factor for each axis."""

    _config_names = ("data_format", "height_factor", "width_factor", "fill_mode", "interpolation", "seed", "fill_value")
    _width_range: tuple[float, float] | None

    def _set_factors(self, height_factor: Any, width_factor: Any, allows_least: bool) -> None:
        name = type(self).__name__
        self._height_range = _checked_factor(name, "height_factor", height_factor, allows_least)
        self._width_range = None
        if width_factor is not None or allows_least:
            self._width_range = _checked_factor(name, "width_factor", width_factor, allows_least)
        self.height_factor, self.width_factor = height_factor, width_factor


class RandomZoom(_RandomTransformOfAxes):
    """In training, zooms each image around its centre.

    Args:
        height_factor: the bounds of how much more of the height there is: a pair in (-1, 1], or a number for both sides of 0; above 0
            images become smaller.
        width_factor: the same for the width; None keeps the proportions.
        fill_mode, interpolation, seed, fill_value, data_format, **kwargs: as in ``RandomRotation``.

    Raises:
        ValueError: another factor; at a call another rank.
        NotImplementedError: another ``fill_mode`` or ``interpolation``.
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._set_factors(height_factor, width_factor, allows_least=False)
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)

    def _matrices(self, images: int, height: int, width: int) -> tuple[Any, ...]:
        tall = wide = self._draws(images, self._height_range, 1.0)
        if self._width_range is not None:
            wide = self._draws(images, self._width_range, 1.0)
        return wide, 0.0, (width - 1) / 2 * (1.0 - wide), 0.0, tall, (height - 1) / 2 * (1.0 - tall)


class RandomTranslation(_RandomTransformOfAxes):
    """In training, moves each image.

    Args:
        height_factor: the bounds of the distance in parts of the height, down: a pair in [-1, 1], or a number for both sides of 0.
        width_factor: the same for the width, to the right.
        fill_mode, interpolation, seed, fill_value, data_format, **kwargs: as in ``RandomRotation``.

    Raises:
        ValueError: another factor; at a call another rank.
        NotImplementedError: another ``fill_mode`` or ``interpolation``.
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._set_factors(height_factor, width_factor, allows_least=True)
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)

    def _matrices(self, images: int, height: int, width: int) -> tuple[Any, ...]:
        assert self._width_range is not None
        down = self._draws(images, self._height_range) * height
        right = self._draws(images, self._width_range) * width
        return 1.0, 0.0, -right, 0.0, 1.0, -down
