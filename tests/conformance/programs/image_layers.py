"""Layers that resize, crop and change images."""

from ..refusal import refused


def _pictures(tf, *shape, dtype="float32"):
    count = 1
    for size in shape:
        count *= size
    numbers = tf.range(count, dtype="float64")
    return tf.cast(tf.reshape(127.0 + 127.0 * tf.sin(numbers * numbers * 0.37), shape), dtype)


def sizes(tf):
    layers = tf.keras.layers
    x, odd = _pictures(tf, 2, 6, 9, 3), _pictures(tf, 7, 5, 2)
    questions = {}
    for method in ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"):
        questions[f"resizing {method}"] = lambda method=method: [layers.Resizing(4, 5, method)(y) for y in (x, odd)]
    for dtype in ("uint8", "int32"):
        questions[f"resizing {dtype}"] = lambda dtype=dtype: layers.Resizing(4, 7)(
            _pictures(tf, 2, 6, 9, 3, dtype=dtype)
        )
    return questions | {
        "antialias": lambda: layers.Resizing(3, 4, antialias=True)(x),
        "crop": lambda: [layers.Resizing(h, w, crop_to_aspect_ratio=True)(x) for h, w in ((4, 4), (3, 8), (8, 3))],
        "pad": lambda: [
            layers.Resizing(h, w, pad_to_aspect_ratio=True, fill_value=7.0)(x) for h, w in ((4, 4), (3, 8), (8, 3))
        ],
        "crop and pad": lambda: layers.Resizing(3, 4, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True)(x),
        "channels first": lambda: layers.Resizing(3, 4, data_format="channels_first")(x),
        "unknown method": lambda: layers.Resizing(3, 4, "sinc")(x),
        "rank 2": lambda: refused(lambda: layers.Resizing(3, 4)(odd[0])),
        "shape": lambda: layers.Resizing(3, 4).compute_output_shape((None, 8, 9, 3)),
        "model": lambda: tf.keras.Sequential([tf.keras.Input((6, 9, 3)), layers.Resizing(3, 4)]).output_shape,
        "center": lambda: [layers.CenterCrop(h, w)(y) for y in (x, odd) for h, w in ((3, 4), (5, 5), (9, 4), (8, 12))],
        "center of bytes": lambda: layers.CenterCrop(3, 4)(_pictures(tf, 2, 6, 9, 3, dtype="uint8")),
        "center channels first": lambda: layers.CenterCrop(2, 2, data_format="channels_first")(x),
        "configurations": lambda: [
            {name: layer.get_config()[name] for name in names}
            for layer, names in (
                (
                    layers.Resizing(3, 4, fill_value=2.0),
                    ("height", "width", "interpolation", "fill_value", "data_format"),
                ),
                (layers.CenterCrop(3, 4), ("height", "width", "data_format")),
                (layers.RandomFlip("vertical", seed=3), ("mode", "seed", "data_format")),
                (layers.RandomCrop(3, 4, seed=3), ("height", "width", "seed", "data_format")),
                (layers.RandomContrast((0.1, 0.2), seed=3), ("factor", "value_range", "seed")),
            )
        ],
    }


def random(tf):
    layers = tf.keras.layers
    x = _pictures(tf, 2, 6, 9, 3)
    return {
        "out of training": lambda: [
            layer(x, training=False) for layer in (layers.RandomFlip(), layers.RandomContrast(0.3))
        ],
        "of bytes": lambda: [
            layer(_pictures(tf, 2, 6, 9, 3, dtype="uint8"), training=False).dtype for layer in (layers.RandomFlip(),)
        ],
        "shapes": lambda: [
            tuple(layer(y, training=True).shape)
            for layer in (
                layers.RandomFlip(),
                layers.RandomContrast(0.3),
                layers.RandomCrop(3, 4),
            )
            for y in (x, x[0])
        ],
        "crop of the same size": lambda: layers.RandomCrop(6, 9)(x, training=True),
        "crop of smaller images": lambda: layers.RandomCrop(12, 12)(x, training=True).shape,
        "contrast of nothing": lambda: layers.RandomContrast(0.0)(x, training=True),
        "contrast out of range": lambda: layers.RandomContrast(-0.5),
        "rank 2": lambda: layers.RandomFlip()(x[0, 0], training=True),
    }
