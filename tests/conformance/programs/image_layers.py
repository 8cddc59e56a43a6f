"""Layers that resize, crop and change images."""

import numpy as np

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
                (layers.RandomBrightness(0.2, seed=3), ("factor", "value_range", "seed")),
                (layers.RandomContrast((0.1, 0.2), seed=3), ("factor", "value_range", "seed")),
            )
        ],
    }


def random(tf):
    layers = tf.keras.layers
    x = _pictures(tf, 2, 6, 9, 3)
    return {
        "out of training": lambda: [
            layer(x, training=False)
            for layer in (layers.RandomFlip(), layers.RandomBrightness(0.3), layers.RandomContrast(0.3))
        ],
        "of bytes": lambda: [
            layer(_pictures(tf, 2, 6, 9, 3, dtype="uint8"), training=False).dtype for layer in (layers.RandomFlip(),)
        ],
        "shapes": lambda: [
            tuple(layer(y, training=True).shape)
            for layer in (
                layers.RandomFlip(),
                layers.RandomBrightness(0.3),
                layers.RandomContrast(0.3),
                layers.RandomCrop(3, 4),
            )
            for y in (x, x[0])
        ],
        "crop of the same size": lambda: layers.RandomCrop(6, 9)(x, training=True),
        "crop of smaller images": lambda: layers.RandomCrop(12, 12)(x, training=True).shape,
        "brightness of one number": lambda: layers.RandomBrightness((0.1, 0.1 + 1e-9))(x, training=True),
        "brightness out of range": lambda: layers.RandomBrightness(1.5),
        "brightness of a wrong range": lambda: layers.RandomBrightness(0.5, value_range=3),
        "contrast of nothing": lambda: layers.RandomContrast(0.0)(x, training=True),
        "contrast out of range": lambda: layers.RandomContrast(-0.5),
        "rank 2": lambda: layers.RandomFlip()(x[0, 0], training=True),
    }


def fixed_draws(tf):
    """Layers whose factors leave nothing to chance."""
    layers = tf.keras.layers
    x, bytes_ = _pictures(tf, 2, 6, 9, 3), _pictures(tf, 2, 6, 9, 3, dtype="uint8")
    first = tf.transpose(x, [0, 3, 1, 2])
    fixed = {
        "AutoContrast": {},
        "CutMix": {"factor": 1.0},
        "Equalization": {"bins": 64},
        "MixUp": {"alpha": 0.3},
        "RandomColorDegeneration": {"factor": (0.3, 0.3)},
        "RandomErasing": {"factor": (1.0, 1.0), "scale": (1.0, 1.0), "fill_value": (3, 5, 7)},
        "RandomGaussianBlur": {"factor": (1.0, 1.0), "sigma": (0.7, 0.7), "kernel_size": (3, 5)},
        "RandomGrayscale": {"factor": 1.0},
        "RandomHue": {"factor": (0.0, 0.0)},
        "RandomInvert": {"factor": (1.0, 1.0)},
        "RandomPerspective": {"scale": 0.0},
        "RandomPosterization": {"factor": (3, 3)},
        "RandomSaturation": {"factor": (0.7, 0.7)},
        "RandomSharpness": {"factor": (0.8, 0.8)},
        "RandomShear": {},
        "Solarization": {},
    }
    questions = {}

    def configuration(layer):
        values = {key: value for key, value in layer.get_config().items() if key not in ("name", "dtype", "seed")}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    for name, options in fixed.items():
        kind = getattr(layers, name)
        batches = [x[:1], x[0]] if name in ("CutMix", "MixUp") else [x, x[0]]
        questions |= {
            name: lambda kind=kind, options=options, batches=batches: [
                kind(**options)(y, training=True) for y in batches
            ],
            f"{name} out of training": lambda kind=kind, options=options: kind(**options)(x, training=False),
            f"{name} shape": lambda kind=kind, options=options: tuple(
                kind(**options).compute_output_shape((None, 6, 9, 3))
            ),
            f"{name} configuration": lambda kind=kind, options=options: configuration(kind(**options)),
        }
        if name == "RandomSharpness":  # values near 0 are differences of rounded ones
            questions[name] = lambda kind=kind, options=options: np.round(kind(**options)(x, training=True), 2)
        if name not in ("AutoContrast", "CutMix", "MixUp", "RandomErasing"):  # Keras has other axes there
            questions[f"{name} channels first"] = lambda kind=kind, options=options: kind(
                data_format="channels_first", **options
            )(first, training=True)
        if name not in ("RandomGrayscale", "RandomSaturation", "CutMix", "MixUp"):
            questions[f"{name} of bytes"] = lambda kind=kind, options=options: kind(**options)(bytes_, training=True)
    for name in ("AutoContrast", "Equalization", "Solarization"):
        questions[f"{name} of a range"] = lambda name=name: getattr(layers, name)(value_range=(0, 1))(
            x / 256.0, training=True
        )
    for name, factor in (
        ("RandomPosterization", (5, 5)),
        ("RandomSharpness", (0.2, 0.2)),
        ("RandomColorDegeneration", (1, 1)),
    ):
        questions[f"{name} of a range"] = lambda name=name, factor=factor: getattr(layers, name)(
            factor, value_range=(0, 1)
        )(x / 256.0, training=True)
    return questions | {
        "posters of default bounds": lambda: layers.RandomPosterization(4).factor,
        "jitter of brightness and saturation": lambda: layers.RandomColorJitter(
            brightness_factor=(0.1, 0.1), saturation_factor=(0.6, 0.6)
        )(x, training=True),
        "configurations of chains": lambda: [
            configuration(layer()) for layer in (layers.RandAugment, layers.AugMix, layers.RandomColorJitter)
        ],
        "shapes of chains": lambda: [
            list(layer()(x, training=True).shape) for layer in (layers.RandAugment, layers.AugMix)
        ],
    }
