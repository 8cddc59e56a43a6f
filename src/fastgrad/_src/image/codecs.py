"""Image files as strings: decoding of JPEG, PNG, GIF and BMP and encoding of JPEG by Pillow, as in ``tf.io`` and ``tf.image``.

Pillow's JPEG decoder rounds differently from TensorFlow's, so pixels may differ by a few steps.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_choice, check_interval, check_length, checked_integer, require
from fastgrad._src.core.errors import InvalidArgumentError, UnimplementedError
from fastgrad._src.core.operand_errors import InvalidTypeError
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.files.formats.image_file import decode_image_file, pillow_image_module
from fastgrad._src.files.formats.png_file import encode_png_file
from fastgrad._src.image.colors import convert_image_dtype
from fastgrad._src.ops.arguments import as_python_ints, scalar_of_dtype
from fastgrad._src.ops.python_function import numpy_function
from fastgrad._src.ops.shaping import expand_dims

_FORMATS = ("JPEG", "PNG", "GIF", "BMP")
_LIBPNG_GRAY_WEIGHTS = np.array([9797, 19234, 3737], np.int32)
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_DCT_METHODS = ("", "INTEGER_FAST", "INTEGER_ACCURATE")
"""TensorFlow's. Pillow has one."""
_DENSITY_UNITS = {"in": 1.0, "cm": 2.54}


# ---- decoding -----------------------------------------------------------------------------------------


def _call_on_host(function: Callable[..., Any], inputs: Sequence[Any], result_dtype: Any) -> Any:
    """Calls ``function`` with arrays, at each replay of a compiled step."""
    return numpy_function(function, inputs, result_dtype)


def _string_scalar(name: str, contents: Any) -> Tensor:
    return scalar_of_dtype(contents, dtypes.string, name, "contents")


def _pillow_image_of(name: str, data: bytes, formats: Sequence[str], channels: int) -> Any:
    pillow_image_module()
    try:
        return decode_image_file(data, "contents", formats, grayscale=channels == 1)
    except OSError as error:
        raise InvalidArgumentError(
            f"{name}: Unknown image file format. One of {', '.join(formats)} required: {error}"
        ) from None


def _is_wide_png(image: Any, data: bytes) -> bool:
    bit_depth = data[24]  # of the first chunk, IHDR
    return image.format == "PNG" and bit_depth == 16


def _gray_of_png(image: Any) -> np.ndarray:
    """Returns libpng's luminance in uint8, as TensorFlow has it: weights in 2**-15, cut off where Pillow rounds."""
    pixels = np.asarray(image.convert("RGB")).astype(np.int32)
    return (pixels @ _LIBPNG_GRAY_WEIGHTS >> 15).astype(np.uint8)


def _pixels_of_image(name: str, image: Any, channels: int, wide: bool) -> np.ndarray:
    """Returns an array of shape (height, width, channels): uint16 for a gray image of 16 bits, else uint8."""
    is_png = image.format == "PNG"
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.uint16)
        if channels in (0, 1):
            return values[:, :, None]
        image = pillow_image_module().fromarray((values >> 8).astype(np.uint8))
        if wide:
            raise UnimplementedError(f"{name}: Pillow decodes no 16-bit image to {channels} channels; take channels=1.")
    if image.mode == "P" or (channels == 4 and "transparency" in image.info):
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    mode = _MODES[channels or {"1": 1, "L": 1, "LA": 2, "RGBA": 4}.get(image.mode, 3)]
    if mode == "L" and is_png and image.mode in ("RGB", "RGBA"):
        return _gray_of_png(image)[:, :, None]
    if image.mode != mode:
        image = image.convert(mode)
    pixels = np.asarray(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _decode_pixels(
    name: str, data: bytes, channels: int, dtype: dtypes.DType, formats: Sequence[str], frames: bool
) -> np.ndarray:
    """Returns the pixels of a file in uint8 or uint16: (height, width, channels), or for a GIF with ``frames`` all of them."""
    image = _pillow_image_of(name, data, formats, channels)
    if image.format == "GIF":
        require(channels in (0, 3), name, "`channels` must be 0 or 3 for GIF", InvalidArgumentError, channels=channels)
        count = image.n_frames if frames else 1
        pictures = []
        for number in range(count):
            image.seek(number)
            pictures.append(np.asarray(image.convert("RGB")))
        pixels = np.stack(pictures) if frames else pictures[0]
    else:
        wide = dtype is not dtypes.uint8 and _is_wide_png(image, data)
        if wide and not image.mode.startswith("I"):
            raise UnimplementedError(
                f"{name}: Pillow decodes 16-bit images to 16 bits only if they are gray; take dtype=tf.uint8."
            )
        pixels = _pixels_of_image(name, image, channels, wide)
    if dtype is dtypes.uint8:
        return (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else np.ascontiguousarray(pixels)
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint16) * (257 if image.format == "PNG" else 256)
    return pixels


def _check_channels(name: str, channels: Any, allowed: Sequence[int] = (0, 1, 3, 4)) -> None:
    check_choice(name, tuple(allowed), InvalidArgumentError, channels=checked_integer(name, "channels", channels))


def _decode(
    name: str,
    contents: Any,
    channels: Any,
    dtype: Any,
    formats: Sequence[str],
    frames: bool = False,
    allowed: Any = (0, 1, 3, 4),
) -> Tensor:
    _check_channels(name, channels, allowed)
    x = _string_scalar(name, contents)
    return _call_on_host(lambda data: _decode_pixels(name, data, int(channels), dtype, formats, frames), [x], dtype)


def decode_image(
    contents: Any,
    channels: Any = None,
    dtype: Any = dtypes.uint8,
    name: str | None = None,
    expand_animations: bool = True,
) -> Tensor:
    """The pixels of a JPEG, PNG, GIF or BMP file.

    Args:
        contents: a string scalar, the bytes of the file.
        channels: 1, 3 or 4; 0 or None for those of the file. GIF files have 3.
        dtype: the dtype of the result, as by ``convert_image_dtype``.
        name: kept for TensorFlow's signature.
        expand_animations: whether all frames of a GIF file are decoded; otherwise only the first.

    Returns:
        Shape (height, width, channels); (frames, height, width, 3) for GIF files with ``expand_animations``.

    Raises:
        InvalidArgumentError: the bytes are no intact file of these formats, or ``channels`` is another number.
        UnimplementedError: an image of 16 bits with several channels and a wider ``dtype`` than uint8.
        ImportError: Pillow is not installed.
    """
    target = dtypes.as_dtype(dtype)
    channels = 0 if channels is None else channels
    through = target if target in (dtypes.uint8, dtypes.uint16) else dtypes.uint16
    if target is dtypes.float32:
        _check_channels("decode_image", channels)
        x = _string_scalar("decode_image", contents)
        return _call_on_host(lambda data: _decoded_floats(data, int(channels), expand_animations), [x], dtypes.float32)
    decoded = _decode("decode_image", contents, channels, through, _FORMATS, expand_animations)
    return decoded if through is target else convert_image_dtype(decoded, target)


def _decoded_floats(data: bytes, channels: int, frames: bool) -> np.ndarray:
    through = dtypes.uint16 if data[:4] == b"\x89PNG" else dtypes.uint8
    pixels = _decode_pixels("decode_image", data, channels, through, _FORMATS, frames)
    return pixels.astype(np.float32) * np.float32(1 / np.iinfo(pixels.dtype).max)


def decode_jpeg(
    contents: Any,
    channels: Any = 0,
    ratio: int = 1,
    fancy_upscaling: bool = True,
    try_recover_truncated: bool = False,
    acceptable_fraction: float = 1,
    dct_method: str = "",
    name: str | None = None,
) -> Tensor:
    """The pixels of a JPEG file; also of the other formats of ``decode_image``, as in TensorFlow.

    Args:
        contents: a string scalar, the bytes of the file.
        channels: 1 or 3; 0 for those of the file.
        ratio: only 1. TensorFlow's other ratios, which reduce the image, are not available; use ``tf.image.resize``.
        dct_method: ``""``, ``"INTEGER_FAST"`` or ``"INTEGER_ACCURATE"``; Pillow has one method.
        fancy_upscaling, try_recover_truncated, acceptable_fraction, name: kept for TensorFlow's signature.

    Returns:
        uint8, shape (height, width, channels).

    Raises:
        InvalidArgumentError: the bytes are no intact file, or ``channels``, ``ratio`` or ``dct_method`` is not one of TensorFlow's.
        UnimplementedError: ``ratio`` is 2, 4 or 8.
        ImportError: Pillow is not installed.
    """
    _check_ratio("decode_jpeg", ratio)
    _check_dct_method("decode_jpeg", dct_method)
    return _decode("decode_jpeg", contents, channels, dtypes.uint8, _FORMATS, allowed=(0, 1, 3))


def _check_dct_method(name: str, dct_method: str) -> None:
    check_choice(name, _DCT_METHODS, InvalidArgumentError, dct_method=dct_method)


def _check_ratio(name: str, ratio: int) -> None:
    check_choice(name, (1, 2, 4, 8), InvalidArgumentError, ratio=checked_integer(name, "ratio", ratio))
    if ratio != 1:
        raise UnimplementedError(f"{name}: ratio {ratio} is not there, only 1; tf.image.resize makes images smaller.")


def decode_png(contents: Any, channels: Any = 0, dtype: Any = dtypes.uint8, name: str | None = None) -> Tensor:
    """The pixels of a PNG file; also of the other formats of ``decode_image``, as in TensorFlow.

    Args:
        contents: a string scalar, the bytes of the file.
        channels: 1, 3 or 4; 0 for those of the file.
        dtype: uint8 or uint16.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (height, width, channels).

    Raises:
        InvalidArgumentError: the bytes are no intact file, or ``channels`` is another number.
        TypeError: another ``dtype``; the error is also an InvalidArgumentError.
        UnimplementedError: an image of 16 bits with several channels to uint16.
        ImportError: Pillow is not installed.
    """
    target = dtypes.as_dtype(dtype)
    check_choice("decode_png", (dtypes.uint8, dtypes.uint16), InvalidTypeError, dtype=target)
    return _decode("decode_png", contents, channels, target, _FORMATS)


def decode_gif(contents: Any, name: str | None = None) -> Tensor:
    """The frames of a GIF file; an image of another format is one frame, as in TensorFlow.

    Args:
        contents: a string scalar, the bytes of the file.
        name: kept for TensorFlow's signature.

    Returns:
        uint8, shape (frames, height, width, 3).

    Raises:
        InvalidArgumentError: the bytes are no intact file of the formats of ``decode_image``.
        ImportError: Pillow is not installed.
    """
    pixels = _decode("decode_gif", contents, 3, dtypes.uint8, _FORMATS, frames=True)
    return pixels if pixels._array.ndim == 4 else expand_dims(pixels, 0)


def decode_bmp(contents: Any, channels: Any = 0, name: str | None = None) -> Tensor:
    """The pixels of a BMP file.

    Args:
        contents: a string scalar, the bytes of the file.
        channels: 1, 3 or 4; 0 for those of the file.
        name: kept for TensorFlow's signature.

    Returns:
        uint8, shape (height, width, channels).

    Raises:
        InvalidArgumentError: the bytes are no intact BMP file, or ``channels`` is another number.
        ImportError: Pillow is not installed.
    """
    return _decode("decode_bmp", contents, channels, dtypes.uint8, ("BMP",))


def decode_and_crop_jpeg(  # noqa: PLR0913  # TensorFlow's arguments
    contents: Any,
    crop_window: Any,
    channels: Any = 0,
    ratio: int = 1,
    fancy_upscaling: bool = True,
    try_recover_truncated: bool = False,
    acceptable_fraction: float = 1,
    dct_method: str = "",
    name: str | None = None,
) -> Tensor:
    """A part of the pixels of a JPEG file.

    Args:
        contents, channels, ratio: as for ``decode_jpeg``.
        crop_window: (first row, first column, height, width).
        dct_method: ``""``, ``"INTEGER_FAST"`` or ``"INTEGER_ACCURATE"``; Pillow has one method.
        fancy_upscaling, try_recover_truncated, acceptable_fraction, name: kept for TensorFlow's signature.

    Returns:
        uint8, shape (height, width, channels).

    Raises:
        InvalidArgumentError: the window is not within the image, or as for ``decode_jpeg``.
        UnimplementedError: ``ratio`` is 2, 4 or 8.
        ImportError: Pillow is not installed.
    """
    _check_ratio("decode_and_crop_jpeg", ratio)
    _check_dct_method("decode_and_crop_jpeg", dct_method)
    window = as_python_ints(crop_window, "decode_and_crop_jpeg: crop_window")
    check_length("decode_and_crop_jpeg", 4, InvalidArgumentError, crop_window=window)
    top, left, height, width = window
    bottom, right = top + height, left + width

    def crop(pixels: np.ndarray) -> np.ndarray:
        if not (0 <= top < bottom <= pixels.shape[0] and 0 <= left < right <= pixels.shape[1]):
            raise InvalidArgumentError(
                f"decode_and_crop_jpeg: Invalid JPEG data or crop window {window}: the image has {pixels.shape[:2]} pixels."
            )
        return pixels[top:bottom, left:right]

    pixels = _decode("decode_and_crop_jpeg", contents, channels, dtypes.uint8, ("JPEG",), allowed=(0, 1, 3))
    return _call_on_host(crop, [pixels], dtypes.uint8)


def extract_jpeg_shape(contents: Any, output_type: Any = dtypes.int32, name: str | None = None) -> Tensor:
    """The height, width and channels of a JPEG file, from its header.

    Args:
        contents: a string scalar, the bytes of the file.
        output_type: int32 or int64.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: the bytes are no JPEG file, or ``output_type`` is another dtype.
        ImportError: Pillow is not installed.
    """
    target = dtypes.as_dtype(output_type)
    check_choice("extract_jpeg_shape", (dtypes.int32, dtypes.int64), InvalidTypeError, output_type=target)

    def shape_of(data: bytes) -> np.ndarray:
        try:
            image = pillow_image_module().open(io.BytesIO(data), formats=("JPEG",))
        except (OSError, ValueError, SyntaxError, pillow_image_module().DecompressionBombError) as error:
            raise InvalidArgumentError(f"extract_jpeg_shape: Not a JPEG file: {error}") from None
        return np.array([image.height, image.width, len(image.getbands())], target.numpy)

    return _call_on_host(shape_of, [_string_scalar("extract_jpeg_shape", contents)], target)


# ---- encoding -----------------------------------------------------------------------------------------


def _encode_pixels(pixels: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture = pixels[:, :, 0] if pixels.shape[-1] == 1 else pixels
    pillow_image_module().fromarray(np.ascontiguousarray(picture)).save(buffer, **options)
    return buffer.getvalue()


def _pixels_to_encode(name: str, image: Any, allowed: Sequence[dtypes.DType], channels: Sequence[int]) -> Tensor:
    x = convert_to_tensor(image)
    shape = x._array.shape
    if x.dtype not in allowed:
        raise InvalidArgumentError(
            f"{name}: image must be {' or '.join(d.name for d in allowed)}, got {x.dtype.name}; convert_image_dtype converts it."
        )
    if len(shape) != 3 or shape[-1] not in channels or 0 in shape:
        raise InvalidArgumentError(
            f"{name}: image must have shape (height, width, channels) with channels in {tuple(channels)}, got {TensorShape(shape)}."
        )
    return x


def encode_png(image: Any, compression: int = -1, name: str | None = None) -> Tensor:
    """A PNG file.

    Args:
        image: uint8 or uint16, shape (height, width, channels) with 1 to 4 channels.
        compression: from 0, none, to 9, the smallest file; -1 for zlib's default.
        name: kept for TensorFlow's signature.

    Returns:
        A string scalar.

    Raises:
        InvalidArgumentError: another shape, dtype or ``compression``.
    """
    x = _pixels_to_encode("encode_png", image, (dtypes.uint8, dtypes.uint16), (1, 2, 3, 4))
    if not -1 <= checked_integer("encode_png", "compression", compression) <= 9:
        raise InvalidArgumentError(f"encode_png: compression should be in [-1, 9], got {compression}.")
    return _call_on_host(lambda pixels: encode_png_file(pixels, compression), [x], dtypes.string)


def encode_jpeg(  # noqa: PLR0913  # TensorFlow's arguments
    image: Any,
    format: str = "",
    quality: Any = 95,
    progressive: bool = False,
    optimize_size: bool = False,
    chroma_downsampling: bool = True,
    density_unit: str = "in",
    x_density: int = 300,
    y_density: int = 300,
    xmp_metadata: Any = "",
    name: str | None = None,
) -> Tensor:
    """A JPEG file.

    Args:
        image: uint8, shape (height, width, channels) with 1 or 3 channels.
        format: ``"grayscale"``, ``"rgb"``, or ``""`` for that of the channels.
        quality: from 0 to 100.
        progressive: whether the file is a progressive JPEG.
        optimize_size: whether the Huffman codes are optimised for this image.
        chroma_downsampling: whether colours have half the resolution.
        density_unit: ``"in"`` (inch) or ``"cm"``.
        x_density, y_density: pixels per ``density_unit``.
        xmp_metadata: bytes.
        name: kept for TensorFlow's signature.

    Returns:
        A string scalar.

    Raises:
        InvalidArgumentError: another shape, dtype, ``format``, ``quality`` or ``density_unit``.
        ImportError: Pillow is not installed.
    """
    x = _pixels_to_encode("encode_jpeg", image, (dtypes.uint8,), (1, 3))
    channels = {"": x._array.shape[-1], "grayscale": 1, "rgb": 3}.get(format)
    if channels != x._array.shape[-1]:
        raise InvalidArgumentError(
            f"encode_jpeg: format must be '', 'grayscale' or 'rgb' and fit {x._array.shape[-1]} channels, got {format!r}."
        )
    check_choice("encode_jpeg", tuple(_DENSITY_UNITS), InvalidArgumentError, density_unit=density_unit)
    options = {
        "progressive": progressive,
        "optimize": optimize_size,
        "subsampling": "4:2:0" if chroma_downsampling else "4:4:4",
        "dpi": tuple(round(density * _DENSITY_UNITS[density_unit]) for density in (x_density, y_density)),
    }
    if xmp_metadata:
        options["xmp"] = convert_to_tensor(xmp_metadata).numpy()
    return _encode_jpeg("encode_jpeg", x, "quality", quality, **options)


def _encode_jpeg(name: str, image: Tensor, quality_argument: str, quality: Any, **options: Any) -> Tensor:
    def encode(pixels: np.ndarray, level: Any) -> bytes:
        check_interval(name, "[0, 100]", InvalidArgumentError, quality=level)
        # Pillow takes 0 for its default; libjpeg takes 1 for it.
        return _encode_pixels(pixels, format="JPEG", quality=max(int(level), 1), **options)

    return _call_on_host(encode, [image, scalar_of_dtype(quality, dtypes.int32, name, quality_argument)], dtypes.string)


def checked_jpeg_pixels(name: str, image: Any) -> Tensor:
    """Converts an image to pixels that ``encode_jpeg`` takes; InvalidArgumentError for another shape."""
    pixels = convert_image_dtype(convert_to_tensor(image), dtypes.uint8, saturate=True)
    return _pixels_to_encode(name, pixels, (dtypes.uint8,), (1, 3))


def adjust_jpeg_quality(image: Any, jpeg_quality: Any, dct_method: str = "", name: str | None = None) -> Tensor:
    """``image``, encoded as a JPEG file of quality ``jpeg_quality`` and decoded again.

    Args:
        image: shape (height, width, channels) with 1 or 3 channels, floats or integers.
        jpeg_quality: an integer in [0, 100].
        dct_method: as for ``decode_jpeg``.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: another quality, shape or ``dct_method``.
        ImportError: Pillow is not installed.
    """
    x = convert_to_tensor(image)
    name = "adjust_jpeg_quality"
    _check_dct_method(name, dct_method)
    pixels = checked_jpeg_pixels(name, x)
    encoded = _encode_jpeg(name, pixels, "jpeg_quality", jpeg_quality)
    decoded = _decode(name, encoded, pixels._array.shape[-1], dtypes.uint8, ("JPEG",))
    return convert_image_dtype(decoded, x.dtype, saturate=True)
