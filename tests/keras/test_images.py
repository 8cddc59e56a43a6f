"""Images as arrays and files: what tests/conformance/programs/pictures.py does not ask of Keras."""

import io
import os
import struct
import sys

import numpy as np
import pytest

from fastgrad import keras

PIL = pytest.importorskip("PIL")
pytest.importorskip("PIL.Image")
utils = keras.utils
PIXELS = (np.arange(4 * 5 * 3) * 37 % 256).reshape(4, 5, 3).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_arrays_and_images_there_and_back(channels, data_format):
    array = PIXELS[:, :, :channels]
    array = array.transpose(2, 0, 1) if data_format == "channels_first" else array
    img = utils.array_to_img(array, data_format, scale=False)
    assert (img.mode, img.size) == ({1: "L", 3: "RGB"}[channels], (5, 4))
    found = utils.img_to_array(img, data_format)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, array)


def test_scaling_goes_from_0_to_255():
    found = utils.img_to_array(utils.array_to_img(PIXELS / 100.0 - 1.0))
    assert (found.min(), found.max()) == (0, 255)
    np.testing.assert_array_equal(utils.img_to_array(utils.array_to_img(np.ones((2, 2, 3)))), np.zeros((2, 2, 3)))


def test_large_grey_numbers_keep_their_size():
    img = utils.array_to_img(np.full((2, 2, 1), 70000.0), scale=False)
    assert img.mode == "I"
    assert utils.img_to_array(img).max() == 70000.0


def test_files(tmp_path):
    path = tmp_path / "a.png"
    utils.save_img(path, PIXELS, scale=False)
    for source in (path, str(path), str(path).encode(), io.BytesIO(path.read_bytes())):
        np.testing.assert_array_equal(utils.img_to_array(utils.load_img(source)), PIXELS)
    assert utils.load_img(path, color_mode="grayscale").mode == "L"
    assert utils.load_img(path, color_mode="rgba").mode == "RGBA"
    small = utils.img_to_array(utils.load_img(path, target_size=(2, 2), keep_aspect_ratio=True, interpolation="box"))
    np.testing.assert_allclose(small, PIXELS[:, :4].reshape(2, 2, 2, 2, 3).mean((1, 3)), atol=1)


def test_jpeg_has_no_transparency(tmp_path):
    with pytest.warns(UserWarning, match="does not support RGBA"):
        utils.save_img(tmp_path / "a.jpg", np.ones((4, 4, 4)))
    assert utils.load_img(tmp_path / "a.jpg").mode == "RGB"


def test_a_folder_of_images_trains_a_model(tmp_path):
    for name, values in (("dark", 20), ("light", 200)):
        (tmp_path / name).mkdir()
        for number in range(4):
            utils.save_img(tmp_path / name / f"{number}.png", np.full((6, 6, 3), values + number), scale=False)
    data = utils.image_dataset_from_directory(tmp_path, image_size=(4, 4), batch_size=4, seed=1, label_mode="binary")
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.layers.Rescaling(1 / 127.5, -1.0), keras.layers.Flatten(), keras.layers.Dense(1, "sigmoid")]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    assert model.fit(data, epochs=30, verbose=0).history["accuracy"][-1] == 1.0
    orders = [np.concatenate([np.asarray(x)[:, 0, 0, 0] for x, _ in data]) for _ in range(2)]
    assert not np.array_equal(*orders)
    np.testing.assert_array_equal(*map(np.sort, orders))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: utils.array_to_img(np.ones((2, 2))), ValueError, "rank 3"),
        (lambda: utils.array_to_img(np.ones((2, 2, 2))), ValueError, "channel number: 2"),
        (lambda: utils.img_to_array(np.ones((2, 2, 2, 2))), ValueError, "image shape"),
        (lambda: utils.load_img(3), TypeError, "must be a path"),
        (lambda: utils.load_img(io.BytesIO(b"no image")), OSError, "cannot identify"),
        (lambda: utils.image_dataset_from_directory(".", color_mode="cmyk"), ValueError, "color_mode"),
        (lambda: utils.image_dataset_from_directory(".", image_size=(1, 2, 3)), ValueError, "image_size"),
        (lambda: utils.image_dataset_from_directory(".", format="grain"), ValueError, "Grain"),
        (
            lambda: utils.image_dataset_from_directory(".", pad_to_aspect_ratio=True, crop_to_aspect_ratio=True),
            ValueError,
            "Only one",
        ),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_an_empty_folder_is_said_to_be_empty(tmp_path):
    with pytest.raises(ValueError, match=r"No image files found in directory .*\.png"):
        utils.image_dataset_from_directory(tmp_path, labels=None, verbose=False)


def test_without_pillow_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"pip install .fastgrad\[images\]"):
        utils.array_to_img(PIXELS)


def test_damaged_images_name_the_file(tmp_path):
    path = tmp_path / "image.png"
    pixels = np.arange(4 * 5 * 3, dtype=np.float32).reshape(4, 5, 3)
    keras.utils.save_img(path, pixels, scale=False)
    whole = path.read_bytes()
    for contents in (whole[:60], whole[:-14], whole[:45] + b"?" + whole[46:], whole[:-20] + b"?" + whole[-19:]):
        path.write_bytes(contents)
        with pytest.raises(OSError, match=r"image\.png"):
            keras.utils.load_img(path)
    path.write_bytes(b"no image")
    with pytest.raises(PIL.UnidentifiedImageError, match=r"image\.png"):
        keras.utils.load_img(path)
    assert keras.utils.load_img(io.BytesIO(whole)).size == (5, 4)


def test_pixels_that_the_file_cannot_hold_are_refused(tmp_path):
    header = b"BM" + struct.pack("<IIIIiiHHIIIIII", 60, 0, 54, 40, 9000, 9000, 1, 24, 0, 0, 0, 0, 0, 0)
    for rows, message in ((b"", "announces 9000 x 9000 pixels in 54 bytes"), (bytes(1 << 20), "truncated")):
        (tmp_path / "image.bmp").write_bytes(header + rows)
        with pytest.raises(OSError, match=message):
            keras.utils.load_img(tmp_path / "image.bmp")


def test_postscript_is_not_run(tmp_path):
    (tmp_path / "image.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\nshowpage\n%%EOF\n"
    )
    with pytest.raises(OSError, match="PostScript is a program"):
        keras.utils.load_img(tmp_path / "image.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
@pytest.mark.parametrize("ending", ["png", "txt"])
def test_folders_with_pipes_and_devices_are_not_waited_for(tmp_path, ending):
    read = {"png": keras.utils.image_dataset_from_directory, "txt": keras.utils.text_dataset_from_directory}[ending]
    (tmp_path / "class").mkdir()
    path = tmp_path / "class" / f"a.{ending}"
    os.mkfifo(path)
    for _ in range(2):
        with pytest.raises(OSError, match="no regular file"):
            list(read(tmp_path, verbose=False))
        path.unlink()
        path.symlink_to("/dev/zero")
