"""Properties of rows that compute with complex numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core.operation import TABLE, Binary, Unary
from tests.kernels.properties import COMPLEX, Property, normal, numbers

ULPS = 24.0


def scattered(r: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    """Numbers of all sizes that squares and exponentials of have room in float32, near 0, 1 and i among them."""
    size = 10.0 ** r.integers(-4, 2, shape)
    z = size * (r.normal(size=shape) + 1j * r.normal(size=shape)) / 2
    return np.asarray(z + r.choice([0, 0, 1, -1, 1j, -1j], shape)).astype(dtype)


def pairs(r: np.random.Generator, dtype: str, a: int, b: int) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Numbers that broadcast, zeros among them."""
    x, y = scattered(r, dtype, a, b), scattered(r, dtype, *[(a, b), (1, b), (a, 1), ()][r.integers(0, 4)])
    for one in (x, y):
        one[r.random(one.shape) < 0.1] = 0
    return [x, y], {}


def powers(r: np.random.Generator, dtype: str, a: int, b: int) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Bases, zeros among them, and exponents that don't make errors of logarithms many times as large."""
    (x, y), nothing = pairs(r, dtype, a, b)
    y = (2 * (r.normal(size=y.shape) + 1j * r.normal(size=y.shape))).astype(dtype)
    return [x, np.where(r.random(y.shape) < 0.3, r.integers(0, 3, y.shape), y).astype(dtype)], nothing


def only_where(there: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, 0 where the condition does not hold."""
    return lambda x, y: np.where(there(x, y), function(x, y), 0)


def log1p(z: Any) -> Any:
    """The logarithm of 1 + z, of small numbers by what |1 + z|^2 differs from 1."""
    a, b = z.real, z.imag
    return np.where(np.abs(z) < 0.5, np.log1p(a * (2 + a) + b * b) / 2 + 1j * np.arctan2(b, 1 + a), np.log(1 + z))


def power(x: Any, y: Any) -> Any:
    return np.where(y == 0, 1, np.where(x == 0, np.where(y.real > 0, 0, np.nan * (1 + 1j)), x**y))


EXACT_OF_ONE = {
    "sign": lambda z: np.where(z == 0, 0, z / np.abs(z)),
    "rsqrt": lambda z: 1 / np.sqrt(z),
    "log1p": log1p,
    "one_minus_square": lambda z: (1 - z) * (1 + z),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "real": lambda z: z.real,
    "imag": lambda z: z.imag,
    **{name: getattr(np, f"arc{name[1:]}") for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh")},
}
EXACT_OF_TWO = {
    "multiply_no_nan": only_where(lambda x, y: y != 0, np.multiply),
    "divide_no_nan": only_where(lambda x, y: y != 0, np.divide),
    "xdivy": only_where(lambda x, y: x != 0, np.divide),
    "squared_difference": lambda x, y: np.abs(x - y) ** 2 + 0j,
    "sqrt_gradient": lambda g, y: np.where(g == 0, 0, g * 0.5 / y),
    "rsqrt_gradient": lambda g, y: np.where(g == 0, 0, g * -0.5 * y**3),
    "reciprocal_gradient": lambda g, y: np.where(g == 0, 0, -g * y**2),
    "xlogy": only_where(lambda x, y: x != 0, lambda x, y: x * np.log(y)),
    "xlog1py": only_where(lambda x, y: x != 0, lambda x, y: x * log1p(y)),
    "pow": power,
}
WITH_KERNELS = {name: row for name, row in TABLE.items() if row.lowering.elementwise.complex_launches is not None}
OF_ONE = [name for name, row in WITH_KERNELS.items() if isinstance(row, Unary)]
OF_TWO = [name for name, row in WITH_KERNELS.items() if isinstance(row, Binary)]
PROPERTIES = [
    *[
        Property(
            name,
            2,
            lambda r, dtype, *sizes: ([scattered(r, dtype, *sizes)], {}),
            EXACT_OF_ONE.get(name) or getattr(np, name),
            ULPS,
            COMPLEX,
            each=True,
        )
        for name in OF_ONE
    ],
    *[
        Property(name, 2, pairs, EXACT_OF_TWO.get(name) or getattr(np, name), ULPS, COMPLEX, each=True)
        for name in OF_TWO
        if name not in {"pow", "equal", "not_equal", "complex"}
    ],
    Property("pow", 2, powers, power, 8 * ULPS, COMPLEX, each=True),
    *[Property(name, 2, pairs, getattr(np, name), dtypes=COMPLEX) for name in ("equal", "not_equal")],
    Property(
        "add_n",
        2,
        lambda r, dtype, *sizes: ([scattered(r, dtype, *sizes) for _ in range(3)], {}),
        lambda *xs: sum(xs),
        ULPS,
        COMPLEX,
    ),
    Property(
        "where",
        2,
        lambda r, dtype, a, b: ([r.random((a, 1)) < 0.5, numbers(r, dtype, b), numbers(r, dtype, a, b)], {}),
        np.where,
        dtypes=COMPLEX,
    ),
    Property(
        "masked",
        2,
        lambda r, dtype, a, b: ([numbers(r, dtype, a, b), r.random(b) < 0.5], {}),
        lambda x, kept: np.where(kept, x, 0),
        dtypes=COMPLEX,
    ),
    Property(
        "complex",
        2,
        lambda r, dtype, a, b: ([normal(r, dtype, a, 1), normal(r, dtype, b)], {}),
        lambda x, y: x + 1j * y,
    ),
    *[
        Property(
            "cast",
            2,
            lambda r, dtype, *sizes, to=to: ([r.integers(-9, 9, sizes).astype(dtype)], {"dtype": to}),
            lambda x, dtype: (x if np.dtype(dtype).kind in "cb" else x.real).astype(dtype),
            dtypes=(*COMPLEX, *dtypes),
        )
        for to, *dtypes in (
            ("complex64", "float64", "int32", "bool"),
            ("complex128", "float32", "int64"),
            ("float32",),
            ("int64",),
            ("bool",),
        )
    ],
]
