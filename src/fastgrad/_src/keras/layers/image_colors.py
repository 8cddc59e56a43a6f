"""Colours and sharpness of images that change: hue, saturation, grey, posters, inversion, contrast, blur."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras import settings
from fastgrad._src.keras.layers.image_layer import BatchImageLayer, RandomImageLayer, image_count, of_each_image
from fastgrad._src.keras.layers.image_preprocessing import (
    RandomBrightness,
    RandomContrast,
    checked_value_range,
    factor_range,
)
from fastgrad._src.keras.ops.image import gaussian_blur, hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv
from fastgrad._src.ops import rounding
from fastgrad._src.ops.arithmetic import maximum
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.clipping import clip_by_value
from fastgrad._src.ops.convolution import depthwise_conv2d
from fastgrad._src.ops.creation import constant, ones_like
from fastgrad._src.ops.division import divide_no_nan
from fastgrad._src.ops.indexing import gather
from fastgrad._src.ops.joining import concat, split, stack, unstack
from fastgrad._src.ops.reduction import reduce_max, reduce_min, reduce_sum
from fastgrad._src.ops.repeating import tile
from fastgrad._src.ops.rounding import floor
from fastgrad._src.ops.scan import cumsum
from fastgrad._src.ops.segments import unsorted_segment_sum
from fastgrad._src.ops.selection import where
from fastgrad._src.ops.shaping import transpose


def rescaled(x: Tensor, old: Any, new: Any) -> Tensor:
    """Returns values of the range ``old`` as values of the range ``new``."""
    if list(old) == list(new):
        return x
    return (x - old[0]) / (old[1] - old[0]) * (new[1] - new[0]) + new[0]


class _FactorOfColors(BatchImageLayer):
    """The base of layers of a factor and a range of values.

    Args:
        factor: the bounds of the number that is drawn for each image: a pair, or a number.
        value_range: the least and the greatest value of images.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        seed: an integer, or None.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor`` or ``value_range``; at a call another rank.
    """

    _config_names = ("data_format", "factor", "value_range", "seed")
    _factor_bounds = (-1, 1)

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.factor = factor_range(factor, *self._factor_bounds)
        self.value_range = checked_value_range(value_range)
        super().__init__(seed, data_format, **kwargs)

    def _draw(self, shape: tuple[int, ...]) -> Any:
        return {"factor": self._uniform((image_count(shape),), *self.factor)}

    def _in_range(self, x: Tensor) -> Tensor:
        low, high = self.value_range
        return clip_by_value(x, low, high)


class RandomHue(_FactorOfColors):
    """In training, turns the hues of each image by up to ``factor`` half turns, in one of the two directions.

    Args:
        factor: the bounds of the angle in half turns: a pair in [-1, 1], or a number for both sides of 0.
        value_range: the least and the greatest value of images.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        seed: an integer, or None.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor`` or ``value_range``; at a call another rank.
    """

    def _draw(self, shape: tuple[int, ...]) -> Any:
        sign = where(self._uniform((image_count(shape),), 0.0, 1.0) > 0.5, -1.0, 1.0)
        factor = super()._draw(shape)["factor"]
        return {"factor": cast(sign, factor.dtype) * factor * 0.5}

    def _apply_to_batch(self, x: Tensor, transformation: Any) -> Tensor:
        turn = of_each_image(transformation["factor"], x, x.dtype)
        axis = 1 if self.data_format == "channels_first" else -1
        hsv = rgb_to_hsv(rescaled(x, self.value_range, (0, 1)), self.data_format)
        hue, saturation, value = split(hsv, 3, axis)
        hue += turn
        hue = where(hue > 1.0, hue - 1.0, hue)
        hue = where(hue < 0.0, hue + 1.0, hue)
        rgb = hsv_to_rgb(concat([hue, saturation, value], axis), self.data_format)
        return rescaled(clip_by_value(rgb, 0.0, 1.0), (0, 1), self.value_range)


class RandomSaturation(_FactorOfColors):
    """In training, multiplies the saturation of each image by f / (1 - f) for a number f; 0.5 changes nothing.

    Args:
        factor: the bounds of f: a pair in [0, 1], or a number for both sides of 0.
        value_range: the least and the greatest value of saturations.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        seed: an integer, or None.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor`` or ``value_range``; at a call another rank.
    """

    def _draw(self, shape: tuple[int, ...]) -> Any:
        factor = super()._draw(shape)["factor"]
        return {"factor": factor / (1.0 - factor + settings.epsilon())}

    def _apply_to_batch(self, x: Tensor, transformation: Any) -> Tensor:
        factor = of_each_image(transformation["factor"], x, x.dtype)
        axis = 1 if self.data_format == "channels_first" else -1
        hue, saturation, value = split(rgb_to_hsv(x, self.data_format), 3, axis)
        saturation = self._in_range(saturation * factor)
        return hsv_to_rgb(concat([hue, saturation, value], axis), self.data_format)


class RandomColorDegeneration(_FactorOfColors):
    """In training, mixes each image with its grey one: 0 changes nothing, 1 makes it grey.

    Args:
        factor: the bounds of the share of grey: a pair in [-1, 1], or a number for both sides of 0.
        value_range: the least and the greatest value of images.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        seed: an integer, or None.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor`` or ``value_range``; at a call another rank.
    """

    def _apply_to_batch(self, x: Tensor, transformation: Any) -> Tensor:
        grey = rgb_to_grayscale(x, self.data_format)
        return self._in_range(x + of_each_image(transformation["factor"], x, x.dtype) * (grey - x))


class RandomPosterization(_FactorOfColors):
    """In training, keeps the highest bits of the values, of which there are eight.

    Args:
        factor: the bounds of the number of bits, the second is not reached: a pair in [1, 8], or a number for 1 and itself.
        value_range: the least and the greatest value of images.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        seed: an integer, or None.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor`` or ``value_range``; at a call another rank.
    """

    _factor_bounds = (1, 8)

    def _draw(self, shape: tuple[int, ...]) -> Any:
        return {"shift_factor": cast(8.0 - floor(super()._draw(shape)["factor"]), dtypes.uint8)}

    def _apply_to_batch(self, x: Tensor, transformation: Any) -> Tensor:
        step = 2.0 ** of_each_image(transformation["shift_factor"], x, dtypes.float32)
        values = floor(cast(rescaled(x, self.value_range, (0, 255)), dtypes.float32))
        return rescaled(cast(floor(values / step) * step, x.dtype), (0, 255), self.value_range)


class RandomSharpness(_FactorOfColors):
    """In training, blurs or sharpens each image: 0.5 changes nothing, less blurs it, more sharpens it.

    Args:
        factor: the bounds of the number: a pair in [0, 1], or a number for 0 and itself.
        value_range: the least and the greatest value of images.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        seed: an integer, or None.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor`` or ``value_range``; at a call another rank.
    """

    _factor_bounds = (0, 1)

    def _apply_to_batch(self, x: Tensor, transformation: Any) -> Tensor:
        factor = 2.0 * of_each_image(transformation["factor"], x, x.dtype)
        last = transpose(x, [0, 2, 3, 1]) if self.data_format == "channels_first" else x
        kernel = constant([[1.0, 1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]], x.dtype) / 13.0
        kernel = tile(kernel[:, :, None, None], [1, 1, last.shape[-1], 1])
        smooth = depthwise_conv2d(last, kernel, [1, 1, 1, 1], "SAME")
        if self.data_format == "channels_first":
            smooth = transpose(smooth, [0, 3, 1, 2])
        return self._in_range(x + (1.0 - factor) * (smooth - x))


class RandomInvert(_FactorOfColors):
    """In training, inverts the values of some images.

    Args:
        factor: the bounds of the probability: a pair in [0, 1], or a number for 0 and itself.
        value_range: the least and the greatest value of images.
        seed: an integer, or None.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor`` or ``value_range``; at a call another rank.
    """

    _factor_bounds = (0, 1)

    def __init__(
        self,
        factor: Any = 1.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(factor, value_range, data_format, seed, **kwargs)

    def _draw(self, shape: tuple[int, ...]) -> Any:
        return {"apply_inversion": self._chosen(shape, self.factor)}

    def _apply_to_batch(self, x: Tensor, transformation: Any) -> Tensor:
        return where(of_each_image(transformation["apply_inversion"], x), self.value_range[1] - x, x)


class RandomGrayscale(BatchImageLayer):
    """In training, makes some images grey.

    Args:
        factor: the probability, a number in [0, 1].
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        seed: an integer, or None.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor``; at a call another rank.
    """

    _config_names = ("data_format", "factor", "seed")

    def __init__(
        self, factor: float = 0.5, data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        if not 0 <= factor <= 1:
            raise ValueError(f"`factor` should be between 0 and 1. Received: factor={factor}")
        self.factor = factor
        super().__init__(seed, data_format, **kwargs)

    def _draw(self, shape: tuple[int, ...]) -> Any:
        return self._uniform((image_count(shape), 1, 1, 1), 0.0, 1.0) < self.factor

    def _apply_to_batch(self, x: Tensor, transformation: Any) -> Tensor:
        return where(of_each_image(transformation, x), rgb_to_grayscale(x, self.data_format), x)


class RandomGaussianBlur(BatchImageLayer):
    """In training, blurs some images.

    Args:
        factor: the bounds of the probability: a pair in [0, 1], or a number for 0 and itself.
        kernel_size: the width and height of the kernel, odd numbers, or one for both.
        sigma: the bounds of the standard deviations along both axes: a pair in [0, 1], or a number for 0 and itself.
        value_range: the least and the greatest value of images.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        seed: an integer, or None.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor``, ``kernel_size`` or ``sigma``; at a call another rank.
    """

    _config_names = ("data_format", "factor", "kernel_size", "sigma", "value_range", "seed")

    def __init__(
        self,
        factor: Any = 1.0,
        kernel_size: Any = 3,
        sigma: Any = 1.0,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.factor, self.sigma = factor_range(factor, 0, 1), factor_range(sigma, 0, 1, "sigma")
        sizes = kernel_size if isinstance(kernel_size, (tuple, list)) else (kernel_size, kernel_size)
        if len(sizes) != 2 or not all(isinstance(size, int) and size > 0 and size % 2 for size in sizes):
            raise ValueError(
                f"`kernel_size` must be an odd number, or two of them. Received: kernel_size={kernel_size}"
            )
        self.kernel_size = tuple(sizes)
        self.value_range = checked_value_range(value_range)
        super().__init__(seed, data_format, **kwargs)

    def _draw(self, shape: tuple[int, ...]) -> Any:
        is_blurred = self._chosen(shape, self.factor)
        return {"should_apply_blur": is_blurred, "blur_factor": self._uniform((2,), *self.sigma) + 1e-6}

    def _apply_to_batch(self, x: Tensor, transformation: Any) -> Tensor:
        is_blurred = of_each_image(transformation["should_apply_blur"], x)
        sigma = unstack(cast(transformation["blur_factor"], x.dtype))
        blurred = gaussian_blur(x, self.kernel_size, sigma, self.data_format)
        low, high = self.value_range
        return clip_by_value(where(is_blurred, blurred, x), low, high)


class RandomColorJitter(BatchImageLayer):
    """In training, changes brightness, contrast, saturation and hue, in this order.

    Args:
        value_range: the least and the greatest value of images.
        brightness_factor, contrast_factor, saturation_factor, hue_factor: the ``factor`` of ``RandomBrightness``, ``RandomContrast``,
            ``RandomSaturation`` and ``RandomHue``; None for no change.
        seed: an integer, or None.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: a factor or ``value_range`` is one that these layers refuse; at a call another rank.
    """

    _config_names = (
        "data_format",
        "value_range",
        "brightness_factor",
        "contrast_factor",
        "saturation_factor",
        "hue_factor",
        "seed",
    )

    def __init__(
        self,
        value_range: Any = (0, 255),
        brightness_factor: Any = None,
        contrast_factor: Any = None,
        saturation_factor: Any = None,
        hue_factor: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.value_range = value_range
        self.brightness_factor, self.contrast_factor = brightness_factor, contrast_factor
        self.saturation_factor, self.hue_factor = saturation_factor, hue_factor
        super().__init__(seed, data_format, **kwargs)
        factors = {
            "random_brightness": (RandomBrightness, brightness_factor),
            "random_contrast": (RandomContrast, contrast_factor),
            "random_saturation": (RandomSaturation, saturation_factor),
            "random_hue": (RandomHue, hue_factor),
        }
        options: dict[str, Any] = {
            "value_range": value_range,
            "seed": seed,
            "data_format": data_format,
            "dtype": self.dtype_policy,
        }
        self._changes: dict[str, RandomImageLayer] = {
            name: layer(factor, **options) for name, (layer, factor) in factors.items() if factor is not None
        }

    def _draw(self, shape: tuple[int, ...]) -> Any:
        return {name: layer._draw(shape) for name, layer in self._changes.items()}

    def _apply_to_batch(self, x: Tensor, transformation: Any) -> Tensor:
        for name, layer in self._changes.items():
            x = layer._apply(x, transformation[name], None)
        return x


def _range_from_zero(factor: Any, argument: str) -> tuple[float, float]:
    low, high = factor_range(factor, 0, 1, argument)
    return (low, high) if isinstance(factor, (tuple, list)) else (0, high)


class Solarization(BatchImageLayer):
    """In training, adds a number to each image, and inverts the values above a threshold.

    Args:
        addition_factor: the bounds of the number in parts of 255: a pair in [0, 1], or a number for 0 and itself.
        threshold_factor: the bounds of the threshold, in the same form.
        value_range: the least and the greatest value of images.
        seed: an integer, or None.
        **kwargs: ``data_format``, and as in ``Layer``.

    Raises:
        ValueError: another factor or ``value_range``; at a call another rank.
    """

    _config_names = ("data_format", "value_range", "addition_factor", "threshold_factor", "seed")

    def __init__(
        self,
        addition_factor: Any = 0.0,
        threshold_factor: Any = 0.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.addition_factor = _range_from_zero(addition_factor, "addition_factor")
        self.threshold_factor = _range_from_zero(threshold_factor, "threshold_factor")
        self.value_range = checked_value_range(value_range)
        super().__init__(seed, **kwargs)

    def _draw(self, shape: tuple[int, ...]) -> Any:
        added, threshold = [
            self._number_of_each_image(shape, low, 255 * high)  # Keras multiplies the upper bound only
            for low, high in (self.addition_factor, self.threshold_factor)
        ]
        return {"additions": added, "thresholds": threshold}

    def _apply_to_batch(self, x: Tensor, transformation: Any) -> Tensor:
        added, threshold = [of_each_image(transformation[key], x, x.dtype) for key in ("additions", "thresholds")]
        x = clip_by_value(rescaled(x, self.value_range, (0, 255)) + added, 0.0, 255.0)
        return rescaled(where(x < threshold, x, 255.0 - x), (0, 255), self.value_range)


class AutoContrast(BatchImageLayer):
    """Stretches the values of each channel of each image to the whole range, also out of training.

    Args:
        value_range: the least and the greatest value of images.
        **kwargs: ``data_format``, and as in ``Layer``.

    Raises:
        ValueError: another ``value_range``; at a call another rank.
    """

    _config_names = ("data_format", "value_range")

    def __init__(self, value_range: Any = (0, 255), **kwargs: Any) -> None:
        self.value_range = checked_value_range(value_range)
        super().__init__(None, **kwargs)

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """Stretches ``images``, in training or not."""
        return super().transform_images(images, {})

    def _apply_to_batch(self, x: Tensor, transformation: Any) -> Tensor:
        axes = [self._height_axis, self._height_axis + 1]
        values = rescaled(x, self.value_range, (0, 255))
        low, high = reduce_min(values, axes, keepdims=True), reduce_max(values, axes, keepdims=True)
        scale = divide_no_nan(constant(255.0, x.dtype), high - low)
        stretched = clip_by_value(values * scale - low * scale, 0.0, 255.0)
        return where(high > low, rescaled(stretched, (0, 255), self.value_range), x)


class Equalization(BatchImageLayer):
    """In training, makes the values of each channel of a batch equally frequent.

    Args:
        value_range: the least and the greatest value of images.
        bins: the number of intervals in which values are counted.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``value_range``; at a call another rank.
    """

    _config_names = ("data_format", "bins", "value_range")

    def __init__(
        self, value_range: Any = (0, 255), bins: int = 256, data_format: str | None = None, **kwargs: Any
    ) -> None:
        self.bins, self.value_range = bins, checked_value_range(value_range)
        super().__init__(None, data_format, **kwargs)

    def _apply_to_batch(self, x: Tensor, transformation: Any) -> Tensor:
        axis = 1 if self.data_format == "channels_first" else -1
        channels = unstack(rescaled(x, self.value_range, (0, 255)), axis=axis)
        return rescaled(stack([self._equalized(channel) for channel in channels], axis), (0, 255), self.value_range)

    def _equalized(self, channel: Tensor) -> Tensor:
        last = self.bins - 1
        places = clip_by_value(cast(cast(channel, dtypes.float32) * last / 255.0, dtypes.int32), 0, last)
        counts = unsorted_segment_sum(ones_like(places, dtypes.int32), places, self.bins)  # one for each interval
        below = cumsum(counts)
        least = reduce_min(where(below > 0, below, below[-1]))
        share = cast((below - least) * 255, dtypes.float32) / cast(maximum(below[-1] - least, 1), dtypes.float32)
        table = cast(clip_by_value(rounding.round(share), 0.0, 255.0), channel.dtype)
        index = cast(clip_by_value(channel / 255.0 * last, 0.0, float(last)), dtypes.int32)
        is_even = reduce_sum(cast(counts > 0, dtypes.int32)) <= 1
        return where(is_even, channel, gather(table, index))
