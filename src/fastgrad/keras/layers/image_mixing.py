"""Images of a batch that are mixed with each other, and parts of images that are erased."""

from __future__ import annotations

from typing import Any

import fastgrad as tf
from fastgrad.core.tensor import Tensor
from fastgrad.keras.layers.image_colors import BatchImageLayer
from fastgrad.keras.layers.image_preprocessing import RandomImageLayer, checked_value_range, factor_range


def _rectangles(layer: RandomImageLayer, x: Tensor, height_share: Tensor, width_share: Tensor) -> tuple[Tensor, Tensor]:
    """Returns a rectangle at a random place of each image, as a mask, and its share of the image.

    Args:
        layer: the layer that draws.
        x: the batch of images.
        height_share, width_share: the size of the rectangles in parts of the image, shape (batch, 1, 1, 1).
    """
    insides: list[Tensor] = []
    area: Any = 1.0
    for axis, share in enumerate((height_share, width_share), layer._height_axis):
        size = x.shape[axis]
        length = share * size
        start = layer._number_of_each_image(x, 0.0, 1.0) * (size - length)
        shape = [1] * 4
        shape[axis] = size
        place = tf.reshape(tf.range(size, dtype=x.dtype), shape)
        insides.append(tf.logical_and(place >= start, place < start + length))
        area *= length / size
    return tf.logical_and(*insides), area


class _MixingLayer(BatchImageLayer):
    """The base of layers that mix each image of a batch with another one, and labels in the same shares."""

    def call(self, inputs: Any, training: bool = True) -> Any:
        """Mixes a batch in training; else returns it.

        Args:
            inputs: images, or a dict of ``"images"`` and of ``"labels"`` of shape (batch, classes), which are mixed as the images are.
            training: whether to mix.

        Raises:
            ValueError: the images have another rank, or a dict has other entries.
        """
        if not isinstance(inputs, dict):
            return super().call(inputs, training)
        unknown = sorted(inputs.keys() - {"images", "labels"})
        if "images" not in inputs or unknown:
            raise ValueError(
                f"{type(self).__name__}: a dict must have the entry 'images' and may have 'labels'; it has {sorted(inputs)}."
            )
        self._check_rank(inputs["images"])
        images = tf.cast(inputs["images"], self.compute_dtype)
        if not training or images.ndim == 3:
            return {**inputs, "images": images}
        images, order, share = self._mixed(images)
        if "labels" not in inputs:
            return {"images": images}
        labels = tf.cast(inputs["labels"], self.compute_dtype)
        share = tf.reshape(share, [-1, *[1] * (labels.ndim - 1)])
        return {"images": images, "labels": share * labels + (1.0 - share) * tf.gather(labels, order)}

    def _changed_batch(self, x: Tensor) -> Tensor:
        return self._mixed(x)[0]

    def _mixed(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns mixed images, the numbers of the images that were mixed in, and the share of the first ones."""
        raise NotImplementedError

    def _order(self, x: Tensor) -> Tensor:
        return tf.argsort(self._uniform((x.shape[0],), 0.0, 1.0))

    def _beta(self, x: Tensor, alpha: Any) -> Tensor:
        """Returns a number of the beta distribution (alpha, alpha) for each image, shape (batch, 1, 1, 1)."""
        gammas = tf.random.stateless_gamma([2, x.shape[0], 1, 1, 1], self._seed_of_draw(), tf.cast(alpha, tf.float32))
        return tf.cast(tf.math.divide_no_nan(gammas[0], gammas[0] + gammas[1]), x.dtype)


class MixUp(_MixingLayer):
    """In training, replaces each image and label by a weighted mean with another one of the batch (Zhang et al. 2018).

    Args:
        alpha: the weights are drawn from the beta distribution of (alpha, alpha).
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        seed: an integer, or None.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: at a call another rank.
    """

    _config_names = ("data_format", "alpha", "seed")

    def __init__(
        self, alpha: float = 0.2, data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        self.alpha = alpha
        super().__init__(seed, data_format, **kwargs)

    def _mixed(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        order, share = self._order(x), self._beta(x, self.alpha)
        return share * x + (1.0 - share) * tf.gather(x, order), order, share


class CutMix(_MixingLayer):
    """In training, pastes a rectangle of another image of the batch into each one, and mixes labels by area (Yun et al. 2019).

    Args:
        factor: the bounds of alpha: a pair in [0, 1], or a number for 0 and itself. The shares that images keep are drawn from the beta
            distribution of (alpha, alpha).
        seed: an integer, or None.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor``; at a call another rank.
    """

    _config_names = ("data_format", "factor", "seed")

    def __init__(
        self, factor: Any = 1.0, seed: int | None = None, data_format: str | None = None, **kwargs: Any
    ) -> None:
        self.factor = factor_range(factor, 0, 1)
        super().__init__(seed, data_format, **kwargs)

    def _mixed(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        side = tf.sqrt(1.0 - self._beta(x, self._uniform((), *self.factor) + 1e-6))
        is_pasted, area = _rectangles(self, x, side, side)
        order = self._order(x)
        return tf.where(is_pasted, tf.gather(x, order), x), order, 1.0 - area


class RandomErasing(BatchImageLayer):
    """In training, fills a rectangle of some images (Zhong et al. 2020).

    Args:
        factor: the bounds of the probability: a pair in [0, 1], or a number for 0 and itself.
        scale: the bounds of the squares of height and width of the rectangle, in parts of those of the image: in the same form.
        fill_value: a number, a list of three numbers, or None for noise of a normal distribution.
        value_range: the least and the greatest value of images.
        seed: an integer, or None.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor``, ``scale`` or ``value_range``; at a call another rank or ``fill_value``.
    """

    _config_names = ("data_format", "factor", "scale", "fill_value", "value_range", "seed")

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = (0.02, 0.33),
        fill_value: Any = None,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.factor, self.scale = factor_range(factor, 0, 1), factor_range(scale, 0, 1, "scale")
        self.fill_value, self.value_range = fill_value, checked_value_range(value_range)
        super().__init__(seed, data_format, **kwargs)

    def _changed_batch(self, x: Tensor) -> Tensor:
        sides = [tf.sqrt(self._number_of_each_image(x, *self.scale)) for _ in range(2)]
        is_erased, _ = _rectangles(self, x, *sides)
        is_erased = tf.logical_and(is_erased, self._chosen(x, self.factor))
        low, high = self.value_range
        return tf.where(is_erased, tf.clip_by_value(self._fill(x), low, high), x)

    def _fill(self, x: Tensor) -> Tensor:
        if self.fill_value is None:
            noise = tf.random.stateless_normal(x.shape, self._seed_of_draw(), dtype=x.dtype)
            return noise * self.value_range[1]
        if isinstance(self.fill_value, (tuple, list)) and len(self.fill_value) == 3:
            channels = [3, 1, 1] if self.data_format == "channels_first" else [3]
            return tf.reshape(tf.constant(self.fill_value, x.dtype), channels)
        if isinstance(self.fill_value, (int, float)):
            return tf.constant(self.fill_value, x.dtype)
        raise ValueError(
            "The `fill_value` argument should be a number (or a list of three numbers). "
            f"Received: fill_value={self.fill_value}"
        )
