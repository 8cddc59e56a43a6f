"""``image_dataset_from_directory``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_choice
from fastgrad._src.image import resampling
from fastgrad._src.keras.settings import standardize_data_format
from fastgrad._src.keras.utils.images import load_img, pillow_image_module
from fastgrad._src.keras.utils.labelled_files import FilesRequest, check_request, labelled_datasets

_IMAGE_FILE_ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
_PILLOW_FORMATS = ("BMP", "GIF", "JPEG", "PNG")
_COLOR_MODES = ("rgb", "rgba", "grayscale")


def image_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Any = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Returns a dataset of images (bmp, gif, jpeg, png) and their labels; each class has a folder.

    Args:
        directory: the folder with a folder of images for each class.
        labels: ``"inferred"`` from the folders, a number for each file in the order of their paths, or None for none.
        label_mode: ``"int"``, ``"categorical"`` (one-hot rows), ``"binary"`` (0.0 or 1.0), or None for no labels.
        class_names: the folders in the order of the class numbers; default by name.
        color_mode: ``"rgb"``, ``"rgba"`` or ``"grayscale"``.
        batch_size: None for single images.
        image_size: (height, width) of the resized images.
        shuffle: whether to shuffle the files, again in each iteration; else they have the order of their paths.
        seed: the seed of the shuffle.
        validation_split: the fraction of the files, between 0 and 1, that is reserved for validation.
        subset: ``"training"``, ``"validation"`` (the reserved files), or ``"both"``: a list of the two datasets.
        interpolation: ``"bilinear"``, ``"nearest"`` (result uint8), ``"bicubic"``, ``"area"``, ``"lanczos3"``,
            ``"lanczos5"``, ``"gaussian"`` or ``"mitchellcubic"``.
        follow_links: whether links to folders are followed.
        crop_to_aspect_ratio, pad_to_aspect_ratio: whether to crop images, or pad them with black, instead of distorting them.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        format: ``"tf"``.
        verbose: whether the numbers of files are printed.

    Returns:
        A ``Dataset`` of images, float32 of shape (batch, height, width, channels), or of pairs of images and labels, with the
        attributes ``class_names`` and ``file_paths``.

    Raises:
        ValueError: the arguments do not match each other or the directory; there are no files.
        ImportError: Pillow is not installed.
    """
    pillow_image_module()
    request = FilesRequest(
        *(directory, labels, label_mode, class_names, batch_size, shuffle, seed),
        *(validation_split, subset, follow_links, format, verbose),
    )
    check_request(request, "image")
    check_choice("image_dataset_from_directory", _COLOR_MODES, color_mode=color_mode)
    size = _height_and_width(image_size)
    method = interpolation.lower()
    if method not in resampling.INTERPOLATION_METHODS:
        raise ValueError(f"`interpolation` should be one of {resampling.INTERPOLATION_METHODS}, got {interpolation=}")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("Only one of `pad_to_aspect_ratio`, `crop_to_aspect_ratio` can be set to `True`.")
    is_first = standardize_data_format(data_format) == "channels_first"
    fit_mode = "crop" if crop_to_aspect_ratio else "pad" if pad_to_aspect_ratio else "distort"

    def load(path: str) -> np.ndarray:
        pixels = np.asarray(load_img(path, color_mode, formats=_PILLOW_FORMATS))
        pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
        fitted = _resized_image(pixels, size, method, fit_mode)
        return np.ascontiguousarray(fitted.transpose(2, 0, 1)) if is_first else fitted

    return labelled_datasets(
        request, "image", _IMAGE_FILE_ENDINGS, load, dtypes.uint8 if method == "nearest" else dtypes.float32
    )


def _height_and_width(image_size: Any) -> tuple[int, int]:
    if isinstance(image_size, int):
        return image_size, image_size
    if not isinstance(image_size, (list, tuple)) or len(image_size) != 2:
        raise ValueError(f"`image_size` must be a tuple of 2 integers. Received: {image_size=}")
    return tuple(image_size)


def _resized_image(pixels: np.ndarray, size: tuple[int, int], method: str, form: str) -> np.ndarray:
    """Returns an image of the given size: resized with distortion, cropped to its middle, or padded with black."""
    height, width = pixels.shape[:2]
    if form == "distort":
        return _resized_pixels(pixels, size, method)
    if form == "crop":
        crop_height = max(min(height, width * size[0] // size[1]), 1)
        crop_width = max(min(width, height * size[1] // size[0]), 1)
        top, left = (height - crop_height) // 2, (width - crop_width) // 2
        return _resized_pixels(pixels[top : top + crop_height, left : left + crop_width], size, method)
    ratio = max(height / size[0], width / size[1])
    inner_size = height / ratio, width / ratio
    resized = _resized_pixels(pixels, (max(int(inner_size[0]), 1), max(int(inner_size[1]), 1)), method)
    top, left = (max(int((outer - inner) / 2), 0) for outer, inner in zip(size, inner_size, strict=True))
    canvas = np.zeros((*size, pixels.shape[2]), resized.dtype)
    canvas[top : top + resized.shape[0], left : left + resized.shape[1]] = resized
    return canvas


def _resized_pixels(pixels: np.ndarray, size: tuple[int, int], method: str) -> np.ndarray:
    rows, columns = (
        resampling.resampling_weights(*old_and_new_length, method)
        for old_and_new_length in zip(pixels.shape[:2], size, strict=True)
    )
    if method == "nearest":
        return pixels[rows.argmax(1)[:, None], columns.argmax(1)]
    resized_rows = np.tensordot(rows, pixels.astype(np.float32), 1)
    return np.ascontiguousarray(np.einsum("hwc,vw->hvc", resized_rows, columns, optimize=True))
