"""Raw operations on images and boxes that no public function computes alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.compat.raw_ops.composed import pullback
from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError, UnimplementedError
from fastgrad._src.core.tensor import convert_to_tensor
from fastgrad._src.image.geometry import resize
from fastgrad._src.image.projection import projective_transform
from fastgrad._src.image.suppression import non_max_suppression_with_scores
from fastgrad._src.ops import namespace as ops

_METHODS_OF_OLD_CENTRES = ("bilinear", "nearest")


def resized(method: str, images: Any, size: Any, align_corners: bool, half_pixel_centers: bool) -> Any:
    """Images of another size; with neither option the centre of a pixel is its upper left corner.

    Raises:
        UnimplementedError: bicubic without ``half_pixel_centers``.
        InvalidArgumentError: both options.
    """
    if align_corners and half_pixel_centers:
        raise InvalidArgumentError(None, None, "Resize: If half_pixel_centers is True, align_corners must be False.")
    if half_pixel_centers:
        return resize(images, size, method)
    if method not in _METHODS_OF_OLD_CENTRES:
        raise UnimplementedError(
            None, None, f"Resize: {method} needs half_pixel_centers=True; use bilinear or nearest without it."
        )
    x = convert_to_tensor(images)
    for axis, new_size in zip((1, 2), ops.as_python_ints(size, "Resize: size"), strict=True):
        old_size = x.shape[axis]
        scale = np.float32(old_size) / np.float32(new_size)
        if align_corners and new_size > 1:
            scale = np.float32(old_size - 1) / np.float32(new_size - 1)
        places = np.arange(new_size, dtype=np.float32) * scale
        if method == "nearest":
            # C rounds halves away from 0.
            whole = np.floor(places + np.float32(0.5)) if align_corners else np.floor(places)
            x = ops.gather(x, np.minimum(whole, old_size - 1).astype(np.int32), axis=axis)
            continue
        x = ops.cast(x, dtypes.float32)
        low = np.floor(places).astype(np.int32)
        upper = ops.gather(x, np.minimum(low + 1, old_size - 1), axis=axis)
        lower = ops.gather(x, low, axis=axis)
        x = lower + (upper - lower) * np.reshape(places - low, [-1 if axis == other else 1 for other in range(4)])
    return x


def resized_by_area(images: Any, size: Any, align_corners: bool) -> Any:
    """Images of another size, whose pixels are means of areas; ``align_corners`` must be False."""
    if align_corners:
        raise UnimplementedError(None, None, "ResizeArea: align_corners=True is not there; use ResizeBilinear.")
    return resize(images, size, "area")


def resize_gradient(method: str, grads: Any, original_image: Any, align_corners: bool, half_pixel_centers: bool) -> Any:
    """The cotangent of images that were resized."""
    size = ops.shape(grads)[1:3]
    return pullback(lambda x: resized(method, x, size, align_corners, half_pixel_centers), original_image, grads)


def resize_nearest_gradient(grads: Any, size: Any, align_corners: bool, half_pixel_centers: bool) -> Any:
    """The cotangent of images of the size ``size`` that were resized to their nearest pixels."""
    grads = convert_to_tensor(grads)
    height, width = ops.as_python_ints(size, "ResizeNearestNeighborGrad: size")
    zeros = ops.zeros([grads.shape[0], height, width, grads.shape[3]], grads.dtype)
    return resize_gradient("nearest", grads, zeros, align_corners, half_pixel_centers)


def image_transform(
    images: Any, transforms: Any, output_shape: Any, fill_value: Any, interpolation: str, fill_mode: str
) -> Any:
    """Images whose pixels are at other places, given by a projective transform for each image or for all.

    Raises:
        UnimplementedError: ``output_shape`` is not the size of the images.
    """
    images = convert_to_tensor(images)
    sizes = ops.as_python_ints(output_shape, "ImageProjectiveTransform: output_shape")
    if sizes != tuple(images.shape[1:3]):
        raise UnimplementedError(
            None,
            None,
            f"ImageProjectiveTransform: the output shape must be that of the images, {list(images.shape[1:3])}, got {list(sizes)}.",
        )
    matrices = convert_to_tensor(transforms, dtypes.float32)
    return projective_transform(images, matrices, interpolation.lower(), fill_mode.lower(), fill_value)


def suppressed(
    boxes: Any, scores: Any, most: Any, iou_threshold: Any, score_threshold: Any, sigma: Any, pad: bool
) -> tuple[Any, Any, Any]:
    """The indices and scores of the boxes that stay, with zeros behind if ``pad`` is set, and the number of these boxes."""
    indices, kept = non_max_suppression_with_scores(boxes, scores, most, iou_threshold, score_threshold, sigma)
    count = ops.size(indices)
    if pad:
        missing = [[0, most - count]]
        indices, kept = ops.pad(indices, missing), ops.pad(kept, missing)
    return indices, kept, count


def suppressed_without_scores(*arguments: Any) -> tuple[Any, Any]:
    """The indices of the boxes that stay, and their number."""
    indices, _, count = suppressed(*arguments)
    return indices, count
