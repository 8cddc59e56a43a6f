"""Element-wise functions: within their domains, and at zeros, borders, infinities and NaN."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import numpy as np

from ..case import COMPLEX, REAL, Case, at, edge, positive, sequence

inf, nan = np.inf, np.nan
FLOATS = ("float64", "float32")
SPECIAL = np.array(
    [
        *(0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1.5, -2.0, 3.0, 4.0, 6.0, -6.0, 1e-30, -1e-30, 1e30, -1e30, 88.0, -104.0),
        *(inf, -inf, nan),
    ]
)
PAIRED = np.array([0.0, -0.0, 0.5, 1.0, -1.0, 2.0, -2.0, 3.0, -1.5, 1e30, inf, -inf, nan])
FIRST, SECOND = (np.ascontiguousarray(x) for x in np.meshgrid(PAIRED, PAIRED, indexing="ij"))
# The range of the points inside the domain, and the names of the functions.
RANGES: dict[tuple[float, float], list[str]] = {
    (0.3, 2.0): [
        *("abs", "math.special.expint", "math.reciprocal", "math.reciprocal_no_nan", "math.sign", "nn.leaky_relu"),
        *("nn.relu", "nn.relu6", "nn.softsign", "keras.activations.leaky_relu", "keras.activations.relu"),
        *("keras.activations.relu6", "keras.activations.softsign"),
    ],
    (-0.9, 0.9): [
        *("math.acos", "math.asin", "math.atanh", "keras.activations.hard_tanh"),
        *("keras.activations.sparse_plus", "keras.activations.sparse_sigmoid"),
    ],
    (1.2, 3.0): ["math.acosh"],
    (-2.0, 2.0): [
        *("math.asinh", "math.atan", "math.bessel_i0", "math.special.dawsn", "math.special.fresnel_cos"),
        *("math.special.fresnel_sin", "math.cos", "math.cosh", "math.erf", "math.erfc", "math.exp", "math.expm1"),
        *("math.log_sigmoid", "math.negative", "math.sigmoid", "math.sin", "math.sinh", "math.softplus", "math.square"),
        *("math.tanh", "nn.elu", "nn.gelu", "nn.selu", "nn.silu", "nn.swish", "identity", "stop_gradient"),
        *("keras.activations.celu", "keras.activations.elu", "keras.activations.exponential", "keras.activations.gelu"),
        *("keras.activations.hard_sigmoid", "keras.activations.hard_silu", "keras.activations.linear"),
        *("keras.activations.log_sigmoid", "keras.activations.mish", "keras.activations.selu"),
        *("keras.activations.sigmoid", "keras.activations.silu", "keras.activations.softplus"),
        *("keras.activations.squareplus", "keras.activations.tanh", "keras.activations.tanh_shrink"),
    ],
    (0.2, 2.0): ["math.bessel_i0e", "math.bessel_i1", "math.bessel_i1e"],
    (0.3, 3.0): [
        *("math.special.bessel_j0", "math.special.bessel_j1", "math.special.bessel_k0", "math.special.bessel_k0e"),
        *("math.special.bessel_k1", "math.special.bessel_k1e", "math.special.bessel_y0", "math.special.bessel_y1"),
        *("math.digamma", "math.lgamma", "math.log", "math.rsqrt", "math.sqrt"),
    ],
    (0.2, 0.9): ["math.special.spence"],
    (0.1, 0.9): ["math.ceil", "math.floor", "math.ndtri"],
    (0.2, 1.8): ["math.erfcinv"],
    (-0.8, 0.8): ["math.erfinv"],
    (-0.6, 3.0): ["math.log1p"],
    (0.1, 0.4): ["math.rint", "round"],
    (-1.2, 1.2): ["math.tan"],
    (0.6, 2.0): ["keras.activations.hard_shrink", "keras.activations.soft_shrink"],
}
UNARY = {name: bounds for bounds, names in RANGES.items() for name in names}
# The ranges of the two operands, and the names of the functions.
RANGES_OF_TWO: dict[tuple[float, ...], list[str]] = {
    (-2, 2, -2, 2): ["math.add", "math.multiply", "math.squared_difference", "math.subtract"],
    (0.3, 2, 0.3, 2): ["math.atan2"],
    (-2, 2, 0.4, 2): ["math.divide", "math.divide_no_nan", "math.multiply_no_nan", "math.truediv", "realdiv"],
    (2.1, 2.9, 1.1, 1.3): ["math.floordiv", "math.floormod", "truncatemod"],
    (-2, -1, 1, 2): ["math.maximum", "math.minimum"],
    (0.5, 2, -2, 0.3): ["math.nextafter"],
    (0.4, 2, -2, 3): ["math.pow"],
    (0.3, 2, 0.4, 2): ["math.xdivy", "math.xlog1py", "math.xlogy"],
}
BINARY = {name: bounds for bounds, names in RANGES_OF_TWO.items() for name in names}
# Special values at which derivatives are compared with fastgrad's own recorded answers (`documented.py`) instead of TensorFlow's, and why;
# what users meet stands in docs/differences.md.
NEGATIVE = (-0.0, -0.5, -1.0, -2.0, -6.0, -1e-30, -1e30, -104.0, -inf)
APART: dict[str, tuple[str, tuple[float, ...]]] = {
    "math.bessel_i0": ("documented: bessel_i1 near 0", (0.0, -0.0)),
    "math.bessel_i1": ("documented: bessel_i1 near 0", (0.0, -0.0, 1e-30, -1e-30)),
    "math.bessel_i1e": ("documented: bessel_i1e near 0", (0.0, -0.0, 1e-30, -1e-30)),
    "math.special.bessel_j1": ("documented: bessel_j1 near 0", (0.0, -0.0, 1e-30, -1e-30)),
    "math.special.bessel_k0": ("documented: outside the domain", (*NEGATIVE, 0.0)),
    "math.special.bessel_k1": ("documented: outside the domain", (*NEGATIVE, 0.0)),
    "math.special.bessel_y0": ("documented: outside the domain", (*NEGATIVE, 0.0)),
    "math.special.bessel_y1": ("documented: outside the domain", (*NEGATIVE, 0.0)),
    "math.special.dawsn": ("TensorFlow's rounding: 1 - 2 x dawsn(x) is not 0 there", (-1e30, 1e30)),
    "math.special.spence": ("documented: spence at 1; the other sign of the infinity at -0", (1.0, 0.0)),
    "nn.elu": ("documented: NaN; and TensorFlow rounds exp(-1e-30) - 1 to 0", (nan, -1e-30)),
    "nn.selu": ("documented: NaN; and TensorFlow rounds exp(-1e-30) - 1 to 0", (nan, -1e-30)),
    "nn.gelu": ("documented: infinities", (inf, -inf)),
    "keras.activations.hard_silu": ("documented: infinities", (inf, -inf)),
}
for name in ("elu", "selu", "gelu"):
    APART[f"keras.activations.{name}"] = APART[f"nn.{name}"]
# Documented: a cotangent that is infinite or NaN stops where these are flat.
FLAT = (
    "nn.relu",
    "nn.relu6",
    *(f"keras.activations.{name}" for name in ("relu", "relu6", "hard_sigmoid", "hard_silu")),
)
# TensorFlow's constants of these have the digits of float32.
ROUGH = ("nn.gelu", "keras.activations.gelu", "nn.leaky_relu", "keras.activations.leaky_relu")
ANALYTIC = [
    *("math.acos", "math.acosh", "math.asin", "math.asinh", "math.atan", "math.atanh", "math.cos", "math.cosh"),
    *("math.exp", "math.expm1", "math.log", "math.log1p", "math.negative", "math.reciprocal", "math.rsqrt"),
    *("math.sigmoid", "math.sin", "math.sinh", "math.sqrt", "math.square", "math.tan", "math.tanh", "identity"),
    *("abs", "math.sign"),
]
ANALYTIC_PAIRS = [
    *("math.add", "math.divide", "math.divide_no_nan", "math.multiply", "math.multiply_no_nan", "math.pow"),
    *("math.squared_difference", "math.subtract", "math.xdivy", "math.xlogy"),
]
SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2, 2)), ((0, 3), (3,))]


def named(name: str) -> Callable[..., Any]:
    """The public function of that name, of the `tf` that it is given."""
    return lambda tf, *xs: attrgetter(name)(tf)(*xs)


def masked(name: str) -> Callable[..., Any]:
    """The function of that name times a constant, which is the last input: its cotangents are 0, infinite or NaN."""
    function = named(name)
    return lambda tf, *xs: function(tf, *xs[:-1]) * tf.stop_gradient(xs[-1])


def complex_numbers(seed: int) -> np.ndarray:
    """Four numbers away from the branch cuts of the functions above."""
    return sequence((4,), -0.8, 0.8, seed) + 1j * sequence((4,), 0.2, 1.1, seed + 1)


def without(x: np.ndarray, points: tuple[float, ...]) -> np.ndarray:
    """The elements that are none of the points; 0.0 and -0.0 are the same point."""
    return np.array([value for value in x if not any(value == p or (value != value and p != p) for p in points)])


CASES: dict[str, Case] = {}
for name, (low, high) in UNARY.items():
    function, tolerance = named(name), 1e-6 if name in ROUGH else 0.0
    values = without(SPECIAL, APART[name][1]) if name in APART else SPECIAL
    pairs = np.meshgrid(values, np.array([0.0] if name in FLAT else [0.0, nan]), indexing="ij")
    CASES[name] = at(function, sequence((5,), low, high), dtypes=REAL, tolerance=tolerance)
    CASES[f"{name} at special values"] = edge(function, values, dtypes=FLOATS, tolerance=tolerance)
    CASES[f"{name} by special cotangents"] = edge(
        masked(name), *map(np.ascontiguousarray, pairs), dtypes=FLOATS, order=1, tolerance=tolerance
    )
    if name in APART:
        points = np.array(APART[name][1])
        CASES[f"{name} at points of a documented difference"] = edge(function, points, dtypes=FLOATS)
    CASES[f"{name} of nothing"] = edge(function, np.zeros((0, 2)))
    CASES[f"{name} of integers"] = edge(function, np.array([1, 2, 3]), order=1)
for name, (low, high, low2, high2) in BINARY.items():
    function = named(name)
    CASES[name] = at(function, sequence((5,), low, high), sequence((5,), low2, high2, 1), dtypes=REAL)
    CASES[f"{name} at special values"] = edge(function, FIRST, SECOND, dtypes=FLOATS)
    CASES[f"{name} by cotangents of 0"] = edge(
        masked(name), FIRST, SECOND, np.zeros_like(FIRST), dtypes=FLOATS, order=1
    )
    CASES[f"{name} of integers"] = edge(function, np.array([1, 2, 3]), np.array([2, 2, 1]), order=1)
    for shape, shape2 in SHAPES:
        arrays = sequence(shape, low, high), sequence(shape2, low2, high2, 1)
        CASES[f"{name} of {shape} and {shape2}"] = at(function, *arrays)
    # An operand used twice.
    CASES[f"{name} of itself"] = edge(lambda tf, x, function=function: function(tf, x, x), positive(3))
for name in ANALYTIC:
    CASES[f"{name} of complex numbers"] = edge(named(name), complex_numbers(0), dtypes=COMPLEX)
for name in ANALYTIC_PAIRS:
    CASES[f"{name} of complex numbers"] = edge(named(name), complex_numbers(0), complex_numbers(2), dtypes=COMPLEX)
