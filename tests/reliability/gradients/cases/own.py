"""Rows that have no function in TensorFlow, or whose random numbers are others there: central differences alone judge them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ..case import Case, at, edge, normal, positive, sequence


def refuse_tensorflow(tf: Any) -> None:
    """Raises ImportError in TensorFlow's process, which may have fastgrad, too."""
    if tf.__name__ != "fastgrad":
        raise ImportError(f"{tf.__name__} has no such function")


def row(name: str, **attributes: Any) -> Callable[..., Any]:
    """The row of the operation table of that name."""

    def function(tf: Any, *xs: Any) -> Any:
        refuse_tensorflow(tf)
        return importlib.import_module("fastgrad._src.core.operation").TABLE[name](*xs, **attributes)

    return function


def dropped(tf: Any, x: Any) -> Any:
    """Dropout from a seed."""
    refuse_tensorflow(tf)
    return importlib.import_module("fastgrad._src.ops.random_stateless").stateless_dropout(x, 0.4, [1, 2]) ** 2


def interpolated(tf: Any, x: Any, rows: Any, columns: Any) -> Any:
    """Pixels between those of an image, and outside."""
    refuse_tensorflow(tf)
    return row("interpolate_pixels", method="bilinear", fill=0.5)(tf, x, tf.constant([0]), rows, columns) ** 2


PLACES = np.array([[0.2, 1.7, -0.5]]), np.array([[1.4, 0.3, 1.2]])
PIXELS = sequence((2, 3, 3), 0.1, 0.9)

CASES: dict[str, Case] = {
    "rgb_to_hsv": at(row("rgb_to_hsv"), PIXELS),
    "hsv_to_rgb": at(row("hsv_to_rgb"), PIXELS),
    "adjust_hue": at(row("adjust_hue"), PIXELS, np.array(0.3)),
    "adjust_saturation": at(row("adjust_saturation"), PIXELS, np.array(0.7)),
    "adjust_contrast": at(row("adjust_contrast"), PIXELS[None], normal(1, 1, 1, 3), np.array(1.5)),
    "interpolate_pixels": edge(interpolated, PIXELS[None], *PLACES, dtypes=("float32",)),  # places are float32
    "window_sums": at(row("window_sums", axis=1, weights=(0.5, 1.25, -0.75)), normal(2, 5, 3)),
    "least_norm_solution": at(  # TensorFlow has no gradient of it
        row("least_norm_solution"), normal(4, 3, seed=2) + 2 * np.eye(4, 3), normal(4, 2), order=1
    ),
    "gelu_slope": at(row("gelu_slope"), normal(4), order=1),
    "gelu_tanh_slope": at(row("gelu_tanh_slope"), normal(4), order=1),
    "log2": at(row("log2"), positive(4)),
    "log10": at(row("log10"), positive(4)),
    "hypot": at(row("hypot"), normal(4), positive(4)),
    "copy_to_device": at(row("copy_to_device", device="CPU:0"), normal(4)),
    "dropout": at(dropped, normal(8), dtypes=("float64", "float32")),
    "recomputed_input": at(row("recomputed_input"), normal(4)),
}
