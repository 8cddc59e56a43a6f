"""Images that are rotated, zoomed or moved at random in training."""

from __future__ import annotations

import functools
import math
from inspect import Parameter
from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.affine_transform import FILL_MODES_OF_TENSORFLOW, affine_transform, check_choice, homography
from fastgrad._src.keras.elastic_transform import elastic_shift, shift_pixels
from fastgrad._src.keras.image_axes import apply_as_batch, apply_channels_last
from fastgrad._src.keras.layers.bounding_boxes import projected_boxes
from fastgrad._src.keras.layers.image_arguments import (
    CHECKED_VALUE_RANGE,
    DATA_FORMAT,
    FILL_MODE,
    FILL_MODE_OR_MIRROR,
    FILL_VALUE,
    INTERPOLATION,
    SEED,
    Argument,
    factor_argument,
    factor_error,
    number_argument,
)
from fastgrad._src.keras.layers.image_layer import RandomImageLayer, broadcast_per_image, image_count
from fastgrad._src.keras.ops.image import perspective_transform
from fastgrad._src.keras.random import _seed_of_draw
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.clipping import clip_by_value
from fastgrad._src.ops.creation import constant, zeros
from fastgrad._src.ops.exponential import cos, sin
from fastgrad._src.ops.joining import concat, stack, unstack
from fastgrad._src.ops.selection import where
from fastgrad._src.ops.shaping import broadcast_to, reshape


class _RandomTransform(RandomImageLayer):
    """The base of layers that transform each image by a matrix of its own."""

    _moves_pixels = True

    def _draw_of_each_image(self, shape: tuple[int, ...], factor: tuple[float, float], offset: float = 0.0) -> Tensor:
        """Returns a number for each image, float32 of shape (batch, 1)."""
        return cast(self._uniform((image_count(shape), 1), offset + factor[0], offset + factor[1]), dtypes.float32)

    def _numbers(self, transformation: Any, height: Any, width: Any) -> tuple[Any, ...]:
        """Returns a0, a1, a2, b0, b1, b2 of ``affine_transform``, each a number or one for each image, for images of a size."""
        raise NotImplementedError

    def _matrices(self, transformation: Any, size: tuple[Any, Any]) -> Tensor:
        numbers = [cast(number, dtypes.float32) for number in self._numbers(transformation, *size)]
        images = max(number.shape.num_elements() for number in numbers)
        columns = [broadcast_to(reshape(number, [-1]), [images]) for number in numbers]
        return stack([*columns, *[zeros([images])] * 2], 1)

    def _apply(self, x: Tensor, transformation: Any, interpolation: str | None) -> Tensor:
        matrices = self._matrices(transformation, self._size(x.shape))
        options = interpolation or self.interpolation, self.fill_mode, self.fill_value, self.data_format
        return affine_transform(x, matrices, *options)

    def _moved_boxes(self, boxes: Tensor, transformation: Any) -> Tensor:
        return projected_boxes(boxes, self._matrices(transformation, self._image_size(transformation)))


_FURTHER_ARGUMENTS = FILL_MODE, INTERPOLATION, SEED, FILL_VALUE, DATA_FORMAT


class RandomRotation(_RandomTransform, arguments=(factor_argument(-1, 1), *_FURTHER_ARGUMENTS)):
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
        cosine, sine = cos(angle), sin(angle)
        x, y = 0.5 * (width - 1), 0.5 * (height - 1)
        return cosine, -sine, x - x * cosine + y * sine, sine, cosine, y - x * sine - y * cosine

    def _matrices(self, transformation: Any, size: tuple[Any, Any]) -> Tensor:
        return reshape(cast(transformation["rotation_matrix"], dtypes.float32), [-1, 8])

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
        return {"translations": concat([right, down], 1), "input_shape": shape}

    def _numbers(self, transformation: Any, height: Any, width: Any) -> tuple[Any, ...]:
        right, down = unstack(transformation["translations"], axis=1)
        return 1.0, 0.0, -right, 0.0, 1.0, -down


def _shear_factor(name: str) -> Argument:
    """An argument that is a pair in [0, 1], or a number for both sides of 0; the attribute is the pair."""

    def check(layer: str, argument: str, value: Any) -> tuple[float, float]:
        bounds = value if isinstance(value, (tuple, list)) else (value, value)
        # A number may come back from a configuration as the pair of its two sides.
        is_of_number = len(bounds) == 2 and isinstance(bounds[1], (int, float)) and bounds[0] == -bounds[1]
        if len(bounds) != 2 or not all(
            isinstance(bound, (int, float)) and (0 <= bound <= 1 or is_of_number) and abs(bound) <= 1
            for bound in bounds
        ):
            raise factor_error(argument, "[0, 1.0]", value)
        return _ascending_bounds(value)

    return Argument(name, default=0.0, check=check)


class RandomShear(
    _RandomTransform,
    arguments=(
        _shear_factor("x_factor"),
        _shear_factor("y_factor"),
        INTERPOLATION,
        FILL_MODE,
        FILL_VALUE,
        DATA_FORMAT,
        SEED,
    ),
):
    """In training, shears each image, in one of the two directions.

    Args:
        x_factor: the bounds of the horizontal shift, in columns, from one row to the next: a pair in [0, 1], or a number for both sides of 0.
        y_factor: the same for the vertical shift, in rows, from one column to the next.
        interpolation, fill_mode, fill_value, data_format, seed, **kwargs: as in ``RandomRotation``.

    Raises:
        ValueError: another factor; at a call another rank.
        NotImplementedError: another ``fill_mode`` or ``interpolation``.
    """

    _config_names = ("data_format", "x_factor", "y_factor", "fill_mode", "interpolation", "seed", "fill_value")
    x_factor: tuple[float, float]
    y_factor: tuple[float, float]

    def _draw(self, shape: tuple[int, ...]) -> Any:
        sign = where(self._draw_of_each_image(shape, (0.0, 1.0)) > 0.5, -1.0, 1.0)
        factors = [self._draw_of_each_image(shape, factor) for factor in (self.x_factor, self.y_factor)]
        return {"shear_factor": sign * concat(factors, 1), "input_shape": shape}

    def _numbers(self, transformation: Any, height: Any, width: Any) -> tuple[Any, ...]:
        x, y = unstack(transformation["shear_factor"], axis=1)
        return 1.0, x, 0.0, y, 1.0, 0.0


class RandomPerspective(
    RandomImageLayer,
    arguments=(
        factor_argument(0, 1, 1.0),
        number_argument("scale", 0, 1, 1.0),
        INTERPOLATION,
        FILL_VALUE,
        SEED,
        DATA_FORMAT,
    ),
):
    """In training, moves the corners of some images, as if they were seen from another point.

    Args:
        factor: the bounds of the probability: a pair in [0, 1], or a number for 0 and itself.
        scale: how far corners move, a number in [0, 1].
        interpolation: ``"bilinear"`` or ``"nearest"``.
        fill_value: the number outside of the image.
        seed: an integer, or None.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor`` or ``scale``; at a call another rank.
        NotImplementedError: another ``interpolation``.
    """

    scale: float
    _moves_pixels = True

    def _draw(self, shape: tuple[int, ...]) -> Any:
        bottom, right = [float(size - 1) for size in self._size(shape)]
        corners = constant([[[0.0, 0.0], [right, 0.0], [0.0, bottom], [right, bottom]]], self.compute_dtype)
        is_moved = self._draw_selection(shape, self.factor)
        moves = self._uniform((image_count(shape), 4, 2), -0.5 * self.scale, 0.5 * self.scale)
        start = broadcast_to(corners, moves.shape)
        return {
            "apply_perspective": is_moved,
            "start_points": start,
            "end_points": start + start * moves,
            "input_shape": shape,
        }

    def _apply(self, x: Tensor, transformation: Any, interpolation: str | None) -> Tensor:
        points = transformation["start_points"], transformation["end_points"]
        options = interpolation or self.interpolation, self.fill_value, self.data_format
        moved = perspective_transform(x, *points, *options)
        return where(broadcast_per_image(transformation["apply_perspective"], x), moved, x)

    def _moved_boxes(self, boxes: Tensor, transformation: Any) -> Tensor:
        moved = projected_boxes(boxes, homography(transformation["start_points"], transformation["end_points"]))
        return where(reshape(transformation["apply_perspective"], [-1, 1, 1]), moved, boxes)


class RandomElasticTransform(
    RandomImageLayer,
    arguments=(
        factor_argument(0, 1, 1.0),
        factor_argument(0, 1, 1.0, "scale"),
        INTERPOLATION,
        FILL_MODE_OR_MIRROR,
        FILL_VALUE,
        CHECKED_VALUE_RANGE,
        SEED,
        DATA_FORMAT,
    ),
):
    """In training, moves the pixels of some images by smooth noise, as if they were drawn on rubber.

    Args:
        factor: the bounds of the probability: a pair in [0, 1], or a number for 0 and itself.
        scale: the bounds of the strength, one number for a batch: a pair in [0, 1], or a number for 0 and itself.
        interpolation: ``"bilinear"`` or ``"nearest"``.
        fill_mode: how points outside of the image are filled: ``"reflect"``, ``"wrap"``, ``"constant"`` with ``fill_value``, or ``"nearest"``.
        fill_value: a number.
        value_range: the least and the greatest value of images.
        seed: an integer, or None.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor``, ``scale`` or ``value_range``; at a call another rank, or ``"mirror"``.
        NotImplementedError: another ``fill_mode`` or ``interpolation``; at a call bounding boxes, which Keras does not move, either.
    """

    scale: tuple[float, float]
    _moves_pixels = True

    def _draw(self, shape: tuple[int, ...]) -> Any:
        if not self.factor[1] or not self.scale[1]:
            return None
        return {
            "apply_transform": self._draw_selection(shape, self.factor),
            "distortion_factor": self._uniform((), *self.scale),
            "seed": self._seed_of_draw(),
        }

    def get_elastic_transform_params(self, height: int, width: int, factor: Any) -> tuple[Any, Any]:
        """Returns the factor and the standard deviation of the noise, in pixels; the Gaussian filter that smooths it has the same deviation.

        Args:
            height, width: the size of the images.
            factor: the strength, a number or a tensor.
        """
        return max(height, width) * (0.1 * factor), min(height, width) * (0.05 * factor)

    def _apply(self, x: Tensor, transformation: Any, interpolation: str | None) -> Tensor:
        check_choice("fill_mode", self.fill_mode, FILL_MODES_OF_TENSORFLOW)
        strength, seed = cast(transformation["distortion_factor"], self.compute_dtype), transformation["seed"]
        seed = seed if isinstance(seed, Tensor) else _seed_of_draw(seed)

        def move(x: Tensor) -> Tensor:
            height, width = x.shape[1:3]
            alpha, sigma = self.get_elastic_transform_params(height, width, strength)
            greatest_sigma = self.get_elastic_transform_params(height, width, 1.0)[1]
            # Masks move by the noise of the images, whose dtype is this one.
            shift = elastic_shift(x.shape[:3], alpha, sigma, greatest_sigma, seed, self.compute_dtype)
            return shift_pixels(x, shift, interpolation or self.interpolation, self.fill_mode, self.fill_value)

        moved = apply_channels_last(functools.partial(apply_as_batch, move), x, self.data_format)
        is_moved = transformation["apply_transform"]
        y = where(broadcast_per_image(is_moved, x), moved, x)
        return y if interpolation else clip_by_value(y, *self.value_range)

    def transform_bounding_boxes(self, bounding_boxes: Any, transformation: Any = None, training: bool = True) -> Any:
        """Raises NotImplementedError, as in Keras: a distorted box is no box.

        Args:
            bounding_boxes, transformation, training: as in the other layers of images.
        """
        raise NotImplementedError(
            "RandomElasticTransform: bounding boxes do not stay rectangles. Pass segmentation masks, or images without 'bounding_boxes'."
        )
