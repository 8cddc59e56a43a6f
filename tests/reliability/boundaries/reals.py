"""Properties of element-wise rows for real numbers, whole and not, of which others are tried with complex numbers: against NumPy in float64."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special

from tests.kernels.elementwise.elementwise_properties import broadcast, inside, positive
from tests.kernels.properties import FLOATS, HALVES, Property, dtype_of, numbers
from tests.reliability.boundaries.elementwise import INTEGERS, NUMBERS, REAL, bits, finite, moderate, one, two

WHOLE = (*REAL, *INTEGERS)
SIGNED = (*REAL, *INTEGERS[:4])


def within(low: float, high: float) -> Callable[..., np.ndarray]:
    """Numbers between two."""
    made = inside(low, high)
    return lambda r, dtype, *shape: made(r, "float64", *shape).astype(dtype_of(dtype))


def above(r: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    return positive(r, "float64", *shape).astype(dtype_of(dtype))


def with_zeros(r: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    return np.where(r.random(shape) < 0.2, np.zeros((), dtype_of(dtype)), finite(r, dtype, *shape))


def divisors(r: np.random.Generator, dtype: str, a: int, b: int) -> Any:
    """Numbers of which quotients are far from whole ones, or exact."""
    x = np.asarray(r.integers(-99, 99, (a, b)) * 0.5)
    y = np.asarray(r.choice([-4.0, -2.0, -0.5, 0.5, 2.0, 8.0], [(a, b), (1, b), (a, 1), ()][r.integers(0, 4)]))
    return [x.astype(dtype_of(dtype)), y.astype(dtype_of(dtype))], {}


def to_power(r: np.random.Generator, dtype: str, a: int, b: int) -> Any:
    x, y = within(0.2, 3)(r, dtype, a, b), within(-3, 3)(r, dtype, *[(a, b), (b,), ()][r.integers(0, 3)])
    return [x, y], {}


def several(made: Callable[..., np.ndarray]) -> Callable[..., Any]:
    return lambda r, dtype, a, b: ([made(r, dtype, a, b) for _ in range(int(r.integers(2, 6)))], {})


def small(r: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    """Whole numbers, or halves, whose sums and products are exact."""
    kind = dtype_of(dtype)
    x = r.integers(0 if kind.kind == "u" else -5, 6, shape)
    return np.asarray(x * 0.5 if kind.kind in "fV" else x).astype(kind)


def chosen(r: np.random.Generator, dtype: str, a: int, b: int) -> Any:
    conditions = [(a, b), (a, 1), (b,), ()][r.integers(0, 4)]
    shapes = [[(a, b), (1, b), (a, 1), ()][r.integers(0, 4)], (a, b)]
    return [np.asarray(r.random(conditions) < 0.5), *[numbers(r, dtype, *shape) for shape in shapes]], {}


def columns(r: np.random.Generator, dtype: str, a: int, b: int) -> Any:
    return [small(r, dtype, a, b), *[small(r, dtype, *shape) for shape in ((b,), (1, b), (b,))]], {}


def kept(r: np.random.Generator, dtype: str, a: int, b: int) -> Any:
    return [numbers(r, dtype, a, b), np.asarray(r.random([(a, b), (b,), (a, 1)][r.integers(0, 3)]) < 0.5)], {}


def casts() -> list[Property]:
    """From each dtype to each."""
    every = (*FLOATS, *HALVES, *INTEGERS, "bool")

    def make(r: np.random.Generator, dtype: str, a: int, b: int) -> Any:
        to = every[int(r.integers(0, len(every)))]
        unsigned = to.startswith("u") or dtype.startswith("u") or "bool" in (to, dtype)
        x = np.asarray(r.integers(0 if unsigned else -100, 2 if dtype == "bool" else 100, (a, b)))
        part = 0.25 if dtype in REAL and to in (*REAL, *INTEGERS) else 1
        return [(x * part).astype(dtype_of(dtype))], {"dtype": to}

    def exact(x: np.ndarray, dtype: str) -> np.ndarray:
        return (
            np.trunc(x).astype(dtype)
            if dtype in INTEGERS and x.dtype.kind == "f"
            else x.astype(dtype_of(dtype)).astype(np.float64 if dtype in REAL else dtype_of(dtype))
        )

    return [Property("cast", 2, make, exact, dtypes=every)]


def total(*arrays: np.ndarray) -> np.ndarray:
    return functools.reduce(lambda x, y: (x + y).astype(x.dtype), arrays)


def no_nan(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, y: np.where(y == 0, 0.0, function(x, y))


def from_zero(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, y: np.where(x == 0, 0.0, function(x, y))


UNARY: dict[str, tuple[Any, Any, float]] = {
    "sqrt": (np.sqrt, above, 2),
    "rsqrt": (lambda x: 1 / np.sqrt(x), above, 4),
    "reciprocal": (np.reciprocal, above, 2),
    "exp": (np.exp, within(-5, 5), 4),
    "expm1": (np.expm1, within(-5, 5), 4),
    "one_minus_square": (lambda x: (1 - x) * (1 + x), moderate, 2),
    "log": (np.log, above, 4),
    "log1p": (np.log1p, above, 4),
    "log2": (np.log2, above, 4),
    "log10": (np.log10, above, 4),
    "sigmoid": (scipy.special.expit, moderate, 4),
    **{name: (getattr(np, name), finite, 4) for name in ("sin", "cos", "sinh", "cosh")},
    "tan": (np.tan, within(-1.4, 1.4), 4),
    "tanh": (np.tanh, moderate, 4),
    **{name: (getattr(np, f"arc{name[1:]}"), within(-0.99, 0.99), 4) for name in ("asin", "acos", "atanh")},
    "atan": (np.arctan, moderate, 4),
    "asinh": (np.arcsinh, finite, 4),
    "acosh": (np.arccosh, within(1.01, 50), 4),
}

PROPERTIES = [
    *[one(name, function, made, ulps) for name, (function, made, ulps) in UNARY.items()],
    one("negative", np.negative, numbers, dtypes=SIGNED),
    one("abs", np.abs, numbers, dtypes=SIGNED),
    one("sign", lambda x: np.where(x != x, x, np.sign(x)), numbers, dtypes=SIGNED),
    one("square", lambda x: (x * x).astype(x.dtype), small, dtypes=WHOLE),
    two("add", lambda x, y: (x + y).astype(x.dtype), small, dtypes=WHOLE),
    two("subtract", lambda x, y: (x - y).astype(x.dtype), small, dtypes=WHOLE),
    two("multiply", lambda x, y: (x * y).astype(x.dtype), small, dtypes=WHOLE),
    two("add", np.add, bits, dtypes=INTEGERS),
    two("multiply", np.multiply, bits, dtypes=INTEGERS),
    two("squared_difference", lambda x, y: ((x - y) * (x - y)).astype(x.dtype), small, dtypes=WHOLE),
    two("divide", np.divide, moderate, ulps=1),
    two("multiply_no_nan", no_nan(np.multiply), moderate, ulps=1),
    two("divide_no_nan", no_nan(np.divide), with_zeros, ulps=1),
    two("xdivy", from_zero(np.divide), with_zeros, ulps=1),
    two("xlogy", from_zero(lambda x, y: x * np.log(y)), above, ulps=8),
    two("xlog1py", from_zero(lambda x, y: x * np.log1p(y)), above, ulps=8),
    Property("sqrt_gradient", 2, broadcast(above, 2), lambda g, y: np.where(g == 0, 0.0, g * 0.5 / y), 2, REAL),
    Property("rsqrt_gradient", 2, broadcast(above, 2), lambda g, y: np.where(g == 0, 0.0, g * -0.5 * y**3), 4, REAL),
    Property("reciprocal_gradient", 2, broadcast(above, 2), lambda g, y: np.where(g == 0, 0.0, -g * y * y), 4, REAL),
    two("equal", np.equal, numbers, dtypes=(*WHOLE, "bool")),
    two("not_equal", np.not_equal, numbers, dtypes=(*WHOLE, "bool")),
    Property("pow", 2, to_power, np.power, 16, REAL),
    Property("floordiv", 2, divisors, np.floor_divide, 0, REAL),
    Property("floor_divide", 2, divisors, np.floor_divide, 0, REAL),
    Property("floormod", 2, divisors, np.mod, 0, REAL),
    Property("truncatediv", 2, divisors, lambda x, y: np.trunc(x / y), 0, REAL),
    Property("truncatemod", 2, divisors, np.fmod, 0, REAL),
    Property("add_n", 2, several(small), total, dtypes=WHOLE),
    Property("where", 2, chosen, np.where, dtypes=(*NUMBERS, "bool")),
    Property("normalize", 2, columns, lambda x, mean, scale, offset: (x - mean) * scale + offset, dtypes=REAL),
    Property("masked", 2, kept, lambda x, mask: np.where(mask, x, np.zeros((), x.dtype)), dtypes=NUMBERS),
    *casts(),
]
