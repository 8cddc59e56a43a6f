"""Properties of rows that run on the host, of checks, and of rows that give what they are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg

from tests.kernels.properties import ANY, FLOATS, HALVES, Property, dtype_of, normal, numbers
from tests.kernels.random.draw_properties import words
from tests.reliability.boundaries.elementwise import NUMBERS

Made = tuple[list[np.ndarray], dict[str, Any]]
LAPACK = (*FLOATS, "complex64", "complex128")
LARGEST = 24
"""Rows of a matrix: LAPACK's errors grow with them, and its blocks are not this library's."""


def entries(r: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    x = r.normal(size=shape)
    return (x + 1j * r.normal(size=shape) if dtype.startswith("c") else x).astype(dtype)


def regular(r: np.random.Generator, dtype: str, batch: int, n: int) -> np.ndarray:
    """Matrices whose eigenvalues are far from 0."""
    n = min(n, LARGEST)
    return np.asarray(entries(r, dtype, batch % 9, n, n) + (3 + 2 * np.sqrt(n)) * np.eye(n)).astype(dtype)


def definite(r: np.random.Generator, dtype: str, batch: int, n: int) -> Made:
    x = regular(r, dtype, batch, n)
    return [(x @ x.conj().swapaxes(-1, -2) / max(1, min(n, LARGEST))).astype(dtype)], {}


def one_matrix(**attributes: Any) -> Callable[..., Made]:
    return lambda r, dtype, batch, n: ([regular(r, dtype, batch, n)], attributes)


def two_matrices(r: np.random.Generator, dtype: str, batch: int, n: int) -> Made:
    x = regular(r, dtype, batch, n)
    return [entries(r, dtype, *x.shape), x], {}


def cofactors(x: Any) -> Any:
    return (np.linalg.det(x)[..., None, None] * np.linalg.inv(x)).swapaxes(-1, -2)


def cofactors_derivative(k: Any, x: Any) -> Any:
    y, m = cofactors(x), np.linalg.inv(x).swapaxes(-1, -2)
    return y * (k * m).sum((-2, -1))[..., None, None] - y @ k.swapaxes(-1, -2) @ m


def system(r: np.random.Generator, dtype: str, batch: int, n: int, columns: int) -> Made:
    a = regular(r, dtype, batch, n)
    return [a, entries(r, dtype, *a.shape[:-1], columns % 70)], {"adjoint": bool(r.integers(0, 2))}


def triangle(*sizes: Any) -> Made:
    arrays, attributes = system(*sizes)
    return arrays, {**attributes, "lower": bool(sizes[0].integers(0, 2))}


def solved(a: Any, b: Any, adjoint: bool, lower: bool | None = None) -> Any:
    if lower is not None:
        a = np.tril(a) if lower else np.triu(a)
    a = a.astype(np.complex128) if a.dtype.kind == "c" else a
    return np.linalg.solve(a.conj().swapaxes(-1, -2) if adjoint else a, b.astype(a.dtype))


def wide(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of LAPACK's, of complex numbers that it has."""
    return lambda *operands, **attributes: function(
        *[x.astype(np.complex128) if x.dtype.kind == "c" else x for x in operands], **attributes
    )


def inverse(x: Any, adjoint: bool) -> Any:
    return np.linalg.inv(x.conj().swapaxes(-1, -2) if adjoint else x)


def random_numbers(*ranges: tuple[float, float], **more: Any) -> Callable[..., Made]:
    """Makes words, and numbers that broadcast to the shape of a draw."""

    def make(r: np.random.Generator, dtype: str, a: int, b: int) -> Made:
        parts = [np.asarray(r.uniform(low, high, [(a, b), (b,), ()][r.integers(0, 3)])) for low, high in ranges]
        return [words(r), *[x.astype(dtype) for x in parts]], {"shape": (a, b), **more}

    return make


def holds(r: np.random.Generator, dtype: str, a: int, b: int) -> Made:
    """Two arrays of which all elements are in order, broadcast."""
    x = np.asarray(numbers(r, dtype, a, b))
    x = np.where(x == x, x, np.zeros((), x.dtype)) if x.dtype.kind in "fV" else x
    x = np.where(np.abs(x) < 100, x, np.ones((), x.dtype)) if x.dtype.kind in "fV" else x
    y = np.full([(b,), (), (1, b)][r.integers(0, 3)], 99).astype(x.dtype)
    return [x, y], {"check": "assert_less", "message": None, "summarize": None}


def finite(r: np.random.Generator, dtype: str, a: int, b: int) -> Made:
    return [normal(r, "float64", a, b).astype(dtype_of(dtype))], {"message": ""}


def states(r: np.random.Generator, dtype: str, n: int) -> Made:
    return [words(r)], {"count": n}


def turns(r: np.random.Generator, dtype: str, n: int) -> Made:
    return [np.array(n, np.int64)], {"every": int(r.integers(1, 9))}


def shaped(r: np.random.Generator, dtype: str, a: int, b: int) -> Made:
    return [words(r)], {"shape": (a, b)}


def least_norm_system(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
    return system(r, dtype, *sizes)[0], {}


PROPERTIES = [
    Property("cholesky", 2, definite, wide(np.linalg.cholesky), 4096, LAPACK),
    Property("det", 2, one_matrix(), wide(np.linalg.det), 4096, LAPACK),
    Property("cofactors", 2, one_matrix(), wide(cofactors), 4096, LAPACK),
    Property("cofactors_derivative", 2, two_matrices, wide(cofactors_derivative), 4096, LAPACK),
    Property("slogdet", 2, one_matrix(), lambda x: tuple(wide(np.linalg.slogdet)(x)), 4096, LAPACK),
    Property(
        "inv",
        2,
        lambda r, dtype, *sizes: ([regular(r, dtype, *sizes)], {"adjoint": bool(r.integers(0, 2))}),
        wide(inverse),
        4096,
        LAPACK,
    ),
    Property("solve", 3, system, solved, 4096, LAPACK),
    Property("triangular_solve", 3, triangle, solved, 4096, LAPACK),
    Property(
        "expm",
        2,
        lambda r, dtype, *sizes: ([regular(r, dtype, *sizes) / 16], {}),
        wide(scipy.linalg.expm),
        4096,
        LAPACK,
    ),
    Property("sqrtm", 2, one_matrix(), None, 4096, LAPACK),
    Property("lu", 2, one_matrix(index_type="int32"), None, 4096, LAPACK),
    Property("logm", 2, one_matrix(), None, 4096, ("complex64", "complex128")),
    Property("qr", 2, one_matrix(full_matrices=False), None, 4096, LAPACK),
    Property("svd", 2, one_matrix(full_matrices=False), None, 4096, LAPACK),
    Property("eig", 2, one_matrix(), None, 4096, LAPACK),
    Property("eigh", 2, one_matrix(), None, 4096, LAPACK),
    Property(
        "pinv",
        2,
        lambda r, dtype, *sizes: ([regular(r, dtype, *sizes), np.array(1e-6, dtype).real], {}),
        lambda x, rcond: wide(np.linalg.inv)(x),
        1 << 14,
        LAPACK,
    ),
    Property("least_norm_solution", 3, least_norm_system, wide(np.linalg.solve), 1 << 14, FLOATS),
    Property("random_gamma", 2, random_numbers((0.3, 5), (0.5, 2)), None, dtypes=FLOATS),
    Property("random_poisson", 2, random_numbers((0.3, 50), dtype="float32"), None, dtypes=FLOATS),
    Property("random_binomial", 2, random_numbers((1, 50), (0, 1), dtype="int32"), None, dtypes=FLOATS),
    Property("random_bits", 2, shaped, None, dtypes=("uint64",)),
    Property("random_bits_of_dropout", 2, shaped, None, dtypes=("uint32",)),
    Property("advance_generator", 1, states, None, dtypes=("int64",)),
    Property("assert", 2, holds, lambda *_, **__: np.array(True), dtypes=(*FLOATS, *HALVES, "int8", "int64", "uint8")),
    Property(
        "assert_true",
        2,
        lambda r, dtype, *sizes: ([np.ones(sizes, bool)], {"summarize": None}),
        lambda x, **_: np.array(True),
        dtypes=("bool",),
    ),
    Property("check_numerics", 2, finite, lambda x, **_: x, dtypes=(*FLOATS, *HALVES)),
    Property("whole_turns", 1, turns, lambda n, every: n // every, dtypes=("int64",)),
    Property("ends_turn", 1, turns, lambda n, every: (n + 1) % every == 0, dtypes=("int64",)),
    *[
        Property(
            name, 2, lambda r, dtype, *sizes: ([numbers(r, dtype, *sizes)], {}), lambda x: x, dtypes=(*ANY, *NUMBERS)
        )
        for name in ("stop_gradient", "recomputed_input")
    ],
    Property(
        "copy_to_device",
        2,
        lambda r, dtype, *sizes: ([numbers(r, dtype, *sizes)], {"device": "CPU:0"}),
        lambda x, device: x,
        dtypes=ANY,
    ),
]
