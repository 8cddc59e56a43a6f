"""Images as arrays and as files, through Pillow."""

from __future__ import annotations

import io
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_choice, check_type, require
from fastgrad._src.core.damaged_file import open_regular
from fastgrad._src.core.tensor import as_tensor_or_none
from fastgrad._src.files.formats.image_file import decode_image_file, pillow_image_module
from fastgrad._src.jit.user_lines import warn
from fastgrad._src.keras.settings import standardize_data_format, standardize_dtype

_PILLOW_MODES = {
    "grayscale": ("L", "I;16", "I"),
    "rgb": ("RGB",),
    "rgba": ("RGBA",),
}  # other modes are converted to the first
_PILLOW_FILTERS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def array_to_img(x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None) -> Any:
    """Converts an array to a Pillow image.

    Args:
        x: shape (height, width, channels) with 1, 3 or 4 channels, or with the channels first.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        scale: whether to map the least number to 0 and the greatest to 255.
        dtype: the dtype of the computation; default ``floatx()``.

    Raises:
        ValueError: another shape.
        ImportError: Pillow is not installed.
    """
    image = pillow_image_module()
    tensor = as_tensor_or_none(x)
    array = np.asarray(x if tensor is None else tensor._on_host())
    require(array.dtype.kind in "biufV", "array_to_img", "x must hold numbers", x=x)
    pixels = array.astype(standardize_dtype(dtype).numpy)
    if pixels.ndim != 3:
        raise ValueError(f"Expected image array to have rank 3 (single image). Got array with shape: {pixels.shape}")
    if standardize_data_format(data_format) == "channels_first":
        pixels = pixels.transpose(1, 2, 0)
    channels = pixels.shape[2]
    require(channels in (1, 3, 4), "array_to_img", f"Unsupported channel number: {channels}")
    if scale:
        pixels = pixels - pixels.min()
        greatest = pixels.max()
        pixels = (pixels / greatest if greatest else pixels) * 255
    if channels == 1 and pixels.max() > 255:
        return image.fromarray(pixels[:, :, 0].astype(np.int32))
    # Through integers: direct casts of larger floats are undefined.
    byte_pixels = pixels.astype(np.int64).astype(np.uint8)
    return image.fromarray(byte_pixels[:, :, 0] if channels == 1 else byte_pixels)


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> np.ndarray:
    """Converts a Pillow image to an array of shape (height, width, channels), or with the channels first.

    Args:
        img: a Pillow image, or an array of rank 2 or 3.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        dtype: default ``floatx()``.

    Raises:
        ValueError: another rank.
    """
    array = np.asarray(img)
    require(array.dtype.kind in "biufVO", "img_to_array", "img must be an image or an array of numbers", img=img)
    array = array.astype(standardize_dtype(dtype).numpy)
    require(array.ndim in (2, 3), "img_to_array", f"Unsupported image shape: {array.shape}")
    array = array[:, :, None] if array.ndim == 2 else array
    return array.transpose(2, 0, 1) if standardize_data_format(data_format) == "channels_first" else array


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: Any = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
    formats: Sequence[str] | None = None,
) -> Any:
    """Returns a Pillow image from a file.

    Args:
        path: the path of the file, or a ``BytesIO``.
        color_mode: the mode of the result: ``"grayscale"``, ``"rgb"`` or ``"rgba"``.
        target_size: (height, width) of the result; None keeps the size.
        interpolation: Pillow's filter: ``"nearest"``, ``"bilinear"``, ``"bicubic"``, ``"hamming"``, ``"box"`` or ``"lanczos"``.
        keep_aspect_ratio: whether to crop the middle of the image to the aspect ratio of ``target_size`` instead of distorting it.
        formats: Pillow's names of the allowed formats; default all but PostScript, which is a program.

    Raises:
        ValueError: another mode or interpolation.
        TypeError: ``path`` is not a path.
        ImportError: Pillow is not installed.
        OSError: the file is missing or damaged, or has more than twice ``PIL.Image.MAX_IMAGE_PIXELS`` pixels.
    """
    image = pillow_image_module()
    check_type("load_img", "a path or io.BytesIO", (str, bytes, os.PathLike, io.BytesIO), path=path)
    require(color_mode in _PILLOW_MODES, "load_img", 'color_mode must be "grayscale", "rgb", or "rgba"')
    loaded = _decoded_image(path, formats)
    modes = _PILLOW_MODES[color_mode]
    if loaded.mode not in modes:
        loaded = loaded.convert(modes[0])
    if target_size is None or loaded.size == (target_size[1], target_size[0]):
        return loaded
    check_choice("load_img", tuple(_PILLOW_FILTERS), interpolation=interpolation)
    height, width = target_size
    box = None
    if keep_aspect_ratio:
        crop_width = min(loaded.width, loaded.height * width // height)
        crop_height = min(loaded.height, loaded.width * height // width)
        left, top = (loaded.width - crop_width) // 2, (loaded.height - crop_height) // 2
        box = (left, top, left + crop_width, top + crop_height)
    return loaded.resize((width, height), image.Resampling[interpolation.upper()], box=box)


def _decoded_image(path: Any, formats: Sequence[str] | None) -> Any:
    if isinstance(path, io.BytesIO):
        return decode_image_file(path.getvalue()[path.tell() :], "BytesIO", formats)
    with open_regular(path) as file:
        return decode_image_file(file.read(), os.fsdecode(path), formats)


def save_img(
    path: Any, x: Any, data_format: str | None = None, file_format: str | None = None, scale: bool = True, **kwargs: Any
) -> None:
    """Writes an array as an image file.

    Args:
        path: the path of the file, or an open binary file.
        x, data_format, scale: as in ``array_to_img``.
        file_format: ``"png"``, ``"jpeg"`` ...; default by the ending of ``path``.
        **kwargs: further options of Pillow's ``save``.

    Raises:
        ValueError: another shape, or an unknown format.
        TypeError: ``path`` is neither a path nor a file.
        ImportError: Pillow is not installed.
        OSError: the file could not be written.
    """
    if not isinstance(path, (str, bytes, os.PathLike)) and not hasattr(path, "write"):
        raise TypeError(f"save_img: path must be a path or an open file, got {path!r}.")
    if file_format is None and isinstance(path, (str, os.PathLike)):
        file_format = pathlib.Path(path).suffix[1:].lower()
    if file_format and file_format.lower() == "jpg":
        file_format = "jpeg"
    name = _pillow_format(path, file_format)
    img = array_to_img(x, data_format, scale)
    if img.mode == "RGBA" and file_format == "jpeg":
        warn("The JPEG format does not support RGBA images, converting to RGB.")
        img = img.convert("RGB")
    img.save(path, format=name, **kwargs)


def _pillow_format(path: Any, file_format: str | None) -> str | None:
    """Returns Pillow's name of a file format, None if Pillow uses ``path``; ValueError if it cannot be written."""
    image = pillow_image_module()
    image.init()
    if not file_format and not isinstance(path, (str, os.PathLike)):
        return None
    name = str(file_format).upper()
    name = name if name in image.SAVE else image.registered_extensions().get(f".{name.lower()}")
    if name not in image.SAVE:
        raise ValueError(f"save_img: unknown {file_format=} for {path=}; known are {', '.join(sorted(image.SAVE))}.")
    return name
