"""Images in folders as datasets: what of each file comes, in which order, with which labels, in every interpolation."""

import pathlib
import struct
import tempfile
import zlib

import numpy as np

# Without lanczos, which TensorFlow computes less exactly: every_layer asks about it.
METHODS = ["bilinear", "nearest", "bicubic", "area", "gaussian", "mitchellcubic"]
SIZES = {"b": [(4, 4), (5, 3)], "a": [(3, 5), (4, 6), (6, 5)]}


def _png(pixels):
    """The bytes of a PNG file of (height, width, 3 or 4) pixels."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, {3: 2, 4: 6}[channels], 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    chunks = [struct.pack(">I", len(x)) + kind + x + struct.pack(">I", zlib.crc32(kind + x)) for kind, x in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _folder():
    folder = tempfile.TemporaryDirectory()
    number = 0
    for name, sizes in SIZES.items():
        pathlib.Path(folder.name, name).mkdir()
        for size in sizes:
            number += 1
            channels = 4 if number == 3 else 3
            pixels = (np.arange(np.prod(size) * channels) * 37 * number % 251).reshape(*size, channels).astype(np.uint8)
            pathlib.Path(folder.name, name, f"{number}.png").write_bytes(_png(pixels))
    pathlib.Path(folder.name, "a", "notes.md").write_text("no image", encoding="ascii")
    pathlib.Path(folder.name, "b", "text.txt").write_text("a text", encoding="ascii")
    return folder


def _shown(dataset):
    names = [pathlib.Path(path).name for path in getattr(dataset, "file_paths", [])]
    return [list(dataset), names, dataset.class_names]


def images(tf):
    def ask(**options):
        with _folder() as folder:
            options = {"image_size": (4, 4), "shuffle": False, "verbose": False, **options}
            found = tf.keras.utils.image_dataset_from_directory(folder, **options)
            return [_shown(one) for one in found] if isinstance(found, list) else _shown(found)

    answers = {f"interpolation {name}": (lambda name=name: ask(interpolation=name)) for name in METHODS}
    answers |= {
        f"{form} {name}": (lambda form=form, name=name: ask(**{form: True}, image_size=(2, 5), interpolation=name))
        for form in ("crop_to_aspect_ratio", "pad_to_aspect_ratio")
        for name in ("bilinear", "nearest", "bicubic")
    }
    return answers | {
        "categorical": lambda: ask(label_mode="categorical")[0][0][1],
        "binary": lambda: ask(label_mode="binary")[0][0][1],
        "no labels": lambda: ask(labels=None),
        "given labels": lambda: ask(labels=[1, 4, 0, 2, 2], batch_size=2),
        "class names": lambda: ask(class_names=["b", "a"])[1:],
        "one class": lambda: ask(class_names=["b"])[1:],
        "rgba": lambda: ask(color_mode="rgba"),
        "channels first": lambda: ask(data_format="channels_first"),
        "no batches": lambda: ask(batch_size=None),
        "training": lambda: ask(validation_split=0.4, subset="training"),
        "validation": lambda: ask(validation_split=0.4, subset="validation"),
        "both": lambda: ask(validation_split=0.4, subset="both"),
        "shuffled before it is split": lambda: ask(validation_split=0.4, subset="validation", shuffle=True, seed=3)[1:],
        "too few labels": lambda: ask(labels=[1, 2]),
        "unknown class": lambda: ask(class_names=["c"]),
        "unknown interpolation": lambda: ask(interpolation="cubic"),
        "half a split": lambda: ask(subset="training"),
        "split without seed": lambda: ask(validation_split=0.4, subset="training", shuffle=True),
    }


def texts(tf):
    def ask(**options):
        with _folder() as folder:
            options = {"shuffle": False, "verbose": False, **options}
            return _shown(tf.keras.utils.text_dataset_from_directory(folder, **options))[::2]

    return {
        "labels": ask,
        "cut": lambda: ask(max_length=3, batch_size=None),
        "no labels": lambda: ask(label_mode=None),
        "binary": lambda: ask(label_mode="binary"),
    }


def windows(tf):
    data, targets = np.arange(12.0).reshape(6, 2), np.arange(6) * 10

    def ask(targets, length, **options):
        return list(tf.keras.utils.timeseries_dataset_from_array(data, targets, length, **options))

    return {
        "without targets": lambda: ask(None, 3),
        "with targets": lambda: ask(targets, 3, batch_size=2),
        "strides and rates": lambda: ask(targets, 2, sequence_stride=2, sampling_rate=2),
        "fewer targets": lambda: ask(targets[:2], 2),
        "between": lambda: ask(targets, 2, start_index=1, end_index=4),
        "no batches": lambda: ask(targets, 4, batch_size=None),
        "too long": lambda: ask(targets, 9),
        "rate of 0": lambda: ask(targets, 2, sampling_rate=0),
        "start behind the end": lambda: ask(targets, 2, start_index=6),
        "end before the start": lambda: ask(targets, 2, start_index=3, end_index=2),
    }


def smart_resize(tf):
    resize = tf.keras.preprocessing.image.smart_resize
    image = (np.arange(5 * 7 * 3) * 37 % 251).reshape(5, 7, 3).astype(np.float32)
    first = np.ascontiguousarray(image.transpose(2, 0, 1))
    answers = {f"by {method}": lambda method=method: resize(image, (3, 4), method) for method in METHODS}
    return answers | {
        "larger": lambda: resize(image, (9, 8)),
        "narrower": lambda: resize(image, [4, 1]),
        "of bytes": lambda: resize(image.astype(np.uint8), (3, 3)),
        "of bytes by nearest": lambda: resize(image.astype(np.uint8), (3, 3), "nearest"),
        "of several": lambda: resize(np.stack([image, image[::-1]]), (3, 4)),
        "of a tensor": lambda: resize(tf.constant(image), (3, 4)),
        "channels first": lambda: resize(first, (3, 4), data_format="channels_first"),
        "of a matrix": lambda: resize(image[..., 0], (3, 4)),
        "to one number": lambda: resize(image, (3,)),
        "by an unknown method": lambda: resize(image, (3, 4), "sharp"),
    }


def older_names(tf):
    old, new = tf.keras.preprocessing, tf.keras.utils
    return {
        "pad_sequences": lambda: old.sequence.pad_sequences([[1, 2], [3]]),
        "img_to_array": lambda: old.image.img_to_array(np.ones((2, 2))),
        "are the same": lambda: [
            old.image_dataset_from_directory is new.image_dataset_from_directory,
            old.text_dataset_from_directory is new.text_dataset_from_directory,
            old.timeseries_dataset_from_array is new.timeseries_dataset_from_array,
            old.sequence.pad_sequences is new.pad_sequences,
            old.image.load_img is new.load_img,
        ],
    }
