"""Properties of element-wise rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special

from tests.kernels.properties import Property

SIGNED = ("int8", "int16", "int32", "int64")
INTEGERS = (*SIGNED, "uint8", "uint16", "uint32", "uint64")


def broadcast(made: Callable[..., np.ndarray], count: int) -> Callable[..., Any]:
    """Makes so many arrays that broadcast to one of the sizes."""

    def make(r: np.random.Generator, dtype: str, a: int, b: int) -> tuple[list[np.ndarray], dict[str, Any]]:
        shapes = [(a, b), (1, b), (a, 1), ()]
        return [made(r, dtype, *shapes[r.integers(0, 4) if number else 0]) for number in range(count)], {}

    return make


def whole(r: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    """Numbers all over their dtype, its ends and small ones among them, but for 0."""
    limits = np.iinfo(dtype)
    x = r.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    x = np.where(r.random(shape) < 0.5, r.integers(1, 9, shape), x).astype(dtype)
    x = np.where(r.random(shape) < 0.1, limits.min, x)
    x = np.where(r.random(shape) < 0.1, np.array(-1).astype(dtype), x)  # the largest where there are no signs
    return np.asarray(np.where(x == 0, limits.max, x)).astype(dtype)


def exactly(function: Callable[[int, int], int]) -> Callable[..., np.ndarray]:
    """A function of Python's integers, modulo the number of those that the dtype has."""

    def exact(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        bits = 8 * x.dtype.itemsize
        found = np.frompyfunc(lambda a, b: function(int(a), int(b)) % 2**bits, 2, 1)(x, y)
        return np.asarray(found, object).astype(f"uint{bits}").astype(x.dtype)

    return exact


def truncated(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def bases(r: np.random.Generator, dtype: str, a: int, b: int) -> tuple[list[np.ndarray], dict[str, Any]]:
    (x, y), nothing = broadcast(whole, 2)(r, dtype, a, b)
    return [x, (y % 50).astype(dtype)], nothing


def positive(r: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    return (0.05 + np.abs(3 * r.normal(size=shape))).astype(dtype)


def anything(r: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    """Numbers on both sides of 0, and special ones."""
    x = np.asarray(3 * r.normal(size=shape))
    return np.where(r.random(shape) < 0.1, r.choice([0.0, 1.0, -2.0, np.inf, -np.inf, np.nan], shape), x).astype(dtype)


def inside(low: float, high: float) -> Callable[..., np.ndarray]:
    return lambda r, dtype, *shape: r.uniform(low, high, shape).astype(dtype)


OF_ONE = {
    "erfinv": (scipy.special.erfinv, inside(-0.999, 0.999)),
    "erfcinv": (scipy.special.erfcinv, inside(0.001, 1.999)),
    "ndtri": (scipy.special.ndtri, inside(0.001, 0.999)),
    "lgamma": (scipy.special.gammaln, positive),
    "digamma": (scipy.special.psi, positive),
    **{
        f"bessel_{name}": (getattr(scipy.special, name), anything if name[0] in "ij" else positive)
        for name in ("i0", "i0e", "i1", "i1e", "j0", "j1", "k0", "k0e", "k1", "k1e", "y0", "y1")
    },
    "dawsn": (scipy.special.dawsn, anything),
    "expint": (scipy.special.expi, positive),
    "fresnel_cos": (lambda x: scipy.special.fresnel(x)[1], anything),
    "fresnel_sin": (lambda x: scipy.special.fresnel(x)[0], anything),
    "spence": (scipy.special.spence, positive),
}


def slope_of_igamma(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """By a difference of fourth order, of numbers that have 15 digits."""
    step, low = 1e-3 * np.minimum(a, 1), scipy.special.gammainc
    near, far = low(a + step, x) - low(a - step, x), low(a + 2 * step, x) - low(a - 2 * step, x)
    return (8 * near - far) / (12 * step)


def polygamma(n: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.where(n == 0, scipy.special.psi(x), (-1.0) ** (n + 1) * scipy.special.gamma(n + 1) * zeta(n + 1, x))


def zeta(s: np.ndarray, q: np.ndarray) -> np.ndarray:
    return scipy.special.zeta(s, q)


def orders(r: np.random.Generator, dtype: str, a: int, b: int) -> tuple[list[np.ndarray], dict[str, Any]]:
    return [r.integers(0, 4, (a, 1)).astype(dtype), positive(r, dtype, a, b)], {}


def exponents(r: np.random.Generator, dtype: str, a: int, b: int) -> tuple[list[np.ndarray], dict[str, Any]]:
    return [1.1 + positive(r, dtype, a, 1), positive(r, dtype, b)], {}


def shares(r: np.random.Generator, dtype: str, a: int, b: int) -> tuple[list[np.ndarray], dict[str, Any]]:
    return [positive(r, dtype, a, 1), positive(r, dtype, b), inside(0, 1)(r, dtype, a, b)], {}


PROPERTIES = [
    *[
        Property(name, 2, broadcast(whole, 2), exactly(function), dtypes=INTEGERS)
        for name, function in (
            ("floordiv", lambda a, b: a // b),
            ("floor_divide", lambda a, b: a // b),
            ("floormod", lambda a, b: a % b),
            ("truncatediv", truncated),
            ("truncatemod", lambda a, b: a - truncated(a, b) * b),
        )
    ],
    Property("pow", 2, bases, exactly(pow), dtypes=SIGNED),
    *[
        Property(name, 2, broadcast(made, 1), function, 32, dtypes=("float32", "float64", "float16"))
        for name, (function, made) in OF_ONE.items()
    ],
    Property("igamma", 2, broadcast(positive, 2), scipy.special.gammainc, 64),
    Property("igammac", 2, broadcast(positive, 2), scipy.special.gammaincc, 64),
    Property("igamma_slope", 2, broadcast(positive, 2), slope_of_igamma, 32, dtypes=("float32",)),
    Property("betainc", 2, shares, scipy.special.betainc, 256),
    Property("zeta", 2, exponents, zeta, 64),
    Property("polygamma", 2, orders, polygamma, 64),
]
