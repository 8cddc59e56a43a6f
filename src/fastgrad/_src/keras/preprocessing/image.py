"""``keras.preprocessing.image``: images as arrays and files, and ``smart_resize``."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_choice, require
from fastgrad._src.core.errors import InvalidArgumentError, OutOfMemoryError
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.image import resampling
from fastgrad._src.keras.settings import standardize_data_format
from fastgrad._src.keras.utils.images import array_to_img as array_to_img
from fastgrad._src.keras.utils.images import img_to_array as img_to_array
from fastgrad._src.keras.utils.images import load_img as load_img
from fastgrad._src.keras.utils.images import save_img as save_img
from fastgrad._src.ops.casting import cast

_INTERPOLATION_METHODS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5")


def smart_resize(
    x: Any,
    size: Any,
    interpolation: str = "bilinear",
    data_format: str | None = "channels_last",
    backend_module: Any = None,
) -> Any:
    """Resizes images without distortion: crops the largest middle part with the aspect ratio of ``size`` first.

    Args:
        x: an image or a batch of them, an array or a tensor: shape (..., height, width, channels), or with the channels first.
        size: (height, width).
        interpolation: ``"bilinear"``, ``"nearest"``, ``"bicubic"``, ``"area"``, ``"lanczos3"`` or ``"lanczos5"``.
        data_format: ``"channels_last"`` or ``"channels_first"``; None: ``image_data_format()``.
        backend_module: kept for Keras's signature.

    Returns:
        float32 (with ``"nearest"`` the dtype of ``x``); an array if ``x`` is not a tensor of fastgrad.

    Raises:
        ValueError: another rank, a ``size`` of another length, or an unknown ``interpolation`` or ``data_format``.
        TypeError: ``size`` is not a pair of numbers.
        InvalidArgumentError: ``size`` is not positive, or an image has no pixels.
        ResourceExhaustedError: the images do not fit into memory.
    """
    require(hasattr(size, "__len__"), "smart_resize", "`size` must be a tuple of 2 integers", TypeError, size=size)
    if isinstance(size, str) or len(size) != 2:
        raise ValueError(f"smart_resize: Expected `size` to be a tuple of 2 integers, but got: {size}.")
    method = str(interpolation).lower()
    check_choice("smart_resize", _INTERPOLATION_METHODS, interpolation=method)
    images = convert_to_tensor(x)
    first = images.ndim - 2 if standardize_data_format(data_format) == "channels_first" else images.ndim - 3
    require(images.ndim in {3, 4}, "smart_resize", "`x` must be an image, or a batch of some", shape=images.shape)
    if any(isinstance(number, (str, bytes)) or number is None for number in size):
        raise TypeError(f"smart_resize: Expected `size` to be a tuple of 2 integers, but got: {size!r}.")
    target_size = int(size[0]), int(size[1])
    height, width = images._array.shape[first : first + 2]
    if min(target_size) < 1 or max(target_size) >= 1 << 31:
        raise InvalidArgumentError(f"smart_resize: `size` must be positive and below 2**31, got {size!r}.")
    require(height and width, "smart_resize", f"an image of shape {images.shape} has no pixels", InvalidArgumentError)
    crop_height = max(min(height, width * target_size[0] // target_size[1]), 1)
    crop_width = max(min(width, height * target_size[1] // target_size[0]), 1)
    top, left = (height - crop_height) // 2, (width - crop_width) // 2
    crop = (*[slice(None)] * first, slice(top, top + crop_height), slice(left, left + crop_width))
    resized = cast(images[crop], "float32")
    try:
        shape = images._array.shape
        np.empty((*shape[:first], *target_size, *shape[first + 2 :]), np.float32)  # raises before anything is computed
        for axis, length in enumerate(target_size, first):
            resized = resampling.resized_axis(resized, length, axis, method)
    except (MemoryError, ValueError):  # NumPy raises ValueError if the number of elements exceeds 64 bits
        raise OutOfMemoryError(f"smart_resize: no memory holds images of `size` {size!r}.") from None
    if method == "nearest":
        resized = cast(resized, images.dtype)
    return resized if isinstance(x, Tensor) else resized.numpy()
