"""Convolutions and pooling: strides, dilations, paddings, groups, ties."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..case import Case, at, edge, normal, sequence

FLOATS = ("float64", "float32")
HALVES_TOO = ("float64", "float32", "bfloat16", "float16")
nan, inf = np.nan, np.inf

CASES: dict[str, Case] = {}
# Name, sizes of the input, sizes of the kernel, options.
CONVOLUTIONS: list[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ("conv1d", (2, 5, 2), (2, 2, 3), {"stride": 1, "padding": "VALID"}),
    ("conv1d", (1, 6, 2), (3, 2, 2), {"stride": 2, "padding": "SAME"}),
    ("conv1d", (1, 7, 1), (2, 1, 2), {"stride": 1, "padding": "SAME", "dilations": 2}),
    ("conv2d", (1, 4, 4, 2), (2, 2, 2, 3), {"strides": 1, "padding": "VALID"}),
    ("conv2d", (1, 4, 5, 2), (3, 2, 2, 2), {"strides": [1, 2, 1, 1], "padding": "SAME"}),
    ("conv2d", (1, 5, 5, 1), (2, 2, 1, 2), {"strides": 1, "padding": "SAME", "dilations": 2}),
    ("conv2d", (1, 3, 3, 4), (2, 2, 2, 4), {"strides": 1, "padding": "VALID"}),
    ("conv2d", (1, 4, 4, 1), (2, 2, 1, 1), {"strides": 2, "padding": [[0, 0], [1, 0], [2, 1], [0, 0]]}),
    ("conv2d", (1, 3, 3, 2), (1, 1, 2, 3), {"strides": 1, "padding": "VALID"}),
    ("conv2d", (1, 5, 5, 1), (2, 2, 1, 1), {"strides": 3, "padding": "VALID"}),
    ("conv3d", (1, 3, 3, 3, 1), (2, 2, 2, 1, 2), {"strides": [1, 1, 1, 1, 1], "padding": "VALID"}),
    ("conv3d", (1, 3, 4, 3, 1), (2, 2, 2, 1, 1), {"strides": [1, 2, 2, 2, 1], "padding": "SAME"}),
    ("convolution", (1, 5, 4, 2), (2, 3, 2, 2), {"padding": "SAME", "dilations": [2, 1]}),
    ("depthwise_conv2d", (1, 4, 4, 2), (2, 2, 2, 2), {"strides": [1, 1, 1, 1], "padding": "SAME"}),
    ("depthwise_conv2d", (1, 5, 5, 2), (3, 3, 2, 1), {"strides": [1, 2, 2, 1], "padding": "VALID"}),
    ("depthwise_conv2d", (1, 5, 5, 1), (2, 2, 1, 2), {"strides": [1, 1, 1, 1], "padding": "SAME", "dilations": [2, 2]}),
    ("atrous_conv2d", (1, 5, 5, 1), (2, 2, 1, 2), {"rate": 2, "padding": "VALID"}),
    (
        "atrous_conv2d_transpose",
        (1, 4, 4, 1),
        (2, 2, 2, 1),
        {"output_shape": [1, 4, 4, 2], "rate": 2, "padding": "SAME"},
    ),
    ("conv1d_transpose", (1, 3, 2), (2, 3, 2), {"output_shape": [1, 6, 3], "strides": 2}),
    ("conv2d_transpose", (1, 3, 3, 2), (3, 3, 1, 2), {"output_shape": [1, 6, 6, 1], "strides": 2}),
    ("conv2d_transpose", (1, 2, 2, 1), (2, 2, 2, 1), {"output_shape": [1, 3, 3, 2], "strides": 1, "padding": "VALID"}),
    ("conv3d_transpose", (1, 2, 2, 2, 1), (2, 2, 2, 1, 1), {"output_shape": [1, 4, 4, 4, 1], "strides": 2}),
    ("conv_transpose", (1, 3, 2), (2, 3, 2), {"output_shape": [1, 6, 3], "strides": 2}),
]
for place, (name, size, size2, options) in enumerate(CONVOLUTIONS):
    CASES[f"nn.{name} {place}"] = at(
        lambda tf, x, w, name=name, options=options: getattr(tf.nn, name)(x, w, **options),
        normal(*size),
        normal(*size2, seed=1),
        dtypes=HALVES_TOO if place < 4 else FLOATS,
    )
# Name, sizes of the input, options.
POOLS: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
    ("pool1d", (1, 5, 2), {"ksize": 2, "strides": 1, "padding": "VALID"}),
    ("pool1d", (1, 5, 2), {"ksize": 3, "strides": 2, "padding": "SAME"}),
    ("pool2d", (1, 4, 4, 2), {"ksize": 2, "strides": 2, "padding": "VALID"}),
    ("pool2d", (1, 3, 4, 1), {"ksize": 2, "strides": 1, "padding": "SAME"}),
    ("pool2d", (1, 5, 5, 1), {"ksize": [1, 3, 2, 1], "strides": [1, 2, 1, 1], "padding": "VALID"}),
    ("pool2d", (1, 5, 5, 1), {"ksize": 2, "strides": 3, "padding": "VALID"}),
    ("pool3d", (1, 3, 4, 3, 1), {"ksize": 2, "strides": 1, "padding": "VALID"}),
    ("pool3d", (1, 3, 3, 3, 1), {"ksize": 2, "strides": 2, "padding": "SAME"}),
    ("pool", (1, 4, 4, 1), {"ksize": 2, "strides": 2, "padding": "SAME"}),
]
TIES = {size: np.floor(sequence(size, 0.0, 2.99)) for _, size, _ in POOLS}
for place, (name, size, options) in enumerate(POOLS):
    for kind in ("max", "avg"):

        def pooled(tf: Any, x: Any, name: str = f"{kind}_{name}", options: dict[str, Any] = options) -> Any:
            return getattr(tf.nn, name)(x, **options) ** 2

        CASES[f"nn.{kind}_{name} {place}"] = at(pooled, normal(*size), dtypes=HALVES_TOO if place == 2 else FLOATS)
        CASES[f"nn.{kind}_{name} {place} of ties"] = edge(pooled, TIES[size], dtypes=FLOATS)
WILD = np.array([nan, 1.0, inf, -inf, 2.0, 0.0, -0.0, nan, -1.0, -2.0, -inf, -inf, 3.0, inf, inf, 1.0]).reshape(
    1, 4, 4, 1
)
CASES |= {
    "nn.max_pool of infinities": edge(
        lambda tf, x: tf.nn.max_pool2d(x, 2, 2, "VALID"), np.where(np.isnan(WILD), 5.0, WILD), dtypes=FLOATS
    ),
    "nn.avg_pool of infinities and NaN": edge(lambda tf, x: tf.nn.avg_pool2d(x, 2, 2, "VALID"), WILD, dtypes=FLOATS),
    "nn.max_pool_with_argmax": at(
        lambda tf, x: tf.nn.max_pool_with_argmax(x, 2, 2, "SAME")[0] ** 2, normal(1, 3, 4, 2), order=1
    ),
    "nn.max_pool of negatives": at(lambda tf, x: tf.nn.max_pool2d(x, 3, 1, "SAME"), sequence((1, 3, 3, 1), -3.0, -1.0)),
    "nn.pool max": at(lambda tf, x: tf.nn.pool(x, [2], "MAX", strides=[1], padding="SAME"), normal(1, 5, 2)),
    "nn.pool avg": at(
        lambda tf, x: tf.nn.pool(x, [2, 2], "AVG", strides=[1, 1], padding="VALID", dilations=[2, 1]),
        normal(1, 5, 3, 1),
    ),
    "nn.separable_conv2d": at(
        lambda tf, x, d, p: tf.nn.separable_conv2d(x, d, p, [1, 1, 1, 1], "SAME"),
        normal(1, 3, 3, 2),
        normal(2, 2, 2, 1, seed=1),
        normal(1, 1, 2, 3, seed=2),
    ),
    "nn.conv2d of no images": edge(
        lambda tf, x, w: tf.nn.conv2d(x, w, 1, "SAME"), np.zeros((0, 3, 3, 1)), normal(2, 2, 1, 2), dtypes=FLOATS
    ),
    "nn.max_pool2d of no images": edge(lambda tf, x: tf.nn.max_pool2d(x, 2, 1, "SAME"), np.zeros((0, 3, 3, 1))),
    "nn.conv2d of NaN": edge(
        lambda tf, x, w: tf.nn.conv2d(x, w, 1, "VALID"), WILD, normal(2, 2, 1, 1), dtypes=("float64",), order=1
    ),
}


CASES |= {
    "nn.dilation2d": at(
        lambda tf, x, f: tf.nn.dilation2d(x, f, [1, 1, 2, 1], "SAME", "NHWC", [1, 1, 1, 1]) ** 2,
        normal(1, 3, 4, 2),
        normal(2, 2, 2, seed=1),
        dtypes=FLOATS,
        order=1,
    ),
}
