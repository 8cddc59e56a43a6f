"""Image files in memory, decoded by Pillow with the checks that damaged and hostile files need."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from fastgrad._src.core.damaged_file import parser_errors_as_one

_MAX_PIXELS_PER_FILE_BYTE = 8 * 1032  # per byte: deflate's greatest ratio, for pixels of one bit


def pillow_image_module() -> Any:
    """Returns ``PIL.Image``; raises an ImportError that says how to install it."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError('Images are read and written by Pillow: pip install "fastgrad[images]".') from error
    return Image


def decode_image_file(data: bytes, name: str, formats: Sequence[str] | None = None, grayscale: bool = False) -> Any:
    """Returns the decoded Pillow image of a file; also checks PNG checksums and decodes at once, unlike Pillow.

    Args:
        data: the bytes of the file.
        name: the name of the file, for errors.
        formats: Pillow's names of the allowed formats; default all but PostScript, which is a program.
        grayscale: whether a JPEG file may be decoded to its luma alone.

    Raises:
        ImportError: Pillow is not installed.
        OSError: the file is damaged, or has more than twice ``PIL.Image.MAX_IMAGE_PIXELS`` pixels.
    """
    image = pillow_image_module()
    try:
        with parser_errors_as_one(name, "image", OSError):
            decoded = image.open(io.BytesIO(data), formats=formats)
            if decoded.format == "EPS":
                raise ValueError("PostScript is a program, which is not run")
            if decoded.width * decoded.height > _MAX_PIXELS_PER_FILE_BYTE * len(data):
                raise ValueError(f"it announces {decoded.width} x {decoded.height} pixels in {len(data)} bytes")
            for codec, (_, top, _, bottom), offset, options in decoded.tile:
                bytes_of_row = options[1] if codec == "raw" and isinstance(options, tuple) and len(options) > 1 else 0
                if (bottom - top) * bytes_of_row > len(data) - offset:
                    raise ValueError("image file is truncated")
            if decoded.format == "PNG":
                decoded.verify()
                decoded = image.open(io.BytesIO(data), formats=formats)
            if grayscale:
                decoded.draft("L", None)
            decoded.load()
            return decoded
    except OSError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and type(cause).__name__ == "UnidentifiedImageError":
            raise type(cause)(f"cannot identify image file {name!r}") from None
        raise
