"""Losses of label sequences."""

from __future__ import annotations

import numpy as np

from ..case import Case, at, normal

FLOATS = ("float64", "float32")
LABELS = np.array([[1, 2, 2], [3, 0, 0]], np.int32)

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
}
