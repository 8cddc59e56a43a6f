"""Geometric transformations: flips, rotations, crops, paddings, and resizing, as in ``tf.image``.

An image has shape (height, width, channels), a batch of images has one axis more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import (
    check_choice,
    check_interval,
    check_length,
    check_rank,
    checked_integer,
    checked_number,
    refuse,
)
from fastgrad._src.core.errors import InvalidArgumentError, OutOfRangeError, UnimplementedError
from fastgrad._src.core.operand_errors import InvalidValueError, check_size
from fastgrad._src.core.operation import REAL_DTYPES
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.image.resampling import INTERPOLATION_METHODS, resized_axis
from fastgrad._src.ops import namespace as ops


class ResizeMethod:
    """The names of the methods of ``resize``."""

    BILINEAR = "bilinear"
    NEAREST_NEIGHBOR = "nearest"
    BICUBIC = "bicubic"
    AREA = "area"
    LANCZOS3 = "lanczos3"
    LANCZOS5 = "lanczos5"
    GAUSSIAN = "gaussian"
    MITCHELLCUBIC = "mitchellcubic"


def checked_images(name: str, images: Any, ranks: Sequence[int] = (3, 4)) -> Tensor:
    """Converts an image or a batch of images to a tensor.

    Raises:
        ValueError: another rank than one of ``ranks``, or no pixels.
    """
    x = convert_to_tensor(images)
    shape = x._array.shape
    if len(shape) not in ranks:
        refuse(name, f"`image` must have a rank in {tuple(ranks)}: height, width and channels", shape=shape)
    if 0 in shape[-3:]:
        raise ValueError(f"{name}: inner 3 dims of 'image.shape' must be > 0: {TensorShape(shape)}")
    return x


def _image_or_batch(name: str, images: Any) -> tuple[Tensor, int]:
    """Returns the tensor of ``images`` and the axis of their rows; that of the columns is the next."""
    x = checked_images(name, images)
    return x, x._array.ndim - 3


def _require_or_raise(condition: bool, message: str, *numbers: Any) -> None:
    """Raises a ValueError unless ``condition`` holds, as TensorFlow does for Python numbers; else an InvalidArgumentError."""
    if not condition:
        are_python_numbers = all(isinstance(number, (int, np.integer)) for number in numbers)
        raise (ValueError if are_python_numbers else InvalidArgumentError)(message)


def _box_integers(name: str, box: Sequence[Any]) -> list[int]:
    arguments = "offset_height", "offset_width", "target_height", "target_width"
    return [checked_integer(name, argument, number) for argument, number in zip(arguments, box, strict=True)]


# ---- flips and rotations ------------------------------------------------------------------------------


def flip_left_right(image: Any) -> Tensor:
    """``image``, or each image of a batch, with its columns in reverse order.

    Args:
        image: shape (height, width, channels) or (batch, height, width, channels).

    Raises:
        ValueError: another rank, or no pixels.
    """
    x, rows = _image_or_batch("flip_left_right", image)
    return ops.reverse(x, [rows + 1])


def flip_up_down(image: Any) -> Tensor:
    """``image``, or each image of a batch, with its rows in reverse order; see ``flip_left_right``."""
    x, rows = _image_or_batch("flip_up_down", image)
    return ops.reverse(x, [rows])


def transpose(image: Any, name: str | None = None) -> Tensor:
    """``image``, or each image of a batch, with rows and columns exchanged; see ``flip_left_right``."""
    x, rows = _image_or_batch("transpose", image)
    return _transposed(x, rows)


def _transposed(x: Tensor, rows: int) -> Tensor:
    return ops.transpose(x, [*range(rows), rows + 1, rows, rows + 2])


def rot90(image: Any, k: Any = 1, name: str | None = None) -> Tensor:
    """``image``, or each image of a batch, turned counter-clockwise by ``k`` right angles.

    Args:
        image: as for ``flip_left_right``.
        k: an integer; negative for clockwise.
        name: kept for TensorFlow's signature.

    Raises:
        ValueError: another rank, no pixels, or several numbers ``k``.
        TypeError: ``k`` is no integer.
    """
    x, rows = _image_or_batch("rot90", image)
    if np.ndim(k):
        raise InvalidValueError(f"rot90: k must be one integer, got {k!r}.")
    turns = ops.as_python_int(k, "rot90: k") % 4
    if turns == 0:
        return x
    if turns == 1:
        return _transposed(ops.reverse(x, [rows + 1]), rows)
    if turns == 2:
        return ops.reverse(x, [rows, rows + 1])
    return ops.reverse(_transposed(x, rows), [rows + 1])


# ---- crops and paddings -------------------------------------------------------------------------------


def _cropped(x: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    return x[..., top : top + height, left : left + width, :]


def _padded(x: Tensor, rows: int, top: int, left: int, height: int, width: int) -> Tensor:
    sizes = x._array.shape
    below, right = height - top - sizes[rows], width - left - sizes[rows + 1]
    if not (top or left or below or right):
        return x
    return ops.pad(x, [*[(0, 0)] * rows, (top, below), (left, right), (0, 0)])


def central_crop(image: Any, central_fraction: Any) -> Tensor:
    """The middle of ``image``, or of each image of a batch.

    Args:
        image: as for ``flip_left_right``.
        central_fraction: in (0, 1], the part of the height, and of the width, that stays.

    Raises:
        ValueError: another fraction or rank, or no pixels.
        TypeError: ``central_fraction`` is no number.
    """
    fraction = checked_number("central_crop", "central_fraction", central_fraction)
    check_interval("central_crop", "(0, 1]", central_fraction=fraction)
    if fraction == 1.0:
        return convert_to_tensor(image)
    x, rows = _image_or_batch("central_crop", image)
    height, width = x._array.shape[rows : rows + 2]
    top, left = int((height - height * fraction) / 2), int((width - width * fraction) / 2)
    return _cropped(x, top, left, height - 2 * top, width - 2 * left)


def pad_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Tensor:
    """``image``, or each image of a batch, padded with zeros.

    Args:
        image: as for ``flip_left_right``.
        offset_height, offset_width: the rows of zeros above, and the columns of zeros to the left.
        target_height, target_width: the size of the result.

    Raises:
        ValueError: a negative offset, a result that is too small, another rank, or no pixels.
        TypeError: an offset or size is no integer.
    """
    x, rows = _image_or_batch("pad_to_bounding_box", image)
    arguments = offset_height, offset_width, target_height, target_width
    top, left, height, width = _box_integers("pad_to_bounding_box", arguments)
    sizes = x._array.shape
    _require_or_raise(top >= 0, f"pad_to_bounding_box: offset_height must be >= 0, got {top}.", offset_height)
    _require_or_raise(left >= 0, f"pad_to_bounding_box: offset_width must be >= 0, got {left}.", offset_width)
    for what, offset, size, target, numbers in (
        ("width", left, sizes[rows + 1], width, (offset_width, target_width)),
        ("height", top, sizes[rows], height, (offset_height, target_height)),
    ):
        _require_or_raise(
            target - offset >= size,
            f"pad_to_bounding_box: {what} must be <= target - offset; got {what} {size}, target {target}, offset {offset}.",
            *numbers,
        )
    return _padded(x, rows, top, left, height, width)


def crop_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Tensor:
    """A part of ``image``, or of each image of a batch.

    Args:
        image: as for ``flip_left_right``.
        offset_height, offset_width: the first row and the first column.
        target_height, target_width: the size of the result.

    Raises:
        ValueError: the part is empty or not within the image, another rank, or no pixels.
        TypeError: an offset or size is no integer.
    """
    x, rows = _image_or_batch("crop_to_bounding_box", image)
    arguments = offset_height, offset_width, target_height, target_width
    top, left, height, width = _box_integers("crop_to_bounding_box", arguments)
    sizes = x._array.shape
    for what, offset, size, target, numbers in (
        ("width", left, sizes[rows + 1], width, (offset_width, target_width)),
        ("height", top, sizes[rows], height, (offset_height, target_height)),
    ):
        _require_or_raise(offset >= 0, f"crop_to_bounding_box: offset_{what} must be >= 0, got {offset}.", numbers[0])
        _require_or_raise(target > 0, f"crop_to_bounding_box: target_{what} must be > 0, got {target}.", numbers[1])
        _require_or_raise(
            size >= target + offset,
            f"crop_to_bounding_box: {what} must be >= target + offset; got {what} {size}, target {target}, offset {offset}.",
            *numbers,
        )
    return _cropped(x, top, left, height, width)


def _target_sizes(name: str, target_height: Any, target_width: Any) -> tuple[int, int]:
    height = checked_integer(name, "target_height", target_height)
    width = checked_integer(name, "target_width", target_width)
    _require_or_raise(width > 0, f"{name}: target_width must be > 0, got {width}.", target_width)
    _require_or_raise(height > 0, f"{name}: target_height must be > 0, got {height}.", target_height)
    return height, width


def resize_with_crop_or_pad(image: Any, target_height: Any, target_width: Any) -> Tensor:
    """The central part of ``image``, or of each image of a batch; padded with zeros where the image is smaller than the result.

    Args:
        image: as for ``flip_left_right``.
        target_height, target_width: the size of the result.

    Raises:
        ValueError: a size that is not positive, another rank, or no pixels.
        TypeError: a size is no integer.
    """
    x, rows = _image_or_batch("resize_with_crop_or_pad", image)
    targets = _target_sizes("resize_with_crop_or_pad", target_height, target_width)
    differences = [target - size for target, size in zip(targets, x._array.shape[rows:], strict=False)]
    crop_top, crop_left = [max(-difference // 2, 0) for difference in differences]
    top, left = [max(difference // 2, 0) for difference in differences]
    height, width = [min(target, size) for target, size in zip(targets, x._array.shape[rows:], strict=False)]
    return _padded(_cropped(x, crop_top, crop_left, height, width), rows, top, left, *targets)


# ---- resizing -----------------------------------------------------------------------------------------


def resize(
    images: Any,
    size: Any,
    method: str = ResizeMethod.BILINEAR,
    preserve_aspect_ratio: bool = False,
    antialias: bool = False,
    name: str | None = None,
) -> Tensor:
    """Resizes images.

    Args:
        images: an image or a batch of images, of any real dtype.
        size: (height, width) of the result.
        method: one of the names in ``ResizeMethod``.
        preserve_aspect_ratio: whether the result has the aspect ratio of ``images``; it is the largest such image within ``size``.
        antialias: whether the kernel of the method is widened to cover all pixels if the result is smaller; ``"nearest"`` and
            ``"area"`` ignore it.
        name: kept for TensorFlow's signature.

    Returns:
        float32; with ``"nearest"`` the dtype of ``images``.

    Raises:
        ValueError: another rank, ``size`` is not two integers, or another method.
        InvalidArgumentError: a size that is not positive, another dtype, or an image without pixels.

    Example:
        >>> tf.image.resize(tf.zeros((1, 8, 8, 3)), (4, 6)).shape
        TensorShape([1, 4, 6, 3])
    """
    x = convert_to_tensor(images)
    check_rank("resize", (3, 4), images=x)
    rows = x._array.ndim - 3
    try:
        sizes = ops.as_python_ints(size, "resize: size")
    except (TypeError, InvalidArgumentError):
        raise InvalidValueError(f"resize: 'size' must be a 1-D int32 Tensor, got {size!r}.") from None
    check_length("resize", 2, size=sizes)
    if preserve_aspect_ratio:
        sizes = _sizes_of_same_proportions(x._array.shape[rows : rows + 2], sizes)
    return _resized(x, rows, sizes, method, antialias)


def _resized(x: Tensor, rows: int, sizes: Sequence[int], method: Any, antialias: bool) -> Tensor:
    check_choice("resize", INTERPOLATION_METHODS, method=method)
    if min(sizes) <= 0:
        raise InvalidValueError(f"resize: output dimensions must be positive, got {tuple(sizes)}.")
    if max(sizes) > np.iinfo(np.int32).max:
        raise InvalidArgumentError(f"resize: output dimensions must be int32 numbers, got {tuple(sizes)}.")
    shape = x._array.shape
    ops.check_dtype("resize", x._array.dtype, REAL_DTYPES)
    check_size(
        "resize", (*shape[:rows], *sizes, shape[-1]), x._array.dtype if method == "nearest" else np.dtype(np.float32)
    )
    if 0 in x._array.shape[rows:]:
        raise InvalidArgumentError(f"resize: input image must be of non-zero size, got {TensorShape(x._array.shape)}.")
    if method != "nearest":
        x = ops.cast(x, dtypes.float32)
    # Rows are sums of vectors, so columns, the slower ones, are resized where there are fewer rows.
    for axis in (rows, rows + 1) if sizes[0] < shape[rows] else (rows + 1, rows):
        x = resized_axis(x, sizes[axis - rows], axis, method, antialias)
    return x


def _sizes_of_same_proportions(sizes: Sequence[int], limits: Sequence[int]) -> tuple[int, ...]:
    old = np.asarray(sizes, np.float32)
    with np.errstate(divide="ignore"):
        scale = (np.asarray(limits, np.float32) / old).min()
    return tuple(np.round(scale * old).astype(int).tolist())


def resize_with_pad(
    image: Any, target_height: Any, target_width: Any, method: str = ResizeMethod.BILINEAR, antialias: bool = False
) -> Tensor:
    """Resizes images without distortion, and pads them with zeros to the target size.

    Args:
        image: as for ``resize``.
        target_height, target_width: the size of the result.
        method, antialias: as for ``resize``.

    Raises:
        ValueError: a size that is not positive, another rank or method, or no pixels.
    """
    x, rows = _image_or_batch("resize_with_pad", image)
    targets = _target_sizes("resize_with_pad", target_height, target_width)
    new = np.asarray(targets, np.float32)
    old = np.asarray(x._array.shape[rows : rows + 2], np.float32)
    resized_sizes = old / (old / new).max()
    top, left = np.maximum(0, np.floor((new - resized_sizes) / 2)).astype(int).tolist()
    resized = _resized(x, rows, np.floor(resized_sizes).astype(int).tolist(), method, antialias)
    return _padded(resized, rows, top, left, *targets)


# ---- patches ------------------------------------------------------------------------------------------


def extract_patches(images: Any, sizes: Any, strides: Any, rates: Any, padding: str, name: str | None = None) -> Tensor:
    """Patches of images, as vectors.

    Args:
        images: shape (batch, height, width, channels).
        sizes: (1, height, width, 1) of a patch.
        strides: (1, rows, columns, 1) from one patch to the next.
        rates: (1, rows, columns, 1) from one pixel of a patch to the next.
        padding: ``"VALID"``, or ``"SAME"`` for patches that reach beyond the image, where they have zeros.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (batch, rows of patches, columns of patches, patch height * patch width * channels). With ``"VALID"`` there are
        no patches if they are larger than the image.

    Raises:
        InvalidArgumentError: another rank, or arguments of another length or padding.
        OutOfRangeError: a size, stride or rate below 1.
        UnimplementedError: patches over images or channels.
    """
    x = convert_to_tensor(images)
    check_rank("extract_patches", 4, InvalidArgumentError, images=x)
    windows = []
    for what, value in (("sizes", sizes), ("strides", strides), ("rates", rates)):
        numbers = ops.as_python_ints(value, f"extract_patches: {what}")
        message = f"extract_patches: {what} must be (1, rows, columns, 1), all above 0, got {value!r}."
        if len(numbers) != 4:
            raise InvalidArgumentError(message)
        if min(numbers) < 1:
            raise OutOfRangeError(message)
        if numbers[0] != 1 or numbers[-1] != 1:
            raise UnimplementedError(message)
        windows.append(numbers[1:-1])
    check_choice("extract_patches", ("SAME", "VALID"), InvalidValueError, padding=padding)
    counts: list[int] = []
    positions = []
    paddings = [(0, 0)]
    for length, patch, stride, rate in zip(x._array.shape[1:-1], *windows, strict=True):
        extent = (patch - 1) * rate + 1
        if padding == "SAME":
            count = -(-length // stride)
            missing = max(0, (count - 1) * stride + extent - length)
        else:
            count, missing = max(0, (length - extent + stride) // stride), 0
            if (
                length - extent + stride <= -stride
            ):  # TensorFlow rounds towards 0: a patch that is a little too large is none
                raise InvalidArgumentError(
                    f"extract_patches: a patch of {extent} rows or columns is too large for an image of {length}, with stride "
                    f"{stride} and padding 'VALID'; padding 'SAME' takes it."
                )
        counts.append(count)
        paddings.append((missing // 2, missing - missing // 2))
        positions.append(np.arange(count)[:, None] * stride + np.arange(patch) * rate)
    if any(after for _, after in paddings):
        x = ops.pad(x, [*paddings, (0, 0)])
    batch, channels = x._array.shape[0], x._array.shape[-1]
    for dimension, numbers in enumerate(positions):
        x = ops.gather(x, numbers, axis=1 + 2 * dimension)
    x = ops.transpose(x, [0, 1, 3, 2, 4, 5])
    return ops.reshape(x, (batch, *counts, math.prod(windows[0]) * channels))
