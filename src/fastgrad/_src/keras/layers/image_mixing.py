"""Images of a batch that are mixed with each other, and parts of images that are erased."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.keras.layers.bounding_boxes import dense_bounding_boxes
from fastgrad._src.keras.layers.image_arguments import (
    DATA_FORMAT,
    SEED,
    VALUE_RANGE,
    Argument,
    factor_argument,
)
from fastgrad._src.keras.layers.image_layer import RandomImageLayer, broadcast_per_image, image_count
from fastgrad._src.ops import creation
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.clipping import clip_by_value
from fastgrad._src.ops.comparison import logical_and
from fastgrad._src.ops.creation import constant
from fastgrad._src.ops.division import divide_no_nan
from fastgrad._src.ops.indexing import gather
from fastgrad._src.ops.joining import concat
from fastgrad._src.ops.power import sqrt
from fastgrad._src.ops.random_stateless import stateless_gamma, stateless_normal
from fastgrad._src.ops.selection import where
from fastgrad._src.ops.shaping import reshape
from fastgrad._src.ops.sorting import argsort


def _draw_rectangles(
    layer: RandomImageLayer, shape: tuple[int, ...], height_share: Tensor, width_share: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns a rectangle at a random place of each image, as a mask, and its share of the image.

    Args:
        layer: the layer that draws.
        shape: of the images.
        height_share, width_share: the size of the rectangles in parts of the image, shape (batch, 1, 1, 1).
    """
    insides: list[Tensor] = []
    area: Any = 1.0
    for axis, share in enumerate((height_share, width_share), layer._height_axis):
        size = shape[axis]
        length = share * size
        start = layer._uniform((image_count(shape), 1, 1, 1), 0.0, 1.0) * (size - length)
        place = reshape(
            creation.range(size, dtype=length.dtype), [size if each == axis else 1 for each in range(-4, 0)]
        )
        insides.append(logical_and(place >= start, place < start + length))
        area *= length / size
    return logical_and(*insides), area


class _MixingLayer(RandomImageLayer):
    """The base of layers that mix each image of a batch with another one, and labels in the same shares."""

    def transform_labels(self, labels: Any, transformation: Any = None, training: bool = True) -> Any:
        """Mixes labels in the shares of the images.

        Args:
            labels: shape (batch, ...), such as (batch, classes) of one-hot rows.
            transformation: of ``get_random_transformation``; None for no change.
            training: False for no change.

        Returns:
            Labels of the layer's compute dtype.
        """
        x = cast(convert_to_tensor(labels), self.compute_dtype)
        return self._mix_with_permuted(x, transformation) if training and transformation is not None else x

    def _mix_with_permuted(self, x: Tensor, transformation: Any) -> Tensor:
        share = reshape(cast(transformation["mix_weight"], x.dtype), [-1, *[1] * max(x.ndim - 1, 0)])
        return share * x + (1.0 - share) * gather(x, transformation["permutation_order"])

    def _draw_permutation(self, shape: tuple[int, ...]) -> Tensor:
        return argsort(self._uniform((image_count(shape),), 0.0, 1.0))

    def _draw_beta(self, shape: tuple[int, ...], alpha: Any) -> Tensor:
        """Returns a number of the beta distribution (alpha, alpha) for each image, shape (batch,)."""
        sizes = [2, image_count(shape)]
        gammas = stateless_gamma(sizes, self._seed_of_draw(), cast(alpha, dtypes.float32))
        return cast(divide_no_nan(gammas[0], gammas[0] + gammas[1]), self.compute_dtype)


class MixUp(_MixingLayer, arguments=(Argument("alpha", "float", 0.2), DATA_FORMAT, SEED)):
    """In training, replaces each image and label by a weighted mean with another one of the batch (Zhang et al. 2018).

    Args:
        alpha: the weights are drawn from the beta distribution of (alpha, alpha).
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        seed: an integer, or None.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: at a call another rank.
    """

    alpha: float

    def _draw(self, shape: tuple[int, ...]) -> Any:
        return {"permutation_order": self._draw_permutation(shape), "mix_weight": self._draw_beta(shape, self.alpha)}

    def _apply(self, x: Tensor, transformation: Any, interpolation: str | None) -> Tensor:
        share = reshape(cast(transformation["mix_weight"], x.dtype), [-1, 1, 1, 1])
        return share * x + (1.0 - share) * gather(x, transformation["permutation_order"])

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """Mixes masks as images, in the layer's compute dtype; arguments as in ``transform_images``."""
        return self.transform_images(segmentation_masks, transformation, training)

    def transform_bounding_boxes(self, bounding_boxes: Any, transformation: Any = None, training: bool = True) -> Any:
        """Appends the boxes and labels of the image that was mixed in.

        Args:
            bounding_boxes: a dict of ``"boxes"``, shape (batch, boxes, 4), and ``"labels"``, shape (batch, boxes).
            transformation: of ``get_random_transformation``; None for no change.
            training: False for no change.

        Returns:
            A dict of twice as many boxes and labels for each image.
        """
        if not training or transformation is None:
            return bounding_boxes
        order = cast(transformation["permutation_order"], dtypes.int32)
        dense = dense_bounding_boxes(bounding_boxes)
        return {
            **dense,
            **{
                key: concat([dense[key], gather(dense[key], order)], min(1, dense[key].ndim - 1))
                for key in ("boxes", "labels")
            },
        }


class CutMix(_MixingLayer, arguments=(factor_argument(0, 1, 1.0), SEED, DATA_FORMAT)):
    """In training, pastes a rectangle of another image of the batch into each one, and mixes labels by area (Yun et al. 2019).

    Args:
        factor: the bounds of alpha: a pair in [0, 1], or a number for 0 and itself. The fraction of the area that an image keeps is
            drawn from the beta distribution of (alpha, alpha).
        seed: an integer, or None.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor``; at a call another rank.
    """

    def _draw(self, shape: tuple[int, ...]) -> Any:
        if len(shape) == 3:
            return None  # there is no other image
        side = sqrt(1.0 - self._draw_beta(shape, self._uniform((), *self.factor) + 1e-6))[:, None, None, None]
        is_pasted, area = _draw_rectangles(self, shape, side, side)
        return {"permutation_order": self._draw_permutation(shape), "batch_masks": is_pasted, "mix_weight": 1.0 - area}

    def _apply(self, x: Tensor, transformation: Any, interpolation: str | None) -> Tensor:
        return where(transformation["batch_masks"], gather(x, transformation["permutation_order"]), x)

    _moves_pixels = True

    def transform_bounding_boxes(self, bounding_boxes: Any, transformation: Any = None, training: bool = True) -> Any:
        """Raises NotImplementedError: a box that is partly covered by a rectangle is no box."""
        raise NotImplementedError(
            "CutMix: bounding boxes can't be mixed, because what a rectangle covers of a box is no box; use MixUp."
        )


class RandomErasing(
    RandomImageLayer,
    arguments=(
        factor_argument(0, 1, 1.0),
        factor_argument(0, 1, (0.02, 0.33), "scale"),
        Argument("fill_value", default=None),
        VALUE_RANGE,
        SEED,
        DATA_FORMAT,
    ),
):
    """In training, fills a rectangle of some images (Zhong et al. 2020).

    Args:
        factor: the bounds of the probability: a pair in [0, 1], or a number for 0 and itself.
        scale: the bounds of the squared ratio of the rectangle's height to the image's, and of its width, in the same form.
        fill_value: a number, a list of three numbers, or None for noise of a normal distribution.
        value_range: the least and the greatest value of images.
        seed: an integer, or None.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor``, ``scale`` or ``value_range``; at a call another rank or ``fill_value``.
    """

    scale: tuple[float, float]

    def _draw(self, shape: tuple[int, ...]) -> Any:
        images = image_count(shape)
        sides = [sqrt(self._uniform((images, 1, 1, 1), *self.scale)) for _ in range(2)]
        is_erased, _ = _draw_rectangles(self, shape, *sides)
        low, high = self.value_range
        return {
            "apply_erasing": self._draw_selection(shape, self.factor),
            "batch_masks": is_erased,
            "fill_value": clip_by_value(self._fill_values(shape), low, high),
        }

    def _apply(self, x: Tensor, transformation: Any, interpolation: str | None) -> Tensor:
        is_erased = logical_and(transformation["batch_masks"], broadcast_per_image(transformation["apply_erasing"], x))
        return where(is_erased, cast(transformation["fill_value"], x.dtype), x)

    def _fill_values(self, shape: tuple[int, ...]) -> Tensor:
        if self.fill_value is None:
            noise = stateless_normal(shape, self._seed_of_draw(), dtype=self.compute_dtype)
            return noise * self.value_range[1]
        if isinstance(self.fill_value, (tuple, list)) and len(self.fill_value) == 3:
            channels = [3, 1, 1] if self.data_format == "channels_first" else [3]
            return reshape(constant(self.fill_value, self.compute_dtype), channels)
        if isinstance(self.fill_value, (int, float)):
            return constant(self.fill_value, self.compute_dtype)
        raise ValueError(
            "The `fill_value` argument should be a number (or a list of three numbers). "
            f"Received: fill_value={self.fill_value}"
        )
