"""The error function and related functions, computed by kernels, or by SciPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core.lowering import Elementwise
from fastgrad._src.core.operation import FLOAT_DTYPES, HALF_DTYPES, NEVER, Binary, Form, Operation, Unary, elementwise
from fastgrad._src.core.result_rules import broadcast
from fastgrad._src.ops.arithmetic import multiply
from fastgrad._src.ops.exponential import exp
from fastgrad._src.ops.kernel_launches import launches_from, make_float_kernel_run, make_kernel_run
from fastgrad._src.ops.power import square
from fastgrad._src.scalars import terms


def from_scipy(name: str) -> Callable[..., np.ndarray]:
    """Returns a wrapper of a ``scipy.special`` function, imported at the first call; half-width floats use float32."""

    def run_scipy_function(*xs: np.ndarray) -> Any:
        from scipy import special

        function = getattr(special, name)
        dtype = xs[0].dtype
        if dtype not in HALF_DTYPES:
            return function(*xs)
        return np.asarray(function(*[x.astype(np.float32) for x in xs])).astype(dtype)

    return run_scipy_function


erf = elementwise(
    "erf",
    "The error function ``2/sqrt(pi)`` times the integral of ``exp(-t**2)`` from 0 to ``x``, element by element.",
    run=make_float_kernel_run("erf", from_scipy("erf")),
    term=terms.erf,
    dtypes=FLOAT_DTYPES,
    large=NEVER,
)
erfc = elementwise(
    "erfc",
    "``1 - erf(x)``, element by element, exact for large ``x``.",
    run=make_float_kernel_run("erfc", from_scipy("erfc")),
    term=terms.erfc,
    dtypes=FLOAT_DTYPES,
    large=NEVER,
)


def scipy_operation(  # noqa: PLR0913  # most are parts of a row
    name: str,
    doc: str,
    by_scipy: str | Callable[..., Any],
    gradient: Any,
    launches: tuple[Any, ...] | None = None,
    *,
    inputs: int = 1,
    dtypes: frozenset[np.dtype] = FLOAT_DTYPES,
    domain: tuple[float, float] | None = None,
    term: Callable[..., Any] | None = None,
) -> Any:
    """Declares an element-wise operation that functions of ``scipy.special`` compute, eagerly and in kernels.

    Args:
        name, doc, gradient, dtypes, domain, term: as for ``Operation``.
        by_scipy: the name of a SciPy function, or a function of arrays if ``launches`` is given.
        launches: the name of a function of ``kernels/elementwise/elementwise.py``, with its arguments if it makes launches.
        inputs: the number of inputs.
    """
    row_launches = launches_from("elementwise.elementwise", *(launches or ("make_scipy_launches", by_scipy, inputs)))
    by_numpy = from_scipy(by_scipy) if isinstance(by_scipy, str) else by_scipy
    return (Unary, Binary, Operation)[inputs - 1](
        name,
        make_kernel_run(row_launches, broadcast, by_numpy),
        gradient,
        form=Form.ELEMENTWISE,
        elementwise=Elementwise(term),
        dtypes=dtypes,
        domain=domain,
        doc=doc,
        launches=row_launches,
        large=NEVER,
    )


erfinv = scipy_operation(
    "erfinv",
    "The inverse of ``erf``, element by element: infinite at -1 and 1, NaN beyond.",
    "erfinv",
    lambda g, y, x: multiply(g, multiply(exp(square(y)), math.sqrt(math.pi) / 2)),
    launches=("make_wide_launches", "normal_quantile", "erfinv"),
    domain=(-1.0, 1.0),
)
erfcinv = scipy_operation(
    "erfcinv",
    "The inverse of ``erfc``, element by element: infinite at 0 and 2, NaN beyond.",
    "erfcinv",
    lambda g, y, x: multiply(g, multiply(exp(square(y)), -math.sqrt(math.pi) / 2)),
    launches=("make_wide_launches", "normal_quantile", "erfcinv"),
    domain=(0.0, 2.0),
)
ndtri = scipy_operation(
    "ndtri",
    "The quantile of the standard normal distribution, element by element: infinite at 0 and 1, NaN beyond.",
    "ndtri",
    lambda g, y, x: multiply(g, multiply(exp(multiply(square(y), 0.5)), math.sqrt(2 * math.pi))),
    launches=("make_wide_launches", "normal_quantile", "ndtri"),
    domain=(0.0, 1.0),
)
