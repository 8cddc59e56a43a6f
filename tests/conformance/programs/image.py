"""Images: resizing, geometry, colours, comparisons, boxes, files, with gradients."""

import base64

from ..differentiation import gradients, value_and_gradients
from ..refusal import refused

_METHODS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")


def _picture(tf, *shape, dtype="float32"):
    count = 1
    for size in shape:
        count *= size
    numbers = tf.range(count, dtype="float64")
    floats = tf.reshape(0.5 + 0.5 * tf.sin(numbers * numbers * 0.37 + 0.3), shape)
    if dtype in ("uint8", "int32", "uint16"):
        return tf.cast(floats * 255.0, dtype)
    return tf.cast(floats, dtype)


def _weighted(tf, function, *inputs):
    """The value, and gradients of a loss that weights each element otherwise."""

    def loss(*values):
        result = function(*values)
        return tf.reduce_sum(_picture(tf, *result.shape) * tf.cast(result, "float32") ** 2)

    return function(*inputs), value_and_gradients(tf, loss, *inputs)


def _value(tf, function, *inputs):
    return function(*inputs)


def resize(tf):
    image = tf.image
    questions = {}
    for method in _METHODS:
        for antialias in (False, True):
            for size in ((4, 9), (13, 3), (7, 5), (1, 1)):
                questions[f"{method} {antialias} to {size}"] = lambda method=method, antialias=antialias, size=size: (
                    # TensorFlow has no gradient of "area".
                    (_weighted if method != "area" else _value)(
                        tf, lambda x: image.resize(x, size, method, antialias=antialias), _picture(tf, 7, 5, 2)
                    )
                )
        for dtype in ("uint8", "int32", "float16", "float64", "uint16"):
            questions[f"{method} of {dtype}"] = lambda method=method, dtype=dtype: image.resize(
                _picture(tf, 2, 5, 6, 1, dtype=dtype), (8, 3), method
            )
        questions[f"{method} compiled"] = lambda method=method: tf.function(
            lambda x: image.resize(x, [9, 4], method, antialias=True)
        )(_picture(tf, 2, 6, 7, 3))
    for size in range(1, 25):
        # The rows of one picture tell which pixel is nearest, for each pair of sizes.
        questions[f"nearest of {size} pixels"] = lambda size=size: [
            image.resize(tf.reshape(tf.range(size), (1, size, 1)), (1, new), "nearest") for new in range(1, 40, 3)
        ]
        questions[f"bilinear of {size} pixels"] = lambda size=size: [
            image.resize(tf.reshape(tf.range(size), (size, 1, 1)), (new, 1)) for new in range(1, 40, 9)
        ]
    return questions | {
        "by names": lambda: image.resize(_picture(tf, 3, 4, 1), [2, 2], image.ResizeMethod.NEAREST_NEIGHBOR),
        "keeping proportions": lambda: [
            image.resize(_picture(tf, 5, 8, 1), size, preserve_aspect_ratio=True)
            for size in ([10, 10], [3, 20], [4, 4])
        ],
        "of a tensor as size": lambda: image.resize(_picture(tf, 5, 8, 1), tf.constant([3, 4])),
        "of rank 2": lambda: image.resize(_picture(tf, 5, 8), [3, 4]),
        "to one number": lambda: image.resize(_picture(tf, 5, 8, 1), 3),
        "to three numbers": lambda: image.resize(_picture(tf, 5, 8, 1), [3, 4, 5]),
        "to nothing": lambda: image.resize(_picture(tf, 5, 8, 1), [0, 4]),
        "to negative": lambda: image.resize(_picture(tf, 5, 8, 1), [-3, 4]),
        "by an unknown method": lambda: image.resize(_picture(tf, 5, 8, 1), [3, 4], "sinc"),
        "of nothing": lambda: image.resize(tf.zeros((0, 3, 1)), [3, 4]),
        "of no images": lambda: image.resize(tf.zeros((0, 3, 4, 1)), [5, 5]),
        "with NaN": lambda: image.resize(tf.constant([[[1.0], [float("nan")], [3.0], [4.0], [5.0]]]), [1, 10]),
        "with padding": lambda: [
            image.resize_with_pad(_picture(tf, 5, 8, 1), h, w) for h, w in ((6, 6), (10, 30), (3, 3), (20, 7))
        ],
        "with padding of a batch": lambda: _weighted(
            tf, lambda x: image.resize_with_pad(x, 6, 6, "bicubic", antialias=True), _picture(tf, 2, 5, 8, 1)
        ),
        "with padding to nothing": lambda: image.resize_with_pad(_picture(tf, 5, 8, 1), 0, 3),
    }


def geometry(tf):
    image = tf.image
    x, batch = _picture(tf, 4, 5, 2), _picture(tf, 2, 4, 5, 2)
    questions = {}
    for name in ("flip_left_right", "flip_up_down", "transpose", "rot90"):
        function = getattr(image, name)
        questions |= {
            f"{name}": lambda function=function: [function(x), function(batch)],
            f"{name} gradient": lambda function=function: _weighted(tf, function, x),
            f"{name} of rank 2": lambda function=function: function(_picture(tf, 3, 4)),
            f"{name} of rank 5": lambda function=function: function(_picture(tf, 1, 1, 3, 4, 1)),
            f"{name} of nothing": lambda function=function: function(tf.zeros((0, 3, 1))),
            f"{name} compiled": lambda function=function: tf.function(function)(batch),
        }
    return questions | {
        "rot90 by k": lambda: [image.rot90(y, k) for y in (x, batch) for k in (-1, 0, 2, 3, 5, tf.constant(2))],
        "central_crop": lambda: [image.central_crop(y, f) for y in (x, batch) for f in (0.3, 0.5, 0.9, 1.0)],
        "central_crop out of range": lambda: image.central_crop(x, 1.5),
        "central_crop by 0": lambda: image.central_crop(x, 0.0),
        "central_crop of rank 2": lambda: image.central_crop(_picture(tf, 3, 4), 0.5),
        "pad": lambda: [image.pad_to_bounding_box(y, 1, 2, 7, 9) for y in (x, batch)],
        "pad by nothing": lambda: image.pad_to_bounding_box(x, 0, 0, 4, 5),
        "pad to less": lambda: image.pad_to_bounding_box(x, 1, 0, 4, 5),
        "pad from below 0": lambda: image.pad_to_bounding_box(x, -1, 0, 9, 9),
        "pad of rank 2": lambda: image.pad_to_bounding_box(_picture(tf, 3, 4), 0, 0, 9, 9),
        "crop": lambda: [image.crop_to_bounding_box(y, 1, 2, 2, 3) for y in (x, batch)],
        "crop gradient": lambda: _weighted(tf, lambda y: image.crop_to_bounding_box(y, 1, 2, 2, 3), x),
        "crop beyond": lambda: image.crop_to_bounding_box(x, 1, 2, 4, 3),
        "crop from below 0": lambda: image.crop_to_bounding_box(x, -1, 2, 2, 3),
        "crop to nothing": lambda: image.crop_to_bounding_box(x, 1, 2, 0, 3),
        "crop or pad": lambda: [
            image.resize_with_crop_or_pad(y, h, w)
            for y in (x, batch)
            for h, w in ((2, 8), (7, 2), (4, 5), (3, 4), (5, 6))
        ],
        "crop or pad to nothing": lambda: image.resize_with_crop_or_pad(x, 0, 2),
        "patches": lambda: [
            image.extract_patches(_picture(tf, 2, 6, 7, 2), [1, *sizes, 1], [1, *strides, 1], [1, *rates, 1], padding)
            for sizes in ((2, 3), (1, 1))
            for strides in ((1, 1), (2, 3))
            for rates in ((1, 1), (2, 1))
            for padding in ("SAME", "VALID")
        ],
        "patches gradient": lambda: _weighted(
            tf,
            lambda y: image.extract_patches(y, [1, 3, 3, 1], [1, 2, 1, 1], [1, 1, 2, 1], "SAME"),
            _picture(tf, 1, 5, 6, 2),
        ),
        "patches of integers": lambda: image.extract_patches(
            _picture(tf, 1, 5, 6, 2, dtype="uint8"), [1, 3, 3, 1], [1, 2, 1, 1], [1, 1, 1, 1], "SAME"
        ),
        "patches of rank 3": lambda: image.extract_patches(x, [1, 2, 2, 1], [1, 1, 1, 1], [1, 1, 1, 1], "SAME"),
        "patches larger than the image": lambda: image.extract_patches(
            batch, [1, 9, 9, 1], [1, 1, 1, 1], [1, 1, 1, 1], "VALID"
        ),
    }


def colors(tf):
    image = tf.image
    dtypes = ("uint8", "uint16", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
    questions = {}
    for source in dtypes:
        values = [0.0, 0.25, 0.999, 1.0, 1.5, -0.5] if source.startswith("float") else [0, 1, 100, 127]
        for target in dtypes:
            for saturate in (False, True):
                if source.startswith("float") and not target.startswith("float") and not saturate:
                    numbers = [0.0, 0.25, 0.5, 0.75]  # others have no value in the target
                else:
                    numbers = values
                if source.startswith("float") and target in ("int32", "int64"):
                    numbers = [0.0, 0.25, 0.5]
                if source == "float16" and target not in ("uint8", "int8"):
                    numbers = [0.0]
                questions[f"{source} to {target} {saturate}"] = lambda s=source, t=target, k=saturate, n=numbers: (
                    image.convert_image_dtype(tf.constant(n, s), t, saturate=k)
                )
    adjustments = {
        "brightness": lambda x: image.adjust_brightness(x, 0.3),
        "darkness": lambda x: image.adjust_brightness(x, -0.3),
        "contrast": lambda x: image.adjust_contrast(x, 2.5),
        "hue": lambda x: image.adjust_hue(x, 0.2),
        "hue back": lambda x: image.adjust_hue(x, -0.7),
        "saturation": lambda x: image.adjust_saturation(x, 1.8),
        "less saturation": lambda x: image.adjust_saturation(x, 0.4),
        "standardization": image.per_image_standardization,
        "grayscale": image.rgb_to_grayscale,
    }
    for name, function in adjustments.items():
        # TensorFlow computes images of float64 in float32, and has no kernels for contrast, hue and saturation of float16.
        for dtype in ("float32", "float64", "uint8"):
            questions[f"{name} of {dtype}"] = lambda f=function, d=dtype: [
                (tf.cast(y, "float32"), y.dtype) for y in [f(_picture(tf, 4, 5, 3, dtype=d))]
            ]
        if name in ("brightness", "darkness", "standardization", "grayscale"):
            questions[f"{name} of float16"] = lambda f=function: f(_picture(tf, 4, 5, 3, dtype="float16"))
        questions[f"{name} of a batch"] = lambda f=function: f(_picture(tf, 2, 4, 5, 3))
        questions[f"{name} of rank 1"] = lambda f=function: f(tf.constant([0.1, 0.5, 0.2]))
        questions[f"{name} compiled"] = lambda f=function: tf.function(f)(_picture(tf, 4, 5, 3))
    for name in ("brightness", "standardization", "grayscale"):
        questions[f"{name} gradient"] = lambda f=adjustments[name]: _weighted(tf, f, _picture(tf, 3, 2, 3))
    for name in ("rgb_to_hsv", "hsv_to_rgb", "rgb_to_yuv"):
        function = getattr(image, name)
        for dtype in ("float32", "float64"):
            questions[f"{name} of {dtype}"] = lambda f=function, d=dtype: f(_picture(tf, 2, 4, 5, 3, dtype=d))
        questions[f"{name} of 4 channels"] = lambda f=function: f(_picture(tf, 2, 4))
        questions[f"{name} of a vector"] = lambda f=function: f(tf.constant([0.1, 0.5, 0.2]))
        if name != "hsv_to_rgb":
            questions[f"{name} gradient"] = lambda f=function: _weighted(tf, f, _picture(tf, 3, 2, 3))
    grays = tf.constant(
        [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5], [1.0, 0.5, 0.5], [0.2, 0.2, 0.1], [-0.3, 0.1, -0.2], [2.0, 3.0, 1.0]]
    )
    return questions | {
        "hsv of grays": lambda: image.rgb_to_hsv(grays),
        "hsv gradient of grays": lambda: gradients(
            tf, lambda x: tf.reduce_sum(image.rgb_to_hsv(x) * [1.0, 2.0, 3.0]), grays[2:4]
        ),
        "hue of grays": lambda: image.adjust_hue(grays[:, None], 0.3),
        "saturation of grays": lambda: image.adjust_saturation(grays[:, None], 1.3),
        "hue out of range": lambda: image.adjust_hue(grays, 1.5),
        "grayscale to colours": lambda: image.grayscale_to_rgb(_picture(tf, 2, 3, 1)),
        "two channels to colours": lambda: image.grayscale_to_rgb(_picture(tf, 2, 3, 2)),
        "a vector to colours": lambda: image.grayscale_to_rgb(tf.constant([0.5])),
        "standardization of one colour": lambda: image.per_image_standardization(tf.ones((2, 2, 3))),
        "of strings": lambda: image.convert_image_dtype(tf.constant(["a"]), "float32"),
        "to booleans": lambda: image.convert_image_dtype(tf.constant([1.0]), "bool"),
    }


def quality(tf):
    image = tf.image
    x, y = _picture(tf, 2, 20, 22, 3), _picture(tf, 2, 20, 22, 3) ** 1.3
    return {
        "total variation": lambda: [image.total_variation(x), image.total_variation(x[0])],
        "total variation gradient": lambda: gradients(tf, image.total_variation, x[0, :3, :4]),
        "total variation of rank 2": lambda: image.total_variation(tf.ones((2, 2))),
        "gradients": lambda: image.image_gradients(x[:, :4, :5]),
        "gradients of rank 3": lambda: image.image_gradients(x[0]),
        "sobel": lambda: _weighted(tf, image.sobel_edges, x[:, :4, :5]),
        "psnr": lambda: [image.psnr(x, y, 1.0), image.psnr(x[0], y[0], max_val=2.0)],
        "psnr of integers": lambda: image.psnr(
            _picture(tf, 4, 5, 3, dtype="uint8"), _picture(tf, 4, 5, 3, dtype="uint8") // 2, 255
        ),
        "psnr of equal images": lambda: image.psnr(x, x, 1.0),
        "psnr gradient": lambda: gradients(tf, lambda a, b: image.psnr(a, b, 1.0), x[0, :3, :3], 1.0 - x[0, :3, :3]),
        "psnr of other shapes": lambda: image.psnr(x, y[:, :3], 1.0),
        "psnr of rank 2": lambda: image.psnr(x[0, 0], y[0, 0], 1.0),
        "psnr with broadcast": lambda: image.psnr(x, y[:1], 1.0),
        "ssim": lambda: [image.ssim(x, y, 1.0), image.ssim(x[0], y[0], 1.0), image.ssim(x, x, 1.0)],
        "ssim of options": lambda: image.ssim(x, y, 1.0, filter_size=5, filter_sigma=0.8, k1=0.02, k2=0.05),
        "ssim map": lambda: image.ssim(x, y, 1.0, return_index_map=True),
        "ssim of integers": lambda: image.ssim(
            _picture(tf, 12, 15, 3, dtype="uint8"), _picture(tf, 12, 15, 3, dtype="uint8") // 2, 255
        ),
        "ssim gradient": lambda: gradients(tf, lambda a: image.ssim(a, y[0, :12, :12], 1.0), x[0, :12, :12]),
        "ssim of small images": lambda: image.ssim(x[:, :5], y[:, :5], 1.0),
        "ssim compiled": lambda: tf.function(lambda a, b: image.ssim(a, b, 1.0))(x, y),
    }


def boxes(tf):
    image = tf.image
    x = _picture(tf, 2, 6, 7, 2)
    corners = tf.constant([[0.1, 0.2, 0.8, 0.9], [0.9, 0.7, 0.2, 0.1], [-0.3, 0.5, 0.5, 1.4], [0.0, 0.0, 1.0, 1.0]])
    indices = tf.constant([0, 1, 1, 0])
    many = tf.reshape(_picture(tf, 30, 4), (30, 4))
    scores = tf.reshape(_picture(tf, 40), (40,))[10:]

    def crop(*arguments, **options):
        return lambda: _weighted(
            tf, lambda a, b: image.crop_and_resize(a, b, indices, *arguments, **options), x, corners
        )

    return {
        "crop": crop([4, 5]),
        "crop to one pixel": crop([1, 1]),
        "crop to one row": crop([1, 6]),
        "crop by nearest": lambda: image.crop_and_resize(x, corners, indices, [4, 5], "nearest"),
        "crop with a value": lambda: image.crop_and_resize(x, corners, indices, [4, 5], extrapolation_value=9.0),
        "crop of integers": lambda: image.crop_and_resize(
            _picture(tf, 2, 6, 7, 2, dtype="uint8"), corners, indices, [4, 5]
        ),
        "crop of float64": lambda: image.crop_and_resize(
            _picture(tf, 2, 6, 7, 2, dtype="float64"), corners, indices, [4, 5]
        ),
        "crop of an unknown image": lambda: refused(lambda: image.crop_and_resize(x, corners, [0, 1, 2, 0], [4, 5])),
        "crop of other lengths": lambda: image.crop_and_resize(x, corners, [0, 1], [4, 5]),
        "crop to nothing": lambda: image.crop_and_resize(x, corners, indices, [0, 5]),
        "crop by an unknown method": lambda: image.crop_and_resize(x, corners, indices, [4, 5], "area"),
        "crop compiled": lambda: tf.function(lambda a, b: image.crop_and_resize(a, b, indices, [3, 3]))(x, corners),
        "suppression": lambda: [
            image.non_max_suppression(many, scores, count, threshold)
            for count in (0, 3, 30, 100)
            for threshold in (0.0, 0.2, 0.5, 1.0)
        ],
        "suppression by score": lambda: image.non_max_suppression(many, scores, 30, 0.3, 0.5),
        "suppression of equal scores": lambda: image.non_max_suppression(many, tf.ones((30,)), 30, 0.3),
        "suppression of nothing": lambda: image.non_max_suppression(tf.zeros((0, 4)), tf.zeros((0,)), 3),
        "suppression with scores": lambda: image.non_max_suppression_with_scores(many, scores, 30, 0.3, 0.2),
        "soft suppression": lambda: [
            image.non_max_suppression_with_scores(many, scores, 30, threshold, 0.1, sigma)
            for threshold in (0.3, 1.0)
            for sigma in (0.1, 0.5)
        ],
        "suppression of another shape": lambda: image.non_max_suppression(many[:, :3], scores, 3),
        "suppression of fewer scores": lambda: image.non_max_suppression(many, scores[:3], 3),
        "suppression by a wrong threshold": lambda: image.non_max_suppression(many, scores, 3, 1.5),
        "combined suppression": lambda: [
            image.combined_non_max_suppression(
                tf.reshape(_picture(tf, 2, 10, n, 4), (2, 10, n, 4)),
                _picture(tf, 2, 10, 3),
                4,
                total,
                0.3,
                0.2,
                pad,
                clip,
            )
            for n in (1, 3)
            for total in (5, 20)
            for pad in (False, True)
            for clip in (False, True)
        ],
        "combined suppression of other classes": lambda: image.combined_non_max_suppression(
            tf.zeros((2, 5, 2, 4)), tf.zeros((2, 5, 3)), 4, 5
        ),
        "combined suppression of rank 3": lambda: image.combined_non_max_suppression(
            tf.zeros((2, 5, 4)), tf.zeros((2, 5, 3)), 4, 5
        ),
        "combined suppression to nothing": lambda: image.combined_non_max_suppression(
            tf.zeros((2, 5, 1, 4)), tf.zeros((2, 5, 3)), 0, 5
        ),
        "padded suppression": lambda: [
            image.non_max_suppression_padded(many, scores, count, threshold, by_score, pad)
            for count in (3, 40)
            for threshold in (0.2, 0.6)
            for by_score in (float("-inf"), 0.5)
            for pad in (False, True)
        ],
        "padded suppression of a batch": lambda: image.non_max_suppression_padded(
            tf.reshape(many, (2, 3, 5, 4)), tf.reshape(scores, (2, 3, 5)), 4, 0.2, pad_to_max_output_size=True
        ),
        "padded suppression of sorted boxes": lambda: image.non_max_suppression_padded(
            many, scores, 5, 0.2, pad_to_max_output_size=True, sorted_input=True, canonicalized_coordinates=True
        ),
        "padded suppression of a batch without padding": lambda: image.non_max_suppression_padded(
            tf.reshape(many, (3, 10, 4)), tf.reshape(scores, (3, 10)), 4
        ),
        "random box": lambda: [
            (tuple(part.shape), part.dtype)
            for part in image.stateless_sample_distorted_bounding_box([40, 50, 3], corners[None, :1], [1, 2])
        ],
        "random box of no boxes": lambda: image.sample_distorted_bounding_box([40, 50, 3], tf.zeros((1, 0, 4))),
        "random box of a wrong area": lambda: image.sample_distorted_bounding_box(
            [40, 50, 3], corners[None], area_range=(0.5, 1.5)
        ),
        "random box of an image of rank 2": lambda: image.sample_distorted_bounding_box([40, 50], corners[None]),
        "suppression compiled": lambda: tf.function(lambda a, b: image.non_max_suppression(a, b, 10, 0.3))(
            many, scores
        ),
        "drawing": lambda: image.draw_bounding_boxes(
            _picture(tf, 2, 9, 10, 3), tf.stack([corners[::3], corners[2:]]), None
        ),
        "drawing in colours": lambda: image.draw_bounding_boxes(
            _picture(tf, 1, 9, 10, 3), corners[None], tf.constant([[0.1, 0.2, 0.3], [0.9, 0.8, 0.7]])
        ),
        "drawing in gray": lambda: image.draw_bounding_boxes(_picture(tf, 1, 9, 10, 1), corners[None], None),
        "drawing of other batches": lambda: image.draw_bounding_boxes(_picture(tf, 2, 9, 10, 3), corners[None], None),
        "drawing of 2 channels": lambda: image.draw_bounding_boxes(_picture(tf, 1, 9, 10, 2), corners[None], None),
    }


def random(tf):
    image = tf.image
    x = _picture(tf, 4, 5, 3)
    questions = {}
    for prefix in ("random", "stateless_random"):
        seed = {"seed": [1, 2]} if prefix.startswith("stateless") else {}
        calls = {"brightness": [0.2], "contrast": [0.2, 0.9]}
        wrong = {"brightness": [-0.1], "contrast": [0.9, 0.2]}
        if prefix == "random":
            calls |= {"flip_left_right": [], "flip_up_down": [], "hue": [0.2], "saturation": [0.2, 0.9]}
            wrong |= {"hue": [0.6], "saturation": [-0.1, 0.5]}
        for name, arguments in calls.items():
            function = getattr(image, f"{prefix}_{name}")
            questions[f"{prefix}_{name}"] = lambda f=function, a=arguments, s=seed: (
                f(x, *a, **s).shape,
                f(x, *a, **s).dtype,
            )
        for name, arguments in wrong.items():
            function = getattr(image, f"{prefix}_{name}")
            questions[f"{prefix}_{name} of wrong numbers"] = lambda f=function, a=arguments, s=seed: f(x, *a, **s)
        crop = getattr(image, f"{prefix}_crop")
        questions[f"{prefix}_crop"] = lambda f=crop, s=seed: f(x, [2, 3, 3], **s).shape
        questions[f"{prefix}_crop of all"] = lambda f=crop, s=seed: f(x, [4, 5, 3], **s)
        questions[f"{prefix}_crop of more"] = lambda f=crop, s=seed: f(x, [5, 5, 3], **s)
    return questions


_FILES = {
    "gif": "R0lGODdhAgADAIIAANjO6tbYgfe8D16BwUS35w6iIAAAAAAAACwAAAAAAgADAAAICQAHACgQQACBgAAh+QQBAAAGACwAAAAAAgADAIKoPHw6UN0rd3kmOgNBErUJHO8AAAAAAAAICQABFCAwIICAgAA7",
    "bmp": "Qk1OAAAAAAAAADYAAAAoAAAAAgAAAAMAAAABABgAAAAAABgAAADEDgAAxA4AAAAAAAAAAAAAD7z357dEAAAgog6B2NYAAMGBXurO2AAA",
    "gray bmp": "Qk1CBAAAAAAAADYEAAAoAAAAAgAAAAMAAAABAAgAAAAAAAwAAADEDgAAxA4AAAABAAAAAQAAAAAAAAEBAQACAgIAAwMDAAQEBAAFBQUABgYGAAcHBwAICAgACQkJAAoKCgALCwsADAwMAA0NDQAODg4ADw8PABAQEAAREREAEhISABMTEwAUFBQAFRUVABYWFgAXFxcAGBgYABkZGQAaGhoAGxsbABwcHAAdHR0AHh4eAB8fHwAgICAAISEhACIiIgAjIyMAJCQkACUlJQAmJiYAJycnACgoKAApKSkAKioqACsrKwAsLCwALS0tAC4uLgAvLy8AMDAwADExMQAyMjIAMzMzADQ0NAA1NTUANjY2ADc3NwA4ODgAOTk5ADo6OgA7OzsAPDw8AD09PQA+Pj4APz8/AEBAQABBQUEAQkJCAENDQwBEREQARUVFAEZGRgBHR0cASEhIAElJSQBKSkoAS0tLAExMTABNTU0ATk5OAE9PTwBQUFAAUVFRAFJSUgBTU1MAVFRUAFVVVQBWVlYAV1dXAFhYWABZWVkAWlpaAFtbWwBcXFwAXV1dAF5eXgBfX18AYGBgAGFhYQBiYmIAY2NjAGRkZABlZWUAZmZmAGdnZwBoaGgAaWlpAGpqagBra2sAbGxsAG1tbQBubm4Ab29vAHBwcABxcXEAcnJyAHNzcwB0dHQAdXV1AHZ2dgB3d3cAeHh4AHl5eQB6enoAe3t7AHx8fAB9fX0Afn5+AH9/fwCAgIAAgYGBAIKCggCDg4MAhISEAIWFhQCGhoYAh4eHAIiIiACJiYkAioqKAIuLiwCMjIwAjY2NAI6OjgCPj48AkJCQAJGRkQCSkpIAk5OTAJSUlACVlZUAlpaWAJeXlwCYmJgAmZmZAJqamgCbm5sAnJycAJ2dnQCenp4An5+fAKCgoAChoaEAoqKiAKOjowCkpKQApaWlAKampgCnp6cAqKioAKmpqQCqqqoAq6urAKysrACtra0Arq6uAK+vrwCwsLAAsbGxALKysgCzs7MAtLS0ALW1tQC2trYAt7e3ALi4uAC5ubkAurq6ALu7uwC8vLwAvb29AL6+vgC/v78AwMDAAMHBwQDCwsIAw8PDAMTExADFxcUAxsbGAMfHxwDIyMgAycnJAMrKygDLy8sAzMzMAM3NzQDOzs4Az8/PANDQ0ADR0dEA0tLSANPT0wDU1NQA1dXVANbW1gDX19cA2NjYANnZ2QDa2toA29vbANzc3ADd3d0A3t7eAN/f3wDg4OAA4eHhAOLi4gDj4+MA5OTkAOXl5QDm5uYA5+fnAOjo6ADp6ekA6urqAOvr6wDs7OwA7e3tAO7u7gDv7+8A8PDwAPHx8QDy8vIA8/PzAPT09AD19fUA9vb2APf39wD4+PgA+fn5APr6+gD7+/sA/Pz8AP39/QD+/v4A////ALqaAABnzQAAftQAAA==",
    "palette png": "iVBORw0KGgoAAAANSUhEUgAAAAIAAAADAgMAAADEhDYSAAAADFBMVEXX07b3vA9egcEprYQ/DQJXAAAADklEQVR4nGNoYDjAkAAABSYBoQ+mYu8AAAAASUVORK5CYII=",
    "bits": "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACAQAAAABazTCJAAAADElEQVR4nGNwYDgAAAGEAQEKf5BQAAAAAElFTkSuQmCC",
    "transparent palette png": "iVBORw0KGgoAAAANSUhEUgAAAAIAAAADAgMAAADEhDYSAAAADFBMVEXX07b3vA9egcEprYQ/DQJXAAAAAnRSTlP/AOW3MEoAAAAOSURBVHicY2hgOMCQAAAFJgGhD6Zi7wAAAABJRU5ErkJggg==",
    "transparent rgb png": "iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAIAAAA2iEnWAAAABnRSTlMAXgCBAMHlEfWqAAAAHklEQVR4nGOIazx449wrpg2K8f+4pjN+38Pv+/sGAHKZCuXlL0IuAAAAAElFTkSuQmCC",
}


def files(tf):
    image = tf.image
    colours, gray = _picture(tf, 6, 7, 3, dtype="uint8"), _picture(tf, 6, 7, 1, dtype="uint8")
    alpha, two = _picture(tf, 6, 7, 4, dtype="uint8"), _picture(tf, 6, 7, 2, dtype="uint8")
    wide = tf.cast(_picture(tf, 6, 7, 1, dtype="int32") * 250, "uint16")
    data = {name: base64.b64decode(text) for name, text in _FILES.items()}
    gif = data["gif"]
    smooth = tf.cast(tf.reshape(tf.range(16 * 16 * 3), (16, 16, 3)) // 4, "uint8")
    return {
        "png": lambda: [tf.io.decode_png(tf.io.encode_png(x)) for x in (colours, gray, alpha, two)],
        "png of channels": lambda: [
            tf.io.decode_png(tf.io.encode_png(x), channels=c)
            for x, c in ((gray, 3), (colours, 4), (alpha, 3), (gray, 4))
        ],
        "png of 16 bits": lambda: [
            tf.io.decode_png(tf.io.encode_png(wide), dtype=tf.uint16),
            tf.io.decode_png(tf.io.encode_png(wide)),
            tf.io.decode_png(tf.io.encode_png(gray), dtype=tf.uint16),
            tf.io.decode_image(tf.io.encode_png(wide), dtype=tf.float32),
        ],
        "image of dtypes": lambda: [
            tf.io.decode_image(tf.io.encode_png(colours), dtype=d) for d in (tf.uint8, tf.uint16, tf.float32, tf.int32)
        ],
        "gif": lambda: [
            tf.io.decode_gif(gif),
            tf.io.decode_image(gif),
            tf.io.decode_image(gif, expand_animations=False),
        ],
        "gif of dtypes": lambda: [tf.io.decode_image(gif, dtype=d) for d in (tf.uint16, tf.float32)],
        "gif of one channel": lambda: tf.io.decode_image(gif, channels=1),
        "other files": lambda: [
            tf.io.decode_image(data[name])
            for name in ("bmp", "gray bmp", "palette png", "bits", "transparent palette png", "transparent rgb png")
        ],
        "other files of 3 channels": lambda: [
            tf.io.decode_image(data[name], channels=3) for name in ("bmp", "palette png", "bits", "transparent rgb png")
        ],
        "other files of 4 channels": lambda: [
            tf.io.decode_image(data[name], channels=4)
            # TensorFlow's alpha of opaque pixels of 1 or 2 bits is 1 or 3, not 255.
            for name in ("transparent palette png", "transparent rgb png")
        ],
        "bmp": lambda: [tf.io.decode_bmp(data["bmp"]), tf.io.decode_bmp(data["gray bmp"])],
        "bmp of dtypes": lambda: [tf.io.decode_image(data["bmp"], dtype=d) for d in (tf.uint16, tf.float32)],
        "png as bmp": lambda: tf.io.decode_bmp(tf.io.encode_png(gray)),
        "png as jpeg": lambda: tf.io.decode_jpeg(tf.io.encode_png(colours)),
        "png as gif": lambda: tf.io.decode_gif(tf.io.encode_png(gray)),
        "garbage": lambda: tf.io.decode_image(b"garbage"),
        "nothing": lambda: tf.io.decode_png(b""),
        "truncated": lambda: tf.io.decode_png(tf.io.encode_png(colours).numpy()[:60]),
        "contents of rank 1": lambda: tf.io.decode_png([b"a", b"b"]),
        "contents as integers": lambda: tf.io.decode_png(tf.constant(1)),
        "5 channels": lambda: tf.io.decode_png(tf.io.encode_png(gray), channels=5),
        "encode floats": lambda: tf.io.encode_png(_picture(tf, 2, 2, 1)),
        "encode 5 channels": lambda: tf.io.encode_png(_picture(tf, 2, 2, 5, dtype="uint8")),
        "encode rank 2": lambda: tf.io.encode_png(_picture(tf, 2, 2, dtype="uint8")),
        "encode jpeg of 2 channels": lambda: tf.io.encode_jpeg(two),
        "encode jpeg of a wrong quality": lambda: tf.io.encode_jpeg(colours, quality=101),
        "encode jpeg of a wrong format": lambda: tf.io.encode_jpeg(colours, format="cmyk"),
        "jpeg shapes": lambda: [tf.io.extract_jpeg_shape(tf.io.encode_jpeg(x)) for x in (colours, gray)],
        "jpeg shape of garbage": lambda: tf.io.extract_jpeg_shape(b"garbage"),
        "jpeg": lambda: (
            [
                tf.cast(tf.io.decode_jpeg(tf.io.encode_jpeg(smooth, quality=100, chroma_downsampling=False)), tf.int32)
                // 64
                == tf.cast(smooth, tf.int32) // 64
            ][0].shape
        ),
        "jpeg of channels": lambda: [
            tf.io.decode_jpeg(tf.io.encode_jpeg(colours), channels=c).shape for c in (0, 1, 3)
        ],
        "jpeg of 4 channels": lambda: tf.io.decode_jpeg(tf.io.encode_jpeg(colours), channels=4),
        "cropped jpeg": lambda: tf.io.decode_and_crop_jpeg(tf.io.encode_jpeg(colours), [1, 2, 3, 4]).shape,
        "cropped jpeg beyond": lambda: tf.io.decode_and_crop_jpeg(tf.io.encode_jpeg(colours), [1, 2, 6, 4]),
        "quality": lambda: [(y.shape, y.dtype) for y in [tf.image.adjust_jpeg_quality(_picture(tf, 6, 7, 3), 50)]],
        "missing file": lambda: tf.io.read_file("/nowhere/at/all"),
        "compiled": lambda: tf.function(lambda x: tf.io.decode_png(tf.io.encode_png(x)))(colours),
        "names of tf.image": lambda: image.decode_png(image.encode_png(gray)),
    }
