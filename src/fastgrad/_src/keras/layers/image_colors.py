"""Colours and sharpness of images that change: hue, saturation, grey, posters, inversion, contrast, blur."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.image.colors import hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv
from fastgrad._src.keras import settings
from fastgrad._src.keras.layers.image_arguments import (
    ANY_VALUE_RANGE,
    DATA_FORMAT,
    SEED,
    VALUE_RANGE,
    Argument,
    factor_argument,
    factor_range,
    number_argument,
)
from fastgrad._src.keras.layers.image_layer import BatchImageLayer, RandomImageLayer, broadcast_per_image, image_count
from fastgrad._src.keras.layers.image_preprocessing import RandomBrightness, RandomContrast
from fastgrad._src.keras.ops.image import gaussian_blur
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


def rescaled(x: Tensor, old: Any, new: Any) -> Tensor:
    """Returns values of the range ``old`` as values of the range ``new``."""
    if list(old) == list(new):
        return x
    return (x - old[0]) / (old[1] - old[0]) * (new[1] - new[0]) + new[0]


_FURTHER_ARGUMENTS = VALUE_RANGE, DATA_FORMAT, SEED


class _FactorOfColors(RandomImageLayer):
    """The base of layers that draw ``factor`` for each image."""

    def _draw(self, shape: tuple[int, ...]) -> Any:
        return {"factor": self._uniform((image_count(shape),), *self.factor)}

    def _clipped_to_value_range(self, x: Tensor) -> Tensor:
        low, high = self.value_range
        return clip_by_value(x, low, high)


class RandomHue(_FactorOfColors, BatchImageLayer, arguments=(factor_argument(-1, 1), *_FURTHER_ARGUMENTS)):
    """In training, rotates the hues of each image by a random angle, in one of the two directions.

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
        turn = broadcast_per_image(transformation["factor"], x, x.dtype)
        hue, saturation, value = split(rgb_to_hsv(rescaled(x, self.value_range, (0, 1))), 3, -1)
        hue += turn
        hue = where(hue > 1.0, hue - 1.0, hue)
        hue = where(hue < 0.0, hue + 1.0, hue)
        rgb = hsv_to_rgb(concat([hue, saturation, value], -1))
        return rescaled(clip_by_value(rgb, 0.0, 1.0), (0, 1), self.value_range)


class RandomSaturation(_FactorOfColors, BatchImageLayer, arguments=(factor_argument(-1, 1), *_FURTHER_ARGUMENTS)):
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
        factor = broadcast_per_image(transformation["factor"], x, x.dtype)
        hue, saturation, value = split(rgb_to_hsv(x), 3, -1)
        saturation = self._clipped_to_value_range(saturation * factor)
        return hsv_to_rgb(concat([hue, saturation, value], -1))


class RandomColorDegeneration(
    _FactorOfColors, BatchImageLayer, arguments=(factor_argument(-1, 1), *_FURTHER_ARGUMENTS)
):
    """In training, mixes each image with its grey version: 0 changes nothing, 1 makes the image grey.

    Args:
        factor: the bounds of the fraction of grey: a pair in [-1, 1], or a number for both sides of 0.
        value_range: the least and the greatest value of images.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        seed: an integer, or None.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor`` or ``value_range``; at a call another rank.
    """

    def _apply_to_batch(self, x: Tensor, transformation: Any) -> Tensor:
        grey = rgb_to_grayscale(x)
        return self._clipped_to_value_range(x + broadcast_per_image(transformation["factor"], x, x.dtype) * (grey - x))


class RandomPosterization(_FactorOfColors, arguments=(factor_argument(1, 8), *_FURTHER_ARGUMENTS)):
    """In training, keeps only the highest bits of the values, as 8-bit numbers.

    Args:
        factor: the bounds of the number of bits, the upper one excluded: a pair in [1, 8], or a number for 1 and itself.
        value_range: the least and the greatest value of images.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        seed: an integer, or None.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor`` or ``value_range``; at a call another rank.
    """

    def _draw(self, shape: tuple[int, ...]) -> Any:
        return {"shift_factor": cast(8.0 - floor(super()._draw(shape)["factor"]), dtypes.uint8)}

    def _apply(self, x: Tensor, transformation: Any, interpolation: str | None) -> Tensor:
        step = 2.0 ** broadcast_per_image(transformation["shift_factor"], x, dtypes.float32)
        values = floor(cast(rescaled(x, self.value_range, (0, 255)), dtypes.float32))
        return rescaled(cast(floor(values / step) * step, x.dtype), (0, 255), self.value_range)


class RandomSharpness(_FactorOfColors, BatchImageLayer, arguments=(factor_argument(0, 1), *_FURTHER_ARGUMENTS)):
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

    def _apply_to_batch(self, x: Tensor, transformation: Any) -> Tensor:
        factor = 2.0 * broadcast_per_image(transformation["factor"], x, x.dtype)
        kernel = constant([[1.0, 1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]], x.dtype) / 13.0
        kernel = tile(kernel[:, :, None, None], [1, 1, x.shape[-1], 1])
        smooth = depthwise_conv2d(x, kernel, [1, 1, 1, 1], "SAME")
        return self._clipped_to_value_range(x + (1.0 - factor) * (smooth - x))


class RandomInvert(_FactorOfColors, arguments=(factor_argument(0, 1, 1.0), VALUE_RANGE, SEED, DATA_FORMAT)):
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

    def _draw(self, shape: tuple[int, ...]) -> Any:
        return {"apply_inversion": self._draw_selection(shape, self.factor)}

    def _apply(self, x: Tensor, transformation: Any, interpolation: str | None) -> Tensor:
        return where(broadcast_per_image(transformation["apply_inversion"], x), self.value_range[1] - x, x)


class RandomGrayscale(BatchImageLayer, arguments=(number_argument("factor", 0, 1, 0.5), DATA_FORMAT, SEED)):
    """In training, makes some images grey.

    Args:
        factor: the probability, a number in [0, 1].
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        seed: an integer, or None.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor``; at a call another rank.
    """

    def _draw(self, shape: tuple[int, ...]) -> Any:
        return self._uniform((image_count(shape), 1, 1, 1), 0.0, 1.0) < self.factor

    def _apply_to_batch(self, x: Tensor, transformation: Any) -> Tensor:
        return where(broadcast_per_image(transformation, x), rgb_to_grayscale(x), x)


def _odd_sizes(layer: str, argument: str, value: Any) -> tuple[int, int]:
    sizes = value if isinstance(value, (tuple, list)) else (value, value)
    if len(sizes) != 2 or not all(isinstance(size, int) and size > 0 and size % 2 for size in sizes):
        raise ValueError(f"`{argument}` must be an odd number, or two of them. Received: {argument}={value}")
    return tuple(sizes)


class RandomGaussianBlur(
    BatchImageLayer,
    arguments=(
        factor_argument(0, 1, 1.0),
        Argument("kernel_size", default=3, check=_odd_sizes),
        factor_argument(0, 1, 1.0, "sigma"),
        VALUE_RANGE,
        DATA_FORMAT,
        SEED,
    ),
):
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

    kernel_size: tuple[int, int]
    sigma: tuple[float, float]

    def _draw(self, shape: tuple[int, ...]) -> Any:
        is_blurred = self._draw_selection(shape, self.factor)
        return {"should_apply_blur": is_blurred, "blur_factor": self._uniform((2,), *self.sigma) + 1e-6}

    def _apply_to_batch(self, x: Tensor, transformation: Any) -> Tensor:
        is_blurred = broadcast_per_image(transformation["should_apply_blur"], x)
        sigma = unstack(cast(transformation["blur_factor"], x.dtype))
        blurred = gaussian_blur(x, self.kernel_size, sigma, "channels_last")
        low, high = self.value_range
        return clip_by_value(where(is_blurred, blurred, x), low, high)


_JITTER = {
    "brightness": RandomBrightness,
    "contrast": RandomContrast,
    "saturation": RandomSaturation,
    "hue": RandomHue,
}


class RandomColorJitter(
    RandomImageLayer,
    arguments=(
        ANY_VALUE_RANGE,
        *[Argument(f"{name}_factor", default=None) for name in _JITTER],
        SEED,
        DATA_FORMAT,
    ),
):
    """In training, changes brightness, contrast, saturation and hue, in this order.

    Args:
        value_range: the least and the greatest value of images.
        brightness_factor, contrast_factor, saturation_factor, hue_factor: the ``factor`` of ``RandomBrightness``, ``RandomContrast``,
            ``RandomSaturation`` and ``RandomHue``; None for no change.
        seed: an integer, or None.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: a factor or ``value_range`` that these layers do not accept; at a call another rank.
    """

    def _finish_init(self) -> None:
        options = {"dtype": self.dtype_policy, **self._config_of(("value_range", "seed", "data_format"))}
        factors = {name: getattr(self, f"{name}_factor") for name in _JITTER}
        self._changes: dict[str, RandomImageLayer] = {
            f"random_{name}": layer(factors[name], **options)
            for name, layer in _JITTER.items()
            if factors[name] is not None
        }

    def _draw(self, shape: tuple[int, ...]) -> Any:
        return {name: layer._draw(shape) for name, layer in self._changes.items()}

    def _apply(self, x: Tensor, transformation: Any, interpolation: str | None) -> Tensor:
        for name, layer in self._changes.items():
            x = layer._apply(x, transformation[name], None)
        return x


def _factor_from_zero(name: str) -> Argument:
    def check(layer: str, argument: str, value: Any) -> tuple[float, float]:
        low, high = factor_range(value, 0, 1, argument)
        return (low, high) if isinstance(value, (tuple, list)) else (0, high)

    return Argument(name, default=0.0, check=check)


class Solarization(
    RandomImageLayer,
    arguments=(_factor_from_zero("addition_factor"), _factor_from_zero("threshold_factor"), VALUE_RANGE, SEED),
):
    """In training, adds a number to each image, and inverts the values above a threshold.

    Args:
        addition_factor: the bounds of the number, as a fraction of 255: a pair in [0, 1], or a number for 0 and itself.
        threshold_factor: the bounds of the threshold, in the same form.
        value_range: the least and the greatest value of images.
        seed: an integer, or None.
        **kwargs: ``data_format``, and as in ``Layer``.

    Raises:
        ValueError: another factor or ``value_range``; at a call another rank.
    """

    _config_names = ("data_format", "value_range", "addition_factor", "threshold_factor", "seed")
    addition_factor: tuple[float, float]
    threshold_factor: tuple[float, float]

    def _draw(self, shape: tuple[int, ...]) -> Any:
        added, threshold = [
            self._number_of_each_image(shape, low, 255 * high)  # Keras multiplies the upper bound only
            for low, high in (self.addition_factor, self.threshold_factor)
        ]
        return {"additions": added, "thresholds": threshold}

    def _apply(self, x: Tensor, transformation: Any, interpolation: str | None) -> Tensor:
        added, threshold = [broadcast_per_image(transformation[key], x, x.dtype) for key in ("additions", "thresholds")]
        x = clip_by_value(rescaled(x, self.value_range, (0, 255)) + added, 0.0, 255.0)
        return rescaled(where(x < threshold, x, 255.0 - x), (0, 255), self.value_range)


class AutoContrast(RandomImageLayer, arguments=(VALUE_RANGE,)):
    """Stretches the values of each channel of each image to the whole range, in training and in inference.

    Args:
        value_range: the least and the greatest value of images.
        **kwargs: ``data_format``, and as in ``Layer``.

    Raises:
        ValueError: another ``value_range``; at a call another rank.
    """

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """Stretches ``images``, in training or not."""
        return super().transform_images(images, {})

    def _apply(self, x: Tensor, transformation: Any, interpolation: str | None) -> Tensor:
        axes = [self._height_axis, self._height_axis + 1]
        values = rescaled(x, self.value_range, (0, 255))
        low, high = reduce_min(values, axes, keepdims=True), reduce_max(values, axes, keepdims=True)
        scale = divide_no_nan(constant(255.0, x.dtype), high - low)
        stretched = clip_by_value(values * scale - low * scale, 0.0, 255.0)
        return where(high > low, rescaled(stretched, (0, 255), self.value_range), x)


class Equalization(RandomImageLayer, arguments=(VALUE_RANGE, Argument("bins", "int", 256), DATA_FORMAT)):
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
    bins: int

    def _apply(self, x: Tensor, transformation: Any, interpolation: str | None) -> Tensor:
        axis = -3 if self.data_format == "channels_first" else -1
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
