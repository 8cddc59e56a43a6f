"""Properties of the element-wise rows that programs have as expressions: against NumPy and SciPy in float64, with NaN, infinities and zeros."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special

from tests.kernels.elementwise.elementwise_properties import broadcast
from tests.kernels.properties import FLOATS, HALVES, Property, dtype_of, numbers

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
REAL = (*FLOATS, *HALVES)
ORDERED = (*REAL, *INTEGERS)
NUMBERS = (*ORDERED, "complex64", "complex128")
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
ROOT_8_OVER_PI = 2 * np.sqrt(2 / np.pi)


def moderate(r: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    """Numbers between -9 and 9, whole and not, with zeros of both signs, infinities and NaNs."""
    x = np.asarray(np.where(r.random(shape) < 0.5, 3 * r.normal(size=shape), r.integers(-9, 9, shape)))
    special = r.choice([0.0, -0.0, np.inf, -np.inf, np.nan, 0.5, -1.5, 2.5, 6.0], shape)
    return np.where(r.random(shape) < 0.1, special, x).astype(dtype_of(dtype))


def finite(r: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    return np.asarray(3 * r.normal(size=shape)).astype(dtype_of(dtype))


def bits(r: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    """Whole numbers all over their dtype."""
    if dtype == "bool":
        return np.asarray(r.random(shape) < 0.5)
    limits = np.iinfo(dtype)
    return np.asarray(r.integers(limits.min, limits.max, shape, dtype, endpoint=True))


def shifts(r: np.random.Generator, dtype: str, a: int, b: int) -> Any:
    """Numbers, and by how many bits to move them, too many and too few among these."""
    (x, y), nothing = broadcast(bits, 2)(r, dtype, a, b)
    places = np.asarray(r.integers(-2, 70, y.shape)).astype(dtype)
    return [x, places], nothing


def within_width(y: np.ndarray) -> np.ndarray:
    return np.clip(y, np.zeros((), y.dtype), np.array(8 * y.dtype.itemsize - 1).astype(y.dtype))


def normal_distribution(x: np.ndarray) -> np.ndarray:
    return 0.5 * scipy.special.erfc(-x / np.sqrt(2))


def gelu(x: np.ndarray) -> np.ndarray:
    return np.where(x < -40, 0.0, x * normal_distribution(x))


def gelu_slope(x: np.ndarray) -> np.ndarray:
    density = np.exp(-x * x / 2) / np.sqrt(2 * np.pi)
    return np.where(np.isinf(x), (x > 0) * 1.0, normal_distribution(x) + x * density)


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    return np.where(x < -40, 0.0, x * scipy.special.expit(ROOT_8_OVER_PI * (x + 0.044715 * x**3)))


def gelu_tanh_slope(x: np.ndarray) -> np.ndarray:
    share = scipy.special.expit(ROOT_8_OVER_PI * (x + 0.044715 * x**3))
    slope = share + x * share * (1 - share) * ROOT_8_OVER_PI * (1 + 3 * 0.044715 * x * x)
    return np.where(np.abs(x) > 40, (x > 0) * 1.0, slope)


def selu(x: np.ndarray) -> np.ndarray:
    return SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0)))


def leaky(r: np.random.Generator, dtype: str, a: int, b: int) -> Any:
    return [moderate(r, dtype, a, b)], {"alpha": 0.25}


def leaky_gradient(r: np.random.Generator, dtype: str, a: int, b: int) -> Any:
    return [finite(r, dtype, a, b), moderate(r, dtype, a, b)], {"alpha": 0.25}


def slope(function: Callable[..., Any]) -> Callable[..., Any]:
    """The cotangent g times a derivative at x."""
    return lambda g, x: g * function(x)


def cross_entropy(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) - x * z + np.log1p(np.exp(-np.abs(x)))


def same_shape(made: Callable[..., np.ndarray], *others: Callable[..., np.ndarray]) -> Callable[..., Any]:
    """Makes arrays of the sizes."""
    return lambda r, dtype, a, b: ([make(r, dtype, a, b) for make in (made, *others)], {})


def reduced(r: np.random.Generator, dtype: str, *sizes: int) -> Any:
    axes = ((2,), (0, 1), (1,), (0, 2), (0, 1, 2), (0,), ())[r.integers(0, 7)]
    return [np.asarray(r.random(sizes) < r.choice([0.02, 0.5, 0.98]))], {
        "axes": axes,
        "keepdims": bool(r.integers(0, 2)),
    }


def one(name: str, function: Any, made: Any = moderate, ulps: float = 0, dtypes: tuple[str, ...] = REAL) -> Property:
    return Property(name, 2, broadcast(made, 1), function, ulps, dtypes)


def two(name: str, function: Any, made: Any = moderate, ulps: float = 0, dtypes: tuple[str, ...] = REAL) -> Property:
    return Property(name, 2, broadcast(made, 2), function, ulps, dtypes)


PROPERTIES = [
    one("identity", lambda x: x, numbers, dtypes=(*NUMBERS, "bool")),
    one("relu", lambda x: np.maximum(x, np.zeros((), x.dtype)), numbers, dtypes=ORDERED),
    one("relu6", lambda x: np.clip(x, np.zeros((), x.dtype), np.array(6, x.dtype)), numbers, dtypes=ORDERED),
    one("elu", lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), ulps=8),
    one("selu", selu, ulps=8),
    one(
        "selu_slope", lambda x: np.where(x >= 0, SELU_SCALE, SELU_SCALE * SELU_ALPHA * np.exp(np.minimum(x, 0))), ulps=8
    ),
    one("softplus", lambda x: np.logaddexp(x, 0), ulps=8),
    one("softsign", lambda x: np.where(np.isinf(x), np.nan, x / (1 + np.abs(x))), ulps=4),
    one("log_sigmoid", lambda x: -np.logaddexp(0, -x), ulps=8),
    one("gelu", gelu, finite, ulps=8),
    one("gelu_tanh", gelu_tanh, finite, ulps=16),
    one("gelu_slope", gelu_slope, finite, ulps=16),
    one("gelu_tanh_slope", gelu_tanh_slope, finite, ulps=32),
    one("erf", scipy.special.erf, ulps=4),
    one("erfc", scipy.special.erfc, ulps=8),
    *[one(name, getattr(np, name), ulps=0) for name in ("ceil", "floor", "rint")],
    one("round", np.rint, numbers, dtypes=(*REAL, *INTEGERS[:4])),
    *[one(f"is_{name}", getattr(np, f"is{name}"), dtypes=REAL) for name in ("finite", "inf", "nan")],
    one("angle_of_real", lambda x: np.where(x < 0, np.pi, 0.0), ulps=1),
    one("logical_not", np.logical_not, bits, dtypes=("bool",)),
    one("invert", np.invert, bits, dtypes=INTEGERS),
    *[two(f"logical_{name}", getattr(np, f"logical_{name}"), bits, dtypes=("bool",)) for name in ("and", "or", "xor")],
    *[two(f"bitwise_{name}", getattr(np, f"bitwise_{name}"), bits, dtypes=INTEGERS) for name in ("and", "or", "xor")],
    *[
        two(name, getattr(np, name), numbers, dtypes=ORDERED)
        for name in ("greater", "greater_equal", "less", "less_equal")
    ],
    *[two(name, getattr(np, name), numbers, dtypes=ORDERED) for name in ("maximum", "minimum")],
    Property(
        "clip_by_value",
        2,
        broadcast(numbers, 3),
        lambda x, low, high: np.maximum(np.minimum(x, high), low),
        dtypes=ORDERED,
    ),
    two("atan2", np.arctan2, ulps=4),
    two("hypot", np.hypot, ulps=4),
    Property("left_shift", 2, shifts, lambda x, y: np.left_shift(x, within_width(y)), dtypes=INTEGERS),
    Property("right_shift", 2, shifts, lambda x, y: np.right_shift(x, within_width(y)), dtypes=INTEGERS),
    Property("leaky_relu", 2, leaky, lambda x, alpha: np.where(x > 0, x, alpha * x), 1, REAL),
    Property("leaky_relu_gradient", 2, leaky_gradient, lambda g, x, alpha: np.where(x > 0, g, alpha * g), 1, REAL),
    Property("relu_gradient", 2, same_shape(finite, moderate), lambda g, y: np.where(y > 0, g, 0), dtypes=REAL),
    Property(
        "relu6_gradient", 2, same_shape(finite, moderate), lambda g, y: np.where((y > 0) & (y < 6), g, 0), dtypes=REAL
    ),
    Property(
        "relu_gradient",
        2,
        same_shape(numbers, numbers),
        lambda g, y: np.where(y > 0, g, g.dtype.type(0)),
        dtypes=INTEGERS,
    ),
    Property(
        "relu6_gradient",
        2,
        same_shape(numbers, numbers),
        lambda g, y: np.where((y > 0) & (y < 6), g, g.dtype.type(0)),
        dtypes=INTEGERS,
    ),
    Property("gelu_gradient", 2, same_shape(finite, finite), slope(gelu_slope), 16, REAL),
    Property("gelu_tanh_gradient", 2, same_shape(finite, finite), slope(gelu_tanh_slope), 32, REAL),
    Property("sigmoid_cross_entropy", 2, same_shape(finite, finite), cross_entropy, 16, REAL),
    Property("reduce_all", 3, reduced, lambda x, axes, keepdims: x.all(axes, keepdims=keepdims), dtypes=("bool",)),
    Property("reduce_any", 3, reduced, lambda x, axes, keepdims: x.any(axes, keepdims=keepdims), dtypes=("bool",)),
]
