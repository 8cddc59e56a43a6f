"""The element-wise functions of the public API with the numbers they are tried with; TensorFlow's process reads this, too.

A row is `name: (call, ranges)`. `call` takes the module, fastgrad or tensorflow, and the arguments. `ranges` gives for each argument a range of
`points.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

inf = float("inf")


@dataclass(frozen=True)
class Range:
    """Numbers of an argument: between `low` and `high`, and beside the points `at`."""

    low: float = -inf
    high: float = inf
    at: tuple[float, ...] = ()
    whole: bool = False


@dataclass(frozen=True)
class Row:
    """A function and its arguments."""

    call: Callable[..., Any]
    ranges: tuple[Range, ...] = (Range(),)
    slow: bool = field(default=False)


REAL, POSITIVE = Range(), Range(0.0)
SMALL = Range(-30.0, 30.0)


def _math(name: str) -> Callable[..., Any]:
    return lambda tf, *x: getattr(tf.math, name)(*x)


def _special(name: str) -> Callable[..., Any]:
    return lambda tf, *x: getattr(tf.math.special, name)(*x)


def _nn(name: str, **more: Any) -> Callable[..., Any]:
    return lambda tf, *x: getattr(tf.nn, name)(*x, **more)


def _activation(name: str, **more: Any) -> Callable[..., Any]:
    return lambda tf, *x: getattr(tf.keras.activations, name)(*x, **more)


HALF_TURNS = tuple(
    k * 1.5707963267948966 for k in (1, 2, 3, 4, 7, 22, 710 / 1.5707963267948966, 1e4, 33102, 103993, 411557987)
)
WHOLE = tuple(float(k) for k in range(-6, 4))

ROWS: dict[str, Row] = {
    "abs": Row(_math("abs")),
    "negative": Row(_math("negative")),
    "sign": Row(_math("sign")),
    "square": Row(_math("square")),
    "sqrt": Row(_math("sqrt"), (POSITIVE,)),
    "rsqrt": Row(_math("rsqrt"), (POSITIVE,)),
    "reciprocal": Row(_math("reciprocal")),
    "reciprocal_no_nan": Row(_math("reciprocal_no_nan")),
    "floor": Row(_math("floor")),
    "ceil": Row(_math("ceil")),
    "rint": Row(_math("rint"), (Range(at=(0.5, 1.5, -0.5, -2.5)),)),
    "round": Row(_math("round"), (Range(at=(0.5, 1.5, -0.5, -2.5)),)),
    "exp": Row(_math("exp"), (Range(at=(-103.28, -87.34, 88.72, 709.78, -745.13, -708.4)),)),
    "expm1": Row(_math("expm1"), (Range(at=(0.34657, -0.34657, 88.72, 709.78)),)),
    "log": Row(_math("log"), (Range(0.0, at=(1.0, 0.70710678, 1.41421356)),)),
    "log1p": Row(_math("log1p"), (Range(-1.0, at=(-1.0, 0.41421356, -0.29289322)),)),
    "sin": Row(_math("sin"), (Range(at=HALF_TURNS),)),
    "cos": Row(_math("cos"), (Range(at=HALF_TURNS),)),
    "tan": Row(_math("tan"), (Range(at=HALF_TURNS),)),
    "asin": Row(_math("asin"), (Range(-1.0, 1.0, (0.5, 1.0, -1.0)),)),
    "acos": Row(_math("acos"), (Range(-1.0, 1.0, (0.5, 1.0, -1.0)),)),
    "atan": Row(_math("atan"), (Range(at=(0.41421356, 2.41421356, 1.0)),)),
    "sinh": Row(_math("sinh"), (Range(at=(89.4, 710.47, 1.0)),)),
    "cosh": Row(_math("cosh"), (Range(at=(89.4, 710.47)),)),
    "tanh": Row(_math("tanh"), (Range(at=(0.55, 9.01, 19.06)),)),
    "asinh": Row(_math("asinh")),
    "acosh": Row(_math("acosh"), (Range(1.0, at=(1.0, 2.0)),)),
    "atanh": Row(_math("atanh"), (Range(-1.0, 1.0, (0.5, 1.0, -1.0)),)),
    "sigmoid": Row(_math("sigmoid"), (Range(at=(-88.7, -103.28, -709.0, -745.0)),)),
    "log_sigmoid": Row(_math("log_sigmoid"), (Range(at=(88.7, 103.28, 709.0)),)),
    "softplus": Row(_math("softplus"), (Range(at=(-88.7, -103.28, -709.0, 13.94)),)),
    "softsign": Row(_math("softsign")),
    "erf": Row(_math("erf"), (Range(at=(1.0, 0.84375, 1.25, 3.8325, 5.92)),)),
    "erfc": Row(_math("erfc"), (Range(at=(1.0, 0.84375, 9.19, 10.05, 26.5)),)),
    "erfinv": Row(_math("erfinv"), (Range(-1.0, 1.0, (0.99, 1.0, -1.0)),)),
    "erfcinv": Row(_math("erfcinv"), (Range(0.0, 2.0, (1.0, 2.0, 0.01)),)),
    "ndtri": Row(_math("ndtri"), (Range(0.0, 1.0, (0.5, 1.0, 0.135)),)),
    "lgamma": Row(
        _math("lgamma"), (Range(-1e6, at=(1.0, 2.0, -2.457024738220801, -2.7476826467274127, *WHOLE)),), slow=True
    ),
    "digamma": Row(_math("digamma"), (Range(-1e6, at=(1.4616321449683622, -0.5040830082644554, *WHOLE)),), slow=True),
    "bessel_i0": Row(_math("bessel_i0"), (Range(-800.0, 800.0, (8.0, 91.9)),), slow=True),
    "bessel_i0e": Row(_math("bessel_i0e"), (Range(-1e15, 1e15, (8.0,)),), slow=True),
    "bessel_i1": Row(_math("bessel_i1"), (Range(-800.0, 800.0, (8.0, 91.9)),), slow=True),
    "bessel_i1e": Row(_math("bessel_i1e"), (Range(-1e15, 1e15, (8.0,)),), slow=True),
    "bessel_j0": Row(
        _special("bessel_j0"), (Range(-1e4, 1e4, (2.404825557695773, 5.520078110286311, 5.0)),), slow=True
    ),
    "bessel_j1": Row(_special("bessel_j1"), (Range(-1e4, 1e4, (3.8317059702075125, 5.0)),), slow=True),
    "bessel_k0": Row(_special("bessel_k0"), (Range(0.0, 800.0, (2.0,)),), slow=True),
    "bessel_k0e": Row(_special("bessel_k0e"), (Range(0.0, 1e15, (2.0,)),), slow=True),
    "bessel_k1": Row(_special("bessel_k1"), (Range(0.0, 800.0, (2.0,)),), slow=True),
    "bessel_k1e": Row(_special("bessel_k1e"), (Range(0.0, 1e15, (2.0,)),), slow=True),
    "bessel_y0": Row(
        _special("bessel_y0"), (Range(0.0, 1e4, (0.8935769662791675, 3.957678419314858, 5.0)),), slow=True
    ),
    "bessel_y1": Row(_special("bessel_y1"), (Range(0.0, 1e4, (2.197141326031017, 5.0)),), slow=True),
    "dawsn": Row(_special("dawsn"), (Range(-1e9, 1e9, (3.25, 6.25)),), slow=True),
    "expint": Row(_special("expint"), (Range(0.0, 800.0, (0.37250741078136663,)),), slow=True),
    "fresnel_cos": Row(_special("fresnel_cos"), (Range(-1e3, 1e3, (1.6,)),), slow=True),
    "fresnel_sin": Row(_special("fresnel_sin"), (Range(-1e3, 1e3, (1.6,)),), slow=True),
    "spence": Row(_special("spence"), (Range(0.0, 1e30, (1.0, 2.0, 0.5)),), slow=True),
    "relu": Row(_nn("relu")),
    "relu6": Row(_nn("relu6")),
    "leaky_relu": Row(_nn("leaky_relu")),
    "elu": Row(_nn("elu"), (Range(at=(-88.7, -17.33)),)),
    "selu": Row(_nn("selu"), (Range(at=(-88.7, -17.33)),)),
    "silu": Row(_nn("silu"), (Range(at=(-88.7, -103.28, -709.0)),)),
    "gelu": Row(_nn("gelu"), (Range(-40.0, at=(-5.5, -14.0, -38.0)),)),
    "gelu tanh": Row(_nn("gelu", approximate=True), (Range(-40.0, at=(-5.5, -10.0, -21.0)),)),
    "keras exponential": Row(_activation("exponential")),
    "keras gelu": Row(_activation("gelu"), (Range(-40.0, at=(-5.5, -14.0, -38.0)),)),
    "keras celu": Row(_activation("celu")),
    "keras elu": Row(_activation("elu")),
    "keras selu": Row(_activation("selu")),
    "keras silu": Row(_activation("silu")),
    "keras sigmoid": Row(_activation("sigmoid")),
    "keras softplus": Row(_activation("softplus")),
    "keras softsign": Row(_activation("softsign")),
    "keras tanh": Row(_activation("tanh")),
    "keras hard_shrink": Row(_activation("hard_shrink")),
    "keras hard_sigmoid": Row(_activation("hard_sigmoid"), (Range(at=(-3.0, 3.0)),)),
    "keras hard_silu": Row(_activation("hard_silu"), (Range(at=(-3.0, 3.0)),)),
    "keras hard_tanh": Row(_activation("hard_tanh")),
    "keras leaky_relu": Row(_activation("leaky_relu")),
    "keras log_sigmoid": Row(_activation("log_sigmoid")),
    "keras mish": Row(_activation("mish"), (Range(at=(-1.19, -88.0, -103.0)),)),
    "keras relu": Row(_activation("relu")),
    "keras relu6": Row(_activation("relu6")),
    "keras soft_shrink": Row(_activation("soft_shrink"), (Range(at=(0.5, -0.5)),)),
    "keras sparse_plus": Row(_activation("sparse_plus"), (Range(at=(1.0, -1.0)),)),
    "keras sparse_sigmoid": Row(_activation("sparse_sigmoid"), (Range(at=(1.0, -1.0)),)),
    "keras squareplus": Row(_activation("squareplus")),
    "keras tanh_shrink": Row(_activation("tanh_shrink")),
    "keras threshold": Row(_activation("threshold", threshold=0.5, default_value=0.0)),
    "add": Row(_math("add"), (REAL, REAL)),
    "subtract": Row(_math("subtract"), (REAL, REAL)),
    "multiply": Row(_math("multiply"), (REAL, REAL)),
    "divide": Row(_math("divide"), (REAL, REAL)),
    "maximum": Row(_math("maximum"), (REAL, REAL)),
    "minimum": Row(_math("minimum"), (REAL, REAL)),
    "divide_no_nan": Row(_math("divide_no_nan"), (REAL, REAL)),
    "multiply_no_nan": Row(_math("multiply_no_nan"), (REAL, REAL)),
    "squared_difference": Row(_math("squared_difference"), (REAL, REAL)),
    "floormod": Row(_math("floormod"), (REAL, REAL)),
    "floordiv": Row(_math("floordiv"), (REAL, REAL)),
    "pow": Row(_math("pow"), (Range(0.0, at=(1.0,)), Range(at=(0.5, 1.0, 2.0, 3.0)))),
    "atan2": Row(_math("atan2"), (REAL, REAL)),
    "xlogy": Row(_math("xlogy"), (REAL, Range(0.0, at=(1.0,)))),
    "xlog1py": Row(_math("xlog1py"), (REAL, Range(-1.0, at=(-1.0,)))),
    "xdivy": Row(_math("xdivy"), (REAL, REAL)),
    "sigmoid_cross_entropy": Row(
        lambda tf, z, x: tf.nn.sigmoid_cross_entropy_with_logits(labels=z, logits=x), (Range(0.0, 1.0), REAL)
    ),
    "weighted_cross_entropy": Row(
        lambda tf, z, x: tf.nn.weighted_cross_entropy_with_logits(labels=z, logits=x, pos_weight=2.5),
        (Range(0.0, 1.0), REAL),
    ),
    "log_poisson_loss": Row(lambda tf, z, x: tf.nn.log_poisson_loss(z, x), (Range(0.0, 1e3), SMALL)),
    "zeta": Row(_math("zeta"), (Range(1.0, 60.0, (1.0,)), Range(1e-3, 1e3, (1.0,))), slow=True),
    "polygamma": Row(_math("polygamma"), (Range(0.0, 12.0, whole=True), Range(1e-2, 1e3, (1.0,))), slow=True),
    "igamma": Row(_math("igamma"), (Range(1e-2, 200.0, (1.0,)), Range(0.0, 300.0, (1.0,))), slow=True),
    "igammac": Row(_math("igammac"), (Range(1e-2, 200.0, (1.0,)), Range(0.0, 300.0, (1.0,))), slow=True),
    "betainc": Row(_math("betainc"), (Range(0.05, 60.0), Range(0.05, 60.0), Range(0.0, 1.0, (1.0,))), slow=True),
}
WITHOUT_ROUNDING = (
    "cast equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor logical_not is_nan is_inf is_finite "
    "masked nextafter bitwise_and bitwise_or bitwise_xor invert left_shift right_shift complex conj real imag identity where "
    "truncatediv truncatemod angle_of_real clip_by_value"
)
"""Rows of the table whose results are bits, or one of their arguments."""
OF_GRADIENTS = (
    "relu_gradient relu6_gradient leaky_relu_gradient selu_slope gelu_gradient gelu_slope gelu_tanh_gradient gelu_tanh_slope "
    "sqrt_gradient rsqrt_gradient reciprocal_gradient one_minus_square igamma_slope apply_update_by_element"
)
"""Rows that tests/reliability/gradients and tests/keras/optimizers compare with TensorFlow."""
COMPOSED = "normalize"
"""Rows that are other rows in sequence, each of which rounds."""
OF_USERS = "log2 log10 hypot"
"""Rows of users' functions (`fg.elementwise`), which TensorFlow does not have; tests/kernels/math measures their kernels."""
NAMED = {"floor_divide": "floordiv", "gelu_tanh": "gelu tanh", "add_n": "add", "angle": "complex angle"}
"""Rows of the table with other names here."""


def _complex_row(name: str) -> Row:
    return Row(_math(name), (REAL, REAL) if name in {"add", "subtract", "multiply", "divide", "pow"} else (REAL,))


COMPLEX: dict[str, Row] = {
    f"complex {name}": _complex_row(name)
    for name in (
        *("abs", "angle", "exp", "expm1", "log", "log1p", "reciprocal", "rsqrt", "sigmoid", "sqrt", "square"),
        *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
        *("add", "subtract", "multiply", "divide", "pow"),
    )
}
