"""Images resized and cropped, and in training changed at random: flips, crops, contrast."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.keras.image_axes import apply_channels_last
from fastgrad._src.keras.image_resizing import center_crop_box, check_proportions, padding_offsets, resized_images
from fastgrad._src.keras.layers.bounding_boxes import scaled_boxes
from fastgrad._src.keras.layers.image_arguments import (
    ANY_VALUE_RANGE,
    DATA_FORMAT,
    FILL_VALUE,
    SEED,
    SIZE,
    Argument,
    factor_argument,
)
from fastgrad._src.keras.layers.image_layer import ImageLayer, RandomImageLayer, broadcast_per_image
from fastgrad._src.ops import namespace as ops


class _SizeLayer(ImageLayer):
    """The base of layers that give images a size, in training or not."""

    _moves_pixels = True

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """Changes masks as images, in training or not; where their size changes, by the nearest pixels."""
        return self._apply(convert_to_tensor(segmentation_masks), transformation, "nearest")

    def transform_bounding_boxes(self, bounding_boxes: Any, transformation: Any = None, training: bool = True) -> Any:
        """Moves boxes with the pixels, in training or not; arguments as in ``ImageLayer``."""
        return super().transform_bounding_boxes(bounding_boxes, transformation)


class Resizing(
    _SizeLayer,
    arguments=(
        *SIZE,
        Argument("interpolation", "str", "bilinear"),
        Argument("crop_to_aspect_ratio", "bool", False),
        Argument("pad_to_aspect_ratio", "bool", False),
        Argument("fill_mode", "str", "constant"),
        FILL_VALUE,
        Argument("antialias", "bool", False, lambda layer, argument, value: bool(value)),
        DATA_FORMAT,
    ),
):
    """Resizes images.

    Args:
        height, width: the size of the result.
        interpolation: ``"bilinear"``, ``"nearest"``, ``"bicubic"``, ``"lanczos3"`` or ``"lanczos5"``.
        crop_to_aspect_ratio: whether the image is first cropped to its largest central part with the aspect ratio of the result.
        pad_to_aspect_ratio: whether the image keeps its aspect ratio and is padded with ``fill_value``.
        fill_mode: ``"constant"``.
        fill_value: a number.
        antialias: as in ``tf.image.resize``.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Raises:
        TypeError: ``height`` or ``width`` is no integer.
        ValueError: a size is not positive, ``fill_mode`` is another, or both aspect ratio options are set; at a call another rank or interpolation.
    """

    crop_to_aspect_ratio: bool
    pad_to_aspect_ratio: bool
    antialias: bool

    def _finish_init(self) -> None:
        check_proportions(self.crop_to_aspect_ratio, self.pad_to_aspect_ratio, self.fill_mode)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Returns the height and width of ``data``, images or a dict with images; nothing in it is random."""
        return self._size(super().get_random_transformation(data)["input_shape"])

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """Resizes ``images``, in training or not; integers are rounded. The result has their dtype."""
        return self._apply(convert_to_tensor(images), transformation, self.interpolation)

    def _image_size(self, transformation: Any) -> tuple[Any, Any]:
        return transformation

    def _moved_boxes(self, boxes: Tensor, transformation: Any) -> Tensor:
        height, width = transformation
        top, left = 0, 0
        if self.crop_to_aspect_ratio:
            top, left, height, width = center_crop_box(transformation, (self.height, self.width))
        elif self.pad_to_aspect_ratio:
            top, left = padding_offsets(transformation, (self.height, self.width))
            top, left, height, width = -top, -left, height + 2 * top, width + 2 * left
        return scaled_boxes(boxes, top, left, self.height / height, self.width / width)

    def _apply(self, x: Tensor, transformation: Any, interpolation: str | None) -> Tensor:
        options = self.crop_to_aspect_ratio, self.pad_to_aspect_ratio, self.fill_value, self.antialias
        target, interpolation = (self.height, self.width), interpolation or self.interpolation
        return apply_channels_last(lambda x: resized_images(x, target, interpolation, *options), x, self.data_format)


class CenterCrop(_SizeLayer, arguments=(*SIZE, DATA_FORMAT)):
    """Crops the central part of images; smaller images are cropped to the aspect ratio of the result, and resized.

    Args:
        height, width: the size of the result.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Raises:
        TypeError: ``height`` or ``width`` is no integer.
        ValueError: one of them is not positive; at a call another rank.
    """

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """Crops ``images``, in training or not."""
        return self._apply(ops.cast(convert_to_tensor(images), self.compute_dtype), transformation, "bilinear")

    def _moved_boxes(self, boxes: Tensor, transformation: Any) -> Tensor:
        height, width = self._image_size(transformation)
        top, left = (height - self.height) // 2, (width - self.width) // 2
        if min(top, left) >= 0:
            return scaled_boxes(boxes, top, left, 1.0, 1.0)
        return _boxes_of_middle(boxes, (height, width), (self.height, self.width))

    def _apply(self, x: Tensor, transformation: Any, interpolation: str | None) -> Tensor:
        height, width = self._size(x.shape)
        top, left = (height - self.height) // 2, (width - self.width) // 2
        if min(top, left) < 0:
            return _resize_and_center_crop(x, (self.height, self.width), interpolation, self.data_format)
        key = [slice(None)] * x.ndim
        for axis, start, length in ((0, top, self.height), (1, left, self.width)):
            key[x.ndim + self._height_axis + axis] = slice(start, start + length)
        return x[tuple(key)]


def _resize_and_center_crop(x: Tensor, target: tuple[int, int], interpolation: str | None, data_format: str) -> Tensor:
    """Returns the middle of images with the proportions of ``target``, resized to it."""
    from fastgrad._src.keras.preprocessing.image import smart_resize  # which imports models, which have layers

    resized = smart_resize(x, target, interpolation or "bilinear", data_format=data_format)
    return ops.cast(resized, x.dtype)


def _boxes_of_middle(boxes: Tensor, size: tuple[Any, Any], target: tuple[int, int]) -> Tensor:
    """Returns boxes as ``_resize_and_center_crop`` moves what is inside of them."""
    top, left, height, width = center_crop_box(size, target)
    return scaled_boxes(boxes, top, left, target[0] / height, target[1] / width)


class RandomFlip(RandomImageLayer, arguments=(Argument("mode", "str", "horizontal_and_vertical"), SEED, DATA_FORMAT)):
    """In training, flips each image with probability 1/2, along all axes of ``mode`` together.

    Args:
        mode: ``"horizontal"``, ``"vertical"`` or ``"horizontal_and_vertical"``.
        seed: an integer, or None.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.

    Example:
        >>> flip = tf.keras.layers.RandomFlip("horizontal")
        >>> flip(tf.ones((2, 8, 8, 3)), training=True).shape
        TensorShape([2, 8, 8, 3])
    """

    mode: str
    _moves_pixels = True

    def _draw(self, shape: tuple[int, ...]) -> Any:
        return {"flips": self._number_of_each_image(shape, 0.0, 1.0) <= 0.5, "input_shape": shape}

    @property
    def _flipped_axes(self) -> tuple[int, ...]:
        """0 for the height, 1 for the width."""
        return {"horizontal": (1,), "vertical": (0,), "horizontal_and_vertical": (1, 0)}.get(self.mode, ())

    def _apply(self, x: Tensor, transformation: Any, interpolation: str | None) -> Tensor:
        flipped = ops.reverse(x, [self._height_axis + axis for axis in self._flipped_axes])
        return ops.where(broadcast_per_image(transformation["flips"], x), flipped, x)

    def _moved_boxes(self, boxes: Tensor, transformation: Any) -> Tensor:
        flipped = boxes
        height, width = [ops.cast(size, boxes.dtype) for size in self._image_size(transformation)]
        for axis in self._flipped_axes:
            left, top, right, bottom = ops.unstack(flipped, axis=-1)
            corners = (
                [width - right, top, width - left, bottom] if axis else [left, height - bottom, right, height - top]
            )
            flipped = ops.stack(corners, -1)
        return ops.where(ops.reshape(transformation["flips"], [-1, 1, 1]), flipped, boxes)


class RandomCrop(RandomImageLayer, arguments=(*SIZE, SEED, DATA_FORMAT)):
    """In training, crops a part of the images at a random position; smaller images are cropped and resized.

    Args:
        height, width: the size of the result.
        seed: an integer, or None.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        **kwargs: as in ``Layer``.
    """

    _moves_pixels = True

    def _draw(self, shape: tuple[int, ...]) -> Any:
        sizes, targets = self._size(shape), (self.height, self.width)
        if not all(size > target for size, target in zip(sizes, targets, strict=True)):
            return {"start": None, "input_shape": shape}
        # The place is a tensor, so that a compiled step draws another one each time.
        start = [
            ops.cast(self._uniform((), 0.0, float(size - target + 1)), dtypes.int32)
            for size, target in zip(sizes, targets, strict=True)
        ]
        return {"start": start, "input_shape": shape}

    def _apply(self, x: Tensor, transformation: Any, interpolation: str | None) -> Tensor:
        targets = self.height, self.width
        if transformation["start"] is None:
            return _resize_and_center_crop(x, targets, interpolation, self.data_format)
        starts = transformation["start"]
        for axis, (start, target) in enumerate(zip(starts, targets, strict=True), x.ndim + self._height_axis):
            x = ops.gather(x, start + ops.range(target), axis=axis)
        return x

    def _moved_boxes(self, boxes: Tensor, transformation: Any) -> Tensor:
        if transformation["start"] is None:
            return _boxes_of_middle(boxes, self._image_size(transformation), (self.height, self.width))
        top, left = transformation["start"]
        return scaled_boxes(boxes, top, left, 1.0, 1.0)


class RandomContrast(RandomImageLayer, arguments=(factor_argument(0), ANY_VALUE_RANGE, SEED)):
    """In training, multiplies the distance of each pixel from the mean of its channel, and clips the result.

    Args:
        factor: the bounds of the multiplier, [1 - factor, 1 + factor): a pair (lower, upper), or one number in [0, 1] for both.
        value_range: the least and the greatest value of images.
        seed: an integer, or None.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: another ``factor``.
    """

    def _draw(self, shape: tuple[int, ...]) -> Any:
        return {"contrast_factor": self._number_of_each_image(shape, 1.0 - self.factor[0], 1.0 + self.factor[1])}

    def _apply(self, x: Tensor, transformation: Any, interpolation: str | None) -> Tensor:
        factor = broadcast_per_image(transformation["contrast_factor"], x, x.dtype)
        mean = ops.reduce_mean(x, [self._height_axis, self._height_axis + 1], keepdims=True)
        return ops.clip_by_value((x - mean) * factor + mean, *self.value_range)
