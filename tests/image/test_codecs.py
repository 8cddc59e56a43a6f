"""Image files: beside Pillow, compiled, in datasets, damaged; tf.io's files."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import image

pillow = pytest.importorskip("PIL.Image")
RANDOM = np.random.default_rng(11)
PIXELS = RANDOM.integers(0, 256, (12, 17, 3), dtype=np.uint8)
SMOOTH = np.indices((32, 40)).sum(0)[:, :, None] * np.array([1, 2, 3]) % 200


def _file(pixels: np.ndarray, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    pillow.fromarray(pixels).save(buffer, file_format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("file_format", ["PNG", "BMP"])
def test_lossless_files_give_their_pixels(file_format: str) -> None:
    contents = _file(PIXELS, file_format)
    np.testing.assert_array_equal(tf.io.decode_image(contents), PIXELS)
    np.testing.assert_array_equal(tf.function(tf.io.decode_image)(contents), PIXELS)


def test_jpeg_files_give_pillows_pixels() -> None:
    contents = _file(SMOOTH.astype(np.uint8), "JPEG", quality=90)
    np.testing.assert_array_equal(tf.io.decode_jpeg(contents), np.asarray(pillow.open(io.BytesIO(contents))))
    np.testing.assert_array_equal(
        tf.io.decode_and_crop_jpeg(contents, [3, 4, 5, 6]), np.asarray(pillow.open(io.BytesIO(contents)))[3:8, 4:10]
    )
    assert tf.io.extract_jpeg_shape(contents).numpy().tolist() == [32, 40, 3]


@pytest.mark.parametrize("quality", [0, 30, 95, 100])
def test_jpeg_quality_moves_the_error(quality: int) -> None:
    errors = [
        float(np.abs(image.adjust_jpeg_quality(SMOOTH.astype(np.uint8), q).numpy().astype(int) - SMOOTH).mean())
        for q in (quality, 100)
    ]
    assert errors[1] < 3
    assert errors[0] >= errors[1]


def test_options_of_jpeg_files_are_in_the_file() -> None:
    contents = tf.io.encode_jpeg(PIXELS, progressive=True, x_density=100, y_density=50, chroma_downsampling=False)
    opened = pillow.open(io.BytesIO(contents.numpy()))
    assert opened.info["progressive"]
    assert opened.info["dpi"] == (100, 50)
    assert opened.layer[0][1:3] == (1, 1)  # the luma has no more samples than the colours


def test_files_in_a_dataset_are_pictures(tmp_path: Path) -> None:
    for number in range(3):
        tf.io.write_file(str(tmp_path / "deep" / f"{number}.png"), tf.io.encode_png(PIXELS + np.uint8(number)))
    paths = sorted(str(path) for path in (tmp_path / "deep").iterdir())
    pictures = tf.data.Dataset.from_tensor_slices(paths).map(lambda path: tf.io.decode_png(tf.io.read_file(path)))
    for number, picture in enumerate(pictures):
        np.testing.assert_array_equal(picture, PIXELS + np.uint8(number))


def test_16_bits_of_gray_stay() -> None:
    wide = RANDOM.integers(0, 1 << 16, (5, 6, 1), dtype=np.uint16)
    contents = tf.io.encode_png(wide)
    np.testing.assert_array_equal(tf.io.decode_png(contents, dtype=tf.uint16), wide)
    np.testing.assert_array_equal(tf.io.decode_png(contents), wide >> 8)


def test_16_bits_of_colours_are_written_but_not_read() -> None:
    contents = tf.io.encode_png(np.array([[[0x0102, 0x0304, 0x0506]]], np.uint16))
    assert tf.io.decode_png(contents).numpy().tolist() == [[[1, 3, 5]]]  # Pillow decodes to 8 bits
    with pytest.raises(tf.errors.UnimplementedError, match="16 bits only if they are gray"):
        tf.io.decode_png(contents, dtype=tf.uint16)


@pytest.mark.parametrize("compression", [-1, 0, 9])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["noise", "columns", "rows", "ramp", "smooth"])
def test_a_png_file_has_the_pixels(kind: str, channels: int, compression: int) -> None:
    row, column = np.mgrid[:23, :31]
    pixels = {
        "noise": RANDOM.integers(0, 256, (23, 31)),
        "columns": RANDOM.integers(0, 256, (1, 31)) + 0 * row,
        "rows": RANDOM.integers(0, 256, (23, 1)) + 0 * column,
        "ramp": 3 * row + 5 * column,
        "smooth": 100 * (2 + np.sin(row / 5) + np.cos(column / 4)),
    }[kind]
    image = (pixels[:, :, None] * np.arange(1, channels + 1)).astype(np.uint8)
    contents = tf.io.encode_png(image, compression).numpy()
    np.testing.assert_array_equal(tf.io.decode_png(contents), image)
    if compression:
        assert len(contents) < 1.1 * len(_file(image[:, :, 0] if channels == 1 else image, "PNG")) + 20


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "GIF", "BMP"])
def test_damaged_files_are_refused(file_format: str) -> None:
    contents = _file(PIXELS, file_format)
    for damaged in (contents[: len(contents) // 2], contents[:8], b""):
        with pytest.raises(tf.errors.InvalidArgumentError, match="decode_image: "):
            tf.io.decode_image(damaged)


def test_files_that_are_missing_are_not_found(tmp_path: Path) -> None:
    with pytest.raises(tf.errors.NotFoundError, match="No such file"):
        tf.io.read_file(str(tmp_path / "missing"))


def test_without_pillow_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match="pip install"):
        tf.io.decode_png(b"")
    with pytest.raises(ImportError, match="pip install"):
        tf.io.encode_jpeg(PIXELS)


def test_color_png_is_decoded_to_gray_by_libpng_weights():
    # TensorFlow 2.21 gives these levels; Pillow rounds two of them up to 150.
    colors = np.array([[[255, 0, 0], [0, 0, 255], [1, 254, 3], [0, 255, 0], [7, 7, 7]]], np.uint8)
    with_alpha = np.concatenate([colors, np.full((1, 5, 1), 9, np.uint8)], axis=2)
    for pixels in (colors, with_alpha):
        gray = tf.io.decode_png(tf.io.encode_png(pixels), channels=1)
        assert gray.numpy()[0, :, 0].tolist() == [76, 29, 149, 149, 7]
