"""Images that are rotated, zoomed or moved at random in training."""

from __future__ import annotations

import math
from inspect import Parameter
from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.affine_transform import affine_transform
from fastgrad._src.keras.layers.bounding_boxes import projected_boxes
from fastgrad._src.keras.layers.image_arguments import (
    DATA_FORMAT,
    FILL_MODE,
    FILL_VALUE,
    INTERPOLATION,
    SEED,
    Argument,
    factor_argument,
    factor_error,
)
from fastgrad._src.keras.layers.image_layer import RandomImageLayer, image_count
from fastgrad._src.ops import namespace as ops


class _RandomTransform(RandomImageLayer):
    """The base of layers that transform each image by a matrix of its own."""

    _moves_pixels = True

    def _draw_of_each_image(self, shape: tuple[int, ...], factor: tuple[float, float], offset: float = 0.0) -> Tensor:
        """Returns a number for each image, float32 of shape (batch, 1)."""
        return ops.cast(self._uniform((image_count(shape), 1), offset + factor[0], offset + factor[1]), dtypes.float32)

    def _numbers(self, transformation: Any, height: Any, width: Any) -> tuple[Any, ...]:
        """Returns a0, a1, a2, b0, b1, b2 of ``affine_transform``, each a number or one for each image, for images of a size."""
        raise NotImplementedError

    def _matrices(self, transformation: Any, size: tuple[Any, Any]) -> Tensor:
        numbers = [ops.cast(number, dtypes.float32) for number in self._numbers(transformation, *size)]
        images = max(number.shape.num_elements() for number in numbers)
        columns = [ops.broadcast_to(ops.reshape(number, [-1]), [images]) for number in numbers]
        return ops.stack([*columns, *[ops.zeros([images])] * 2], 1)

    def _apply(self, x: Tensor, transformation: Any, interpolation: str | None) -> Tensor:
        matrices = self._matrices(transformation, self._size(x.shape))
        options = interpolation or self.interpolation, self.fill_mode, self.fill_value, self.data_format
        return affine_transform(x, matrices, *options)

    def _moved_boxes(self, boxes: Tensor, transformation: Any) -> Tensor:
        return projected_boxes(boxes, self._matrices(transformation, self._image_size(transformation)))


_FURTHER_ARGUMENTS = FILL_MODE, INTERPOLATION, SEED, FILL_VALUE, DATA_FORMAT


class RandomRotation(_RandomTransform, arguments=(factor_argument(-1), *_FURTHER_ARGUMENTS)):
    """In training, rotates each image around its centre.

    Args:
        factor: the bounds of the angle in whole turns, counter-clockwise: a pair in [-1, 1], or a number for both sides of 0.
        fill_mode: how points outside of the image are filled: ``"reflect"``, ``"wrap"``, ``"constant"`` with ``fill_value``, or ``"nearest"``.
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

    def _draw(self, shape: tuple[int, ...]) -> Any:
        low, high = self.factor
        angles = self._draw_of_each_image(shape, (low * 360.0, high * 360.0))[:, 0]
        height, width = self._size(shape)
        transformation = {"angle": angles, "image_height": height, "image_width": width, "batch_size": len(angles)}
        matrices = super()._matrices(transformation, (height, width))
        return {**transformation, "rotation_matrix": matrices if len(shape) == 4 else matrices[0]}

    def _numbers(self, transformation: Any, height: Any, width: Any) -> tuple[Any, ...]:
        angle = transformation["angle"] * (math.pi / 180.0)
        cosine, sine = ops.cos(angle), ops.sin(angle)
        x, y = 0.5 * (width - 1), 0.5 * (height - 1)
        return cosine, -sine, x - x * cosine + y * sine, sine, cosine, y - x * sine - y * cosine

    def _matrices(self, transformation: Any, size: tuple[Any, Any]) -> Tensor:
        return ops.reshape(ops.cast(transformation["rotation_matrix"], dtypes.float32), [-1, 8])

    def _image_size(self, transformation: Any) -> tuple[Any, Any]:
        return transformation["image_height"], transformation["image_width"]


def _factor_of_axis(name: str, allows_least: bool, default: Any = Parameter.empty) -> Argument:
    """An argument in [-1, 1], -1 only with ``allows_least``, or the default; the attribute is the value as it is."""

    def check(layer: str, argument: str, value: Any) -> Any:
        bounds = value if isinstance(value, (tuple, list)) else (value, value)
        is_factor = len(bounds) == 2 and all(
            isinstance(bound, (int, float)) and -1.0 <= bound <= 1.0 and (allows_least or bound > -1.0)
            for bound in bounds
        )
        if not is_factor and (value is not None or default is not None):
            raise factor_error(argument, f"{'[' if allows_least else '('}-1.0, 1.0]", value)
        return value

    return Argument(name, default=default, check=check)


def _ascending_bounds(factor: Any) -> tuple[float, float]:
    """Returns a pair in ascending order; of a number that and its opposite."""
    low, high = sorted(factor if isinstance(factor, (tuple, list)) else (-factor, factor))
    return low, high


class RandomZoom(
    _RandomTransform,
    arguments=(
        _factor_of_axis("height_factor", allows_least=False),
        _factor_of_axis("width_factor", allows_least=False, default=None),
        *_FURTHER_ARGUMENTS,
    ),
):
    """In training, zooms each image around its centre.

    Args:
        height_factor: the bounds of the relative change of the visible height: a pair in (-1, 1], or a number for both sides of 0;
            above 0 the image is zoomed out.
        width_factor: the same for the width; None keeps the aspect ratio.
        fill_mode, interpolation, seed, fill_value, data_format, **kwargs: as in ``RandomRotation``.

    Raises:
        ValueError: another factor; at a call another rank.
        NotImplementedError: another ``fill_mode`` or ``interpolation``.
    """

    height_factor: Any
    width_factor: Any

    def _draw(self, shape: tuple[int, ...]) -> Any:
        tall = wide = self._draw_of_each_image(shape, _ascending_bounds(self.height_factor), 1.0)
        if self.width_factor is not None:
            wide = self._draw_of_each_image(shape, _ascending_bounds(self.width_factor), 1.0)
        return {"height_zoom": tall, "width_zoom": wide, "input_shape": shape}

    def _numbers(self, transformation: Any, height: Any, width: Any) -> tuple[Any, ...]:
        tall, wide = transformation["height_zoom"], transformation["width_zoom"]
        return wide, 0.0, (width - 1) / 2 * (1.0 - wide), 0.0, tall, (height - 1) / 2 * (1.0 - tall)


class RandomTranslation(
    _RandomTransform,
    arguments=(
        _factor_of_axis("height_factor", allows_least=True),
        _factor_of_axis("width_factor", allows_least=True),
        *_FURTHER_ARGUMENTS,
    ),
):
    """In training, moves each image.

    Args:
        height_factor: the bounds of the distance downwards, as a fraction of the height: a pair in [-1, 1], or a number for both sides of 0.
        width_factor: the same for the width, to the right.
        fill_mode, interpolation, seed, fill_value, data_format, **kwargs: as in ``RandomRotation``.

    Raises:
        ValueError: another factor; at a call another rank.
        NotImplementedError: another ``fill_mode`` or ``interpolation``.
    """

    height_factor: Any
    width_factor: Any

    def _draw(self, shape: tuple[int, ...]) -> Any:
        height, width = self._size(shape)
        down = self._draw_of_each_image(shape, _ascending_bounds(self.height_factor)) * height
        right = self._draw_of_each_image(shape, _ascending_bounds(self.width_factor)) * width
        return {"translations": ops.concat([right, down], 1), "input_shape": shape}

    def _numbers(self, transformation: Any, height: Any, width: Any) -> tuple[Any, ...]:
        right, down = ops.unstack(transformation["translations"], axis=1)
        return 1.0, 0.0, -right, 0.0, 1.0, -down
