"""Exponentials, logarithms, circular and hyperbolic functions, and the sigmoid family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core.lowering import complex_launches
from fastgrad._src.core.operation import FLOAT_DTYPES, INEXACT_DTYPES, NEVER, Binary, Unary, elementwise
from fastgrad._src.core.result_rules import same_as_first
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.kernels.elementwise.activation import ELEMENT_NANOSECONDS
from fastgrad._src.ops.kernel_launches import make_float_kernel_run, make_kernel_run, make_pair_kernel_run
from fastgrad._src.scalars import terms
from fastgrad._src.scalars.formulas import ScalarOperation

# ---- exponentials and logarithms -----------------------------------------------------------------------


def _transcendental_operation(
    name: str,
    doc: str,
    by_numpy: Callable[[np.ndarray], Any],
    domain: tuple[float, float] | None = None,
) -> Unary:
    """Declares an element-wise function of floats and complex numbers; ``name`` also names its kernels."""
    run = make_float_kernel_run(name, by_numpy)
    row: Unary = elementwise(
        name,
        doc,
        run=run,
        term=terms.FUNCTIONS[name],
        dtypes=INEXACT_DTYPES,
        domain=domain,
        large=NEVER,
    )
    return row


exp = _transcendental_operation(
    "exp",
    """``e**x``, element by element.

    Example:
        >>> tf.exp([0.0, 1.0])
        <tf.Tensor: shape=(2,), dtype=float32, numpy=array([1.       , 2.7182817], dtype=float32)>
    """,
    np.exp,
)
expm1 = _transcendental_operation(
    "expm1",
    "``e**x - 1``, element by element, exact near 0.",
    np.expm1,
)
log = _transcendental_operation(
    "log",
    """The natural logarithm, element by element: -inf at 0, NaN below. The gradient at 0 is infinite.

    Example:
        >>> tf.math.log([1.0, 0.0])
        <tf.Tensor: shape=(2,), dtype=float32, numpy=array([  0., -inf], dtype=float32)>
    """,
    np.log,
    domain=(0.0, np.inf),
)


# NumPy takes the logarithm of the rounded sum, which loses the digits of small complex numbers.
_complex_log1p = make_kernel_run(complex_launches("log1p"), same_as_first)

log1p = _transcendental_operation(
    "log1p",
    "``log(1 + x)``, element by element, exact near 0.",
    lambda x: _complex_log1p(x) if x.dtype.kind == "c" else np.log1p(x),
    domain=(-1.0, np.inf),
)


def _logarithm_to_base(base: int, by_numpy: Callable[[np.ndarray], Any]) -> Unary:
    """Declares the logarithm to a base, which is exact for powers of the base."""
    name = f"log{base}"
    row: Unary = elementwise(
        name,
        f"The logarithm to the base {base}, element by element: -inf at 0, NaN below.",
        run=make_float_kernel_run(name, by_numpy),
        term=terms.FUNCTIONS[name],
        dtypes=FLOAT_DTYPES,
        domain=(0.0, np.inf),
        large=NEVER,
    )
    return row


log2 = _logarithm_to_base(2, np.log2)
log10 = _logarithm_to_base(10, np.log10)


def _times_logarithm(name: str, doc: str, term: ScalarOperation, log_operation: Unary) -> Binary:
    """Declares ``x * log_operation(y)``, 0 where ``x`` is 0."""
    row: Binary = elementwise(
        name,
        doc,
        run=lambda x, y: np.where(x == 0, x.dtype.type(0), np.multiply(x, log_operation.run(y))),
        term=term,
        dtypes=INEXACT_DTYPES,
        domain=log_operation.domain,
    )
    return row


xlogy = _times_logarithm(
    "xlogy",
    "``x * log(y)``, and 0 where ``x`` is 0, whatever ``y`` is; element by element, broadcast.",
    terms.xlogy,
    log,
)
xlog1py = _times_logarithm(
    "xlog1py",
    "``x * log(1 + y)``, and 0 where ``x`` is 0, whatever ``y`` is; element by element, broadcast.",
    terms.xlog1py,
    log1p,
)


# ---- circular functions --------------------------------------------------------------------------------

sin = _transcendental_operation(
    "sin",
    "The sine of an angle in radians, element by element; NaN at infinity.",
    np.sin,
)
cos: Unary = _transcendental_operation(
    "cos",
    "The cosine of an angle in radians, element by element; NaN at infinity.",
    np.cos,
)
tan = _transcendental_operation(
    "tan",
    "The tangent of an angle in radians, element by element; NaN at infinity.",
    np.tan,
)
asin = _transcendental_operation(
    "asin",
    "The inverse of ``sin``, element by element, in [-pi/2, pi/2]; NaN outside [-1, 1].",
    np.arcsin,
    domain=(-1.0, 1.0),
)
acos = _transcendental_operation(
    "acos",
    "The inverse of ``cos``, element by element, in [0, pi]; NaN outside [-1, 1].",
    np.arccos,
    domain=(-1.0, 1.0),
)
atan = _transcendental_operation(
    "atan",
    "The inverse of ``tan``, element by element, in [-pi/2, pi/2].",
    np.arctan,
)
hypot = elementwise(
    "hypot",
    "The root of ``x**2 + y**2``, element by element, broadcast, also if the squares are out of range.",
    run=make_pair_kernel_run("hypot", np.hypot, "transcendental"),
    term=terms.hypot,
    dtypes=FLOAT_DTYPES,
    large=NEVER,
)
_atan2 = elementwise(
    "atan2",
    "The angle of the point with ordinate ``x`` and abscissa ``y``.",
    run=np.arctan2,
    term=terms.atan2,
    rounds_as_run=False,
    dtypes=FLOAT_DTYPES,
)


def atan2(y: Any, x: Any, name: str | None = None) -> Tensor:
    """The angle of the points ``(x, y)`` around the origin, element by element, broadcast, in [-pi, pi].

    Args:
        y, x: ordinates and abscissas, of one floating dtype.
        name: kept for TensorFlow's signature.
    """
    return _atan2(y, x)


# ---- hyperbolic functions ------------------------------------------------------------------------------

sinh = _transcendental_operation(
    "sinh",
    "The hyperbolic sine, element by element.",
    np.sinh,
)
cosh: Unary = _transcendental_operation(
    "cosh",
    "The hyperbolic cosine, element by element.",
    np.cosh,
)
tanh = _transcendental_operation(
    "tanh",
    "The hyperbolic tangent, element by element.",
    np.tanh,
)
asinh = _transcendental_operation(
    "asinh",
    "The inverse of ``sinh``, element by element.",
    np.arcsinh,
)
acosh = _transcendental_operation(
    "acosh",
    "The inverse of ``cosh``, element by element, not negative; NaN below 1.",
    np.arccosh,
    domain=(1.0, np.inf),
)
atanh = _transcendental_operation(
    "atanh",
    "The inverse of ``tanh``, element by element: infinite at -1 and 1, NaN beyond.",
    np.arctanh,
    domain=(-1.0, 1.0),
)

# ---- the sigmoid family --------------------------------------------------------------------------------


_complex_sigmoid = make_kernel_run(complex_launches("sigmoid"), same_as_first)


def _sigmoid_by_numpy(x: np.ndarray) -> Any:
    if x.dtype.itemsize == 2:  # so that no exponential overflows
        return sigmoid.run(x.astype(np.float64)).astype(x.dtype)
    return _complex_sigmoid(x)


sigmoid: Unary = elementwise(
    "sigmoid",
    """``1 / (1 + exp(-x))``, element by element.

    Example:
        >>> tf.sigmoid([0.0, 100.0])
        <tf.Tensor: shape=(2,), dtype=float32, numpy=array([0.5, 1. ], dtype=float32)>
    """,
    run=make_float_kernel_run("sigmoid", _sigmoid_by_numpy, "activation", ELEMENT_NANOSECONDS),
    term=terms.sigmoid,
    dtypes=INEXACT_DTYPES,
    rounds_once=True,
    large=NEVER,
)
log_sigmoid = elementwise(
    "log_sigmoid",
    "``log(sigmoid(x)) = -softplus(-x)``, element by element.",
    run=make_float_kernel_run(
        "log_sigmoid",
        lambda x: np.subtract(np.minimum(x, x.dtype.type(0)), np.log1p(np.exp(np.negative(np.abs(x))))),
    ),
    term=terms.log_sigmoid,
    dtypes=FLOAT_DTYPES,
    large=NEVER,
)
_softplus_operation = elementwise(
    "softplus",
    "``log(1 + exp(x))``",
    run=make_float_kernel_run(
        "softplus",
        lambda x: np.add(np.maximum(x, x.dtype.type(0)), np.log1p(np.exp(np.negative(np.abs(x))))),
        "activation",
        ELEMENT_NANOSECONDS,
    ),
    term=terms.softplus,
    dtypes=FLOAT_DTYPES,
    large=NEVER,
)
_softsign_operation = elementwise(
    "softsign",
    "``x / (1 + |x|)``",
    run=lambda x: np.divide(x, np.add(np.abs(x), x.dtype.type(1))),
    term=terms.softsign,
    dtypes=FLOAT_DTYPES,
)


def softplus(features: Any, name: str | None = None) -> Tensor:
    """``log(1 + exp(features))``, element by element, for numbers of any size.

    Args:
        features: a tensor of a floating dtype.
        name: kept for TensorFlow's signature.
    """
    return _softplus_operation(features)


def softsign(features: Any, name: str | None = None) -> Tensor:
    """``features / (1 + |features|)``, element by element.

    Args:
        features: a tensor of a floating dtype.
        name: kept for TensorFlow's signature.
    """
    return _softsign_operation(features)
