"""The error function and related functions, which SciPy computes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad.operation import FLOATING, Form, Unary, elementwise
from fastgrad.ops.arithmetic import multiply, negative
from fastgrad.ops.exponential import exp
from fastgrad.ops.kernel_launches import by_kernel_of_floats, launches_from
from fastgrad.ops.power import square

_HALVES = frozenset(np.dtype(name) for name in ("float16", "bfloat16"))


def from_scipy(name: str) -> Callable[..., np.ndarray]:
    """Returns a wrapper of a ``scipy.special`` function, imported at the first call; half-width floats use float32."""

    def run(*xs: np.ndarray) -> Any:
        from scipy import special

        function = getattr(special, name)
        dtype = xs[0].dtype
        if dtype not in _HALVES:
            return function(*xs)
        return np.asarray(function(*[x.astype(np.float32) for x in xs])).astype(dtype)

    return run


erf = elementwise(
    "erf",
    "The error function ``2/sqrt(pi)`` times the integral of ``exp(-t**2)`` from 0 to ``x``, element by element.",
    run=by_kernel_of_floats("erf", from_scipy("erf")),
    code="erf({0})",
    gradient=lambda g, y, x: multiply(g, multiply(exp(negative(square(x))), 2 / math.sqrt(math.pi))),
    dtypes=FLOATING,
)
erfc = elementwise(
    "erfc",
    "``1 - erf(x)``, element by element, exact for large ``x``.",
    run=by_kernel_of_floats("erfc", from_scipy("erfc")),
    code="erfc({0})",
    gradient=lambda g, y, x: multiply(g, multiply(exp(negative(square(x))), -2 / math.sqrt(math.pi))),
    dtypes=FLOATING,
)
erfinv = Unary(
    "erfinv",
    from_scipy("erfinv"),
    lambda g, y, x: multiply(g, multiply(exp(square(y)), math.sqrt(math.pi) / 2)),
    form=Form.ELEMENTWISE,
    dtypes=FLOATING,
    domain=(-1.0, 1.0),
    doc="The inverse of ``erf``, element by element: infinite at -1 and 1, NaN beyond.",
    launches=launches_from("elementwise.elementwise", "scipy_launches", "erfinv"),
)
erfcinv = Unary(
    "erfcinv",
    from_scipy("erfcinv"),
    lambda g, y, x: multiply(g, multiply(exp(square(y)), -math.sqrt(math.pi) / 2)),
    form=Form.ELEMENTWISE,
    dtypes=FLOATING,
    domain=(0.0, 2.0),
    doc="The inverse of ``erfc``, element by element: infinite at 0 and 2, NaN beyond.",
    launches=launches_from("elementwise.elementwise", "scipy_launches", "erfcinv"),
)
ndtri = Unary(
    "ndtri",
    from_scipy("ndtri"),
    lambda g, y, x: multiply(g, multiply(exp(multiply(square(y), 0.5)), math.sqrt(2 * math.pi))),
    form=Form.ELEMENTWISE,
    dtypes=FLOATING,
    domain=(0.0, 1.0),
    doc="The quantile of the standard normal distribution, element by element: infinite at 0 and 1, NaN beyond.",
    launches=launches_from("elementwise.elementwise", "scipy_launches", "ndtri"),
)
