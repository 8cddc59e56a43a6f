"""Losses of label sequences, isotonic regression and fractional pooling."""

from __future__ import annotations

import numpy as np

from ..case import Case, at, edge, normal

FLOATS = ("float64", "float32")
LABELS = np.array([[1, 2, 2], [3, 0, 0]], np.int32)
HALVED = [1.0, 2.0, 2.0, 1.0]

CASES: dict[str, Case] = {
    "nn.ctc_loss": at(
        lambda tf, x: tf.nn.ctc_loss(LABELS, x, [3, 1], [6, 4]),
        normal(6, 2, 4),
        dtypes=("float32",),
        order=1,
        forward=False,
    ),
    "nn.ctc_loss of the last blank": at(
        lambda tf, x: tf.nn.ctc_loss(LABELS[:, :2] // 3, x, [1, 2], [4, 5], blank_index=-1) ** 2,
        normal(5, 2, 3),
        dtypes=("float32",),
        order=1,
        forward=False,
    ),
    "nn.isotonic_regression": at(
        lambda tf, x: tf.nn.isotonic_regression(x)[0] ** 2, normal(2, 5), dtypes=FLOATS, order=1, forward=False
    ),
    "nn.isotonic_regression ascending": at(
        lambda tf, x: tf.nn.isotonic_regression(x, False, 0)[0] ** 2,
        normal(4, 2),
        dtypes=FLOATS,
        order=1,
        forward=False,
    ),
    "nn.isotonic_regression of equal numbers": edge(
        lambda tf, x: tf.nn.isotonic_regression(x)[0] ** 2, np.array([[1.0, 1.0, 2.0, -1.0]]), order=1
    ),
    "nn.fractional_max_pool": at(
        lambda tf, x: tf.nn.fractional_max_pool(x, HALVED)[0] ** 2,
        normal(1, 4, 6, 2),
        dtypes=FLOATS,
        order=1,
        forward=False,
    ),
    "nn.fractional_max_pool of overlapping windows": at(
        lambda tf, x: tf.nn.fractional_max_pool(x, HALVED, overlapping=True)[0] ** 2,
        normal(1, 4, 4, 1),
        order=1,
        forward=False,
    ),
    "nn.fractional_avg_pool": at(
        lambda tf, x: tf.nn.fractional_avg_pool(x, HALVED)[0] ** 2,
        normal(1, 4, 6, 2),
        dtypes=FLOATS,
        order=1,
        forward=False,
    ),
    "nn.fractional_avg_pool of overlapping windows": at(
        lambda tf, x: tf.nn.fractional_avg_pool(x, HALVED, overlapping=True)[0] ** 2,
        normal(1, 4, 4, 1),
        order=1,
        forward=False,
    ),
}
