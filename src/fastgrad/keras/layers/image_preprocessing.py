"""Images resized and cropped, and in training changed at random: flips, crops, brightness, contrast.

Inputs are images or batches of images, not dictionaries with boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fastgrad as tf
from fastgrad.core.argument_checks import checked_integer
from fastgrad.core.tensor import Tensor
from fastgrad.image.geometry import resize
from fastgrad.keras.layers.layer import Layer
from fastgrad.keras.layers.seeds import generator_of_seed
from fastgrad.keras.settings import standardize_data_format
from fastgrad.ops.default_generators import default_philox_words
from fastgrad.ops.random_generator import uniform_from


class _ImageLayer(Layer):
    """The base of layers of images: (height, width, channels) or (batch, height, width, channels), or with the channels first."""

    _leaf = True

    _takes_python_values = True

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self._build_at_init()

    @property
    def _height_axis(self) -> int:
        """The axis of the height, counted from the last; that of the width is the next."""
        return -2 if self.data_format == "channels_first" else -3

    def _check_rank(self, images: Tensor) -> None:
        if images.ndim not in (3, 4):
            raise ValueError(
                "Expected image tensor to have rank 3 (single image) or 4 (batch of images). "
                f"Received: data.shape={tuple(images.shape)}"
            )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input, with the size of the result if the layer has one."""
        shape = list(input_shape)
        size = getattr(self, "height", None), getattr(self, "width", None)
        if None not in size:
            for axis, length in enumerate(size, self._height_axis):
                shape[axis] = length
        return tuple(shape)


class Resizing(_ImageLayer):
    """Resizes images.

    Args:
        height, width: the size of the result.
        interpolation: ``"bilinear"``, ``"nearest"``, ``"bicubic"``, ``"lanczos3"`` or ``"lanczos5"``.
        crop_to_aspect_ratio: whether the largest middle part with the proportions of the result is resized.
        pad_to_aspect_ratio: whether the whole image is resized with its proportions, within ``fill_value``.
        fill_mode: ``"constant"``.
        fill_value: a number.
        antialias: as in ``tf.image.resize``.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Raises:
        TypeError: ``height`` or ``width`` is no integer.
        ValueError: one of them is not positive, ``fill_mode`` is another, or both proportions are asked for; at a call another rank or interpolation.
    """

    _config_names = (
        "height",
        "width",
        "interpolation",
        "crop_to_aspect_ratio",
        "pad_to_aspect_ratio",
        "fill_mode",
        "fill_value",
        "antialias",
        "data_format",
    )

    def __init__(  # Keras's arguments
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError("Only one of `pad_to_aspect_ratio` & `crop_to_aspect_ratio` can be `True`.")
        if fill_mode != "constant":
            raise ValueError(f"Resizing: fill_mode must be 'constant', got {fill_mode!r}.")
        self.height, self.width = _checked_size("Resizing", height, width)
        self.interpolation = interpolation
        self.crop_to_aspect_ratio, self.pad_to_aspect_ratio = crop_to_aspect_ratio, pad_to_aspect_ratio
        self.fill_mode, self.fill_value, self.antialias = fill_mode, fill_value, bool(antialias)
        super().__init__(data_format, **kwargs)

    def call(self, inputs: Tensor) -> Tensor:
        """Resizes ``inputs``; integers are rounded, and keep their dtype."""
        self._check_rank(inputs)
        x = _channels_last(inputs) if self.data_format == "channels_first" else inputs
        height, width = x.shape[-3:-1]
        if self.crop_to_aspect_ratio:
            part_height = max(1, min(height, int(width * self.height / self.width)))
            part_width = max(1, min(width, int(height * self.width / self.height)))
            x = tf.image.crop_to_bounding_box(
                x, (height - part_height) // 2, (width - part_width) // 2, part_height, part_width
            )
        elif self.pad_to_aspect_ratio:
            whole_height = max(height, int(width * self.height / self.width))
            whole_width = max(width, int(height * self.width / self.height))
            top, left = (whole_height - height) // 2, (whole_width - width) // 2
            borders = [(top, top), (left, left), (0, 0)]  # equal ones, as in Keras
            x = tf.pad(x, [*[(0, 0)] * (x.ndim - 3), *borders], constant_values=self.fill_value)
        resized = resize(x, (self.height, self.width), self.interpolation, antialias=self.antialias)
        if inputs.dtype.is_integer and resized.dtype.is_floating:
            resized = tf.round(resized)
        resized = tf.saturate_cast(resized, inputs.dtype)
        return _channels_first(resized) if self.data_format == "channels_first" else resized


def _checked_size(name: str, height: Any, width: Any) -> tuple[int, int]:
    """Returns the height and width of the result; TypeError or ValueError unless they are positive integers."""
    size = checked_integer(name, "height", height), checked_integer(name, "width", width)
    if min(size) < 1:
        raise ValueError(f"{name}: `height` and `width` must be positive. Received: height={height}, width={width}")
    return size


def _channels_last(x: Tensor) -> Tensor:
    batch = range(x.ndim - 3)
    return tf.transpose(x, [*batch, *[len(batch) + axis for axis in (1, 2, 0)]])


def _channels_first(x: Tensor) -> Tensor:
    batch = range(x.ndim - 3)
    return tf.transpose(x, [*batch, *[len(batch) + axis for axis in (2, 0, 1)]])


class CenterCrop(_ImageLayer):
    """The middle of images; smaller images are cropped to the proportions of the result, and resized.

    Args:
        height, width: the size of the result.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Raises:
        TypeError: ``height`` or ``width`` is no integer.
        ValueError: one of them is not positive; at a call another rank.
    """

    _config_names = ("height", "width", "data_format")

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any) -> None:
        self.height, self.width = _checked_size("CenterCrop", height, width)
        super().__init__(data_format, **kwargs)

    def call(self, inputs: Tensor) -> Tensor:
        """Crops ``inputs``."""
        self._check_rank(inputs)
        x = tf.cast(inputs, self.compute_dtype)
        axis = x.ndim + self._height_axis
        top, left = x.shape[axis] - self.height, x.shape[axis + 1] - self.width
        if min(top, left) < 0:
            from fastgrad.keras.preprocessing.image import smart_resize  # which imports models, which have layers

            return tf.cast(smart_resize(x, (self.height, self.width), data_format=self.data_format), x.dtype)
        rows, columns = slice(top // 2, top // 2 + self.height), slice(left // 2, left // 2 + self.width)
        key = [slice(None)] * axis + [rows, columns]
        return x[tuple(key)]


class RandomImageLayer(_ImageLayer):
    """The base of layers that draw numbers in training."""

    def __init__(self, seed: int | None = None, data_format: str | None = None, **kwargs: Any) -> None:
        self.seed = seed
        self._generator = generator_of_seed(seed)
        super().__init__(data_format, **kwargs)

    def _uniform(self, shape: Sequence[int], low: float, high: float) -> Tensor:
        draw_words = default_philox_words(None) if self._generator is None else self._generator._draw_words
        return uniform_from(draw_words, type(self).__name__, tuple(shape), low, high, self.compute_dtype)

    def _seed_of_draw(self) -> Tensor:
        """Returns a seed for ``tf.random.stateless_*``, from the layer's own draws."""
        draw_words = default_philox_words(None) if self._generator is None else self._generator._draw_words
        return uniform_from(draw_words, type(self).__name__, (2,), 0, 2**31 - 1, "int32")

    def _number_of_each_image(self, images: Tensor, low: float, high: float) -> Tensor:
        return self._uniform((*images.shape[:-3], 1, 1, 1), low, high)

    def call(self, inputs: Tensor, training: bool = True) -> Tensor:
        """Changes ``inputs`` in training; else returns them."""
        self._check_rank(inputs)
        x = tf.cast(inputs, self.compute_dtype)
        return self._changed(x) if training else x

    def _changed(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class RandomFlip(RandomImageLayer):
    """In training, flips one half of the images.

    Args:
        mode: ``"horizontal"``, ``"vertical"`` or ``"horizontal_and_vertical"``.
        seed: an integer, or None.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.
    """

    _config_names = ("mode", "seed", "data_format")

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.mode = mode
        super().__init__(seed, data_format, **kwargs)

    def _changed(self, x: Tensor) -> Tensor:
        is_flipped = self._number_of_each_image(x, 0.0, 1.0) <= 0.5
        axes = {"horizontal": (1,), "vertical": (0,), "horizontal_and_vertical": (1, 0)}.get(self.mode, ())
        return tf.where(is_flipped, tf.reverse(x, [self._height_axis + axis for axis in axes]), x)


class RandomCrop(RandomImageLayer):
    """In training, a part of the images at a random place; smaller images are cropped and resized.

    Args:
        height, width: the size of the result.
        seed: an integer, or None.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.
    """

    _config_names = ("height", "width", "seed", "data_format")

    def __init__(
        self, height: int, width: int, seed: int | None = None, data_format: str | None = None, **kwargs: Any
    ) -> None:
        self.height, self.width = _checked_size("RandomCrop", height, width)
        super().__init__(seed, data_format, **kwargs)

    def _changed(self, x: Tensor) -> Tensor:
        axis = x.ndim + self._height_axis
        sizes = x.shape[axis : axis + 2]
        targets = self.height, self.width
        if not all(size > target for size, target in zip(sizes, targets, strict=True)):
            from fastgrad.keras.preprocessing.image import smart_resize  # as above

            return tf.cast(smart_resize(x, targets, data_format=self.data_format), x.dtype)
        for place, (size, target) in enumerate(zip(sizes, targets, strict=True), axis):
            # The place is a tensor, so that a compiled step draws another one each time.
            start = tf.cast(self._uniform((), 0.0, float(size - target + 1)), tf.int32)
            x = tf.gather(x, start + tf.range(target), axis=place)
        return x


def factor_range(factor: Any, low: float, high: float, argument: str = "factor") -> tuple[float, float]:
    """Returns the bounds of ``factor``, a number for both sides of 0 or a pair."""
    message = (
        f"The `{argument}` argument should be a number (or a list of two numbers) in the range [{low}, {high}]. "
        f"Received: {argument}={factor}"
    )
    if isinstance(factor, (tuple, list)):
        if len(factor) != 2 or factor[0] > high or factor[1] < low:
            raise ValueError(message)
        least, most = sorted(factor)
        return least, most
    if not isinstance(factor, (int, float)) or not low <= factor <= high:
        raise ValueError(message)
    return max(-abs(factor), low), abs(factor)


def checked_value_range(value_range: Any) -> list[float]:
    """Returns the least and the greatest value of images; ValueError unless they are two numbers."""
    if not isinstance(value_range, (tuple, list)) or len(value_range) != 2:
        raise ValueError(
            f"The `value_range` argument should be a list of two numbers. Received: value_range={value_range}"
        )
    return sorted(value_range)


class RandomBrightness(RandomImageLayer):
    """In training, adds a number to each image, and clips it.

    Args:
        factor: the bounds of the number, in parts of the range: a pair in [-1, 1], or a number for both sides of 0.
        value_range: the least and the greatest value of images.
        seed: an integer, or None.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor`` or ``value_range``.
    """

    _config_names = ("factor", "value_range", "seed", "data_format")

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any) -> None:
        self.factor = factor_range(factor, -1, 1)
        self.value_range = checked_value_range(value_range)
        super().__init__(seed, **kwargs)

    def _changed(self, x: Tensor) -> Tensor:
        low, high = self.value_range
        delta = self._number_of_each_image(x, *self.factor) * (high - low)
        return tf.clip_by_value(x + delta, low, high)


class RandomContrast(RandomImageLayer):
    """In training, multiplies the distance of each pixel from the mean of its channel, and clips the result.

    Args:
        factor: the number is in [1 - factor, 1 + factor): a pair, or one number in [0, 1] for both.
        value_range: the least and the greatest value of images.
        seed: an integer, or None.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor``.
    """

    _config_names = ("factor", "value_range", "seed", "data_format")

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any) -> None:
        self.factor = factor_range(factor, 0, 1)
        self.value_range = value_range
        super().__init__(seed, **kwargs)

    def _changed(self, x: Tensor) -> Tensor:
        factor = self._number_of_each_image(x, 1.0 - self.factor[0], 1.0 + self.factor[1])
        mean = tf.reduce_mean(x, [self._height_axis, self._height_axis + 1], keepdims=True)
        return tf.clip_by_value((x - mean) * factor + mean, *self.value_range)
