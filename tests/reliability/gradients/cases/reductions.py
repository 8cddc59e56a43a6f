"""Reductions, running totals, segments, norms and clipping: by axes, at ties, zeros, NaN and of nothing."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import numpy as np

from ..case import COMPLEX, REAL, Case, at, edge, normal, positive

inf, nan = np.inf, np.nan
FLOATS = ("float64", "float32")
# Rows with ties, zeros of both signs, infinities and NaN.
ROWS = np.array(
    [[1.0, 3.0, 3.0, 2.0], [0.0, -0.0, 0.0, -1.0], [0.0, 2.0, 0.0, 3.0], [2.0, 0.0, 1.0, -3.0], [0.0, 0.0, 0.0, 0.0]]
)
WILD = np.array(
    [[1.0, inf, inf, 2.0], [-inf, 0.0, -inf, 1.0], [nan, 1.0, 2.0, 2.0], [inf, -inf, 0.0, 1.0], [5.0, -2.0, 0.5, 3.0]]
)
REDUCTIONS = [
    *("reduce_sum", "reduce_mean", "reduce_prod", "reduce_max", "reduce_min", "reduce_logsumexp"),
    *("math.reduce_euclidean_norm", "math.reduce_std", "math.reduce_variance"),
]
AXES: list[Any] = [None, 0, 1, -1, [0, 2], [0, 1, 2], []]


def over(name: str, axis: Any, keepdims: bool = False) -> Callable[..., Any]:
    """The reduction of that name over axes."""
    return lambda tf, x: attrgetter(name)(tf)(x, axis=axis, keepdims=keepdims)


CASES: dict[str, Case] = {}
for name in REDUCTIONS:
    CASES[name] = at(over(name, -1), positive(2, 5), dtypes=REAL)
    for axis in AXES:
        made = edge if name == "math.reduce_std" and axis == [] else at  # the root of a variance of 0
        CASES[f"{name} over {axis}"] = made(over(name, axis), normal(2, 3, 2), forward=axis != [])
    CASES[f"{name} keeping axes"] = at(over(name, (0, -1), True), normal(2, 3, 2))
    CASES[f"{name} of ties and zeros"] = edge(over(name, 1), ROWS, dtypes=FLOATS)
    CASES[f"{name} of all"] = edge(over(name, None), ROWS)
    CASES[f"{name} of infinities and NaN"] = edge(
        over(name, 1), WILD, dtypes=FLOATS, order=1 if name == "reduce_prod" else 2
    )
    CASES[f"{name} of no rows"] = edge(over(name, 1), np.zeros((0, 3)))
    CASES[f"{name} of empty rows"] = edge(over(name, 1), np.zeros((3, 0)))
    CASES[f"{name} of a scalar"] = edge(over(name, None), np.array(1.5))
for name in ("reduce_sum", "reduce_mean", "reduce_prod", "math.reduce_euclidean_norm", "math.reduce_variance"):
    CASES[f"{name} of complex numbers"] = edge(over(name, 1), normal(2, 3) + 1j * normal(2, 3, seed=1), dtypes=COMPLEX)

# ---- running totals
for exclusive in (False, True):
    for reverse in (False, True):
        suffix = f"{' exclusive' if exclusive else ''}{' reverse' if reverse else ''}"
        for name in ("cumsum", "math.cumprod", "math.cumulative_logsumexp"):

            def total(
                tf: Any, x: Any, name: str = name, exclusive: bool = exclusive, reverse: bool = reverse, axis: int = 1
            ) -> Any:
                return attrgetter(name)(tf)(x, axis=axis, exclusive=exclusive, reverse=reverse)

            CASES[f"{name}{suffix}"] = at(total, normal(2, 4), dtypes=REAL, forward=not exclusive)
            CASES[f"{name}{suffix} of zeros"] = edge(total, np.array([[1.0, 0.0, 2.0, 3.0], [2.0, 0.5, 0.0, 1.0]]))
            # Of a product with infinities TensorFlow divides by elements, and of logsumexp its sums forget NaN.
            if name != "math.cumprod":
                rows = WILD if name == "cumsum" else WILD[[0, 1, 3, 4]]
                CASES[f"{name}{suffix} of infinities"] = edge(total, rows, dtypes=FLOATS, order=1)
            CASES[f"{name}{suffix} of nothing"] = edge(total, np.zeros((2, 0)))
CASES["cumsum of complex numbers"] = edge(
    lambda tf, x: tf.cumsum(x), normal(4) + 1j * normal(4, seed=1), dtypes=COMPLEX
)
CASES["math.cumprod of complex numbers"] = edge(
    lambda tf, x: tf.math.cumprod(x), normal(4) + 1j * normal(4, seed=1), dtypes=COMPLEX
)

# ---- segments
IDS = np.array([0, 0, 1, 3, 3])
UNSORTED = np.array([2, 0, 2, -1, 0])
TIED = np.array([[1.0, 2.0], [1.0, 3.0], [2.0, 2.0], [0.0, 5.0], [0.0, 5.0]])
for name in ("sum", "mean", "prod", "max", "min"):
    function = lambda tf, x, name=name: attrgetter(f"math.segment_{name}")(tf)(x, IDS)
    # Of the empty segment TensorFlow's forward derivative is NaN.
    CASES[f"segment_{name}"] = at(function, normal(5, 2), dtypes=REAL, forward=name in ("sum", "prod"))
    CASES[f"segment_{name} of ties and zeros"] = edge(function, TIED, dtypes=FLOATS)
    CASES[f"segment_{name} of infinities and NaN"] = edge(function, WILD, dtypes=FLOATS)
for name in ("sum", "mean", "prod", "max", "min", "sqrt_n"):
    function = lambda tf, x, name=name: attrgetter(f"math.unsorted_segment_{name}")(tf)(x, UNSORTED, 4)
    CASES[f"unsorted_segment_{name}"] = at(function, normal(5, 2), dtypes=REAL, forward=name not in ("max", "min"))
    CASES[f"unsorted_segment_{name} of ties and zeros"] = edge(
        function, np.array([[1.0, 0.0], [0.0, 3.0], [1.0, 0.0], [7.0, 0.0], [0.0, 3.0]]), dtypes=FLOATS
    )
    if name != "prod":  # TensorFlow divides by elements
        CASES[f"unsorted_segment_{name} of infinities and NaN"] = edge(function, WILD, dtypes=FLOATS)

# ---- norms
ORDERS: list[Any] = ["euclidean", 1, 2, 3, 1.5, inf]
for order in ORDERS:
    function = lambda tf, x, order=order: tf.norm(x, ord=order, axis=1)
    CASES[f"norm {order}"] = at(function, normal(2, 3), dtypes=FLOATS)
    CASES[f"norm {order} at zeros and ties"] = edge(function, ROWS, dtypes=FLOATS)
    CASES[f"norm {order} of infinities and NaN"] = edge(function, WILD)
for order in ("fro", 1, 2, inf):
    CASES[f"norm {order} of matrices"] = at(
        lambda tf, x, order=order: tf.norm(x, ord=order, axis=(1, 2)), normal(2, 3, 2), order=1
    )
CASES |= {
    "norm of all": at(lambda tf, x: tf.norm(x), normal(2, 3)),
    "norm of all at 0": edge(lambda tf, x: tf.norm(x), np.zeros((2, 2))),
    "norm keeping axes": at(lambda tf, x: tf.linalg.norm(x, axis=1, keepdims=True), normal(2, 3)),
    "norm of complex numbers": edge(lambda tf, x: tf.norm(x), normal(3) + 1j * normal(3, seed=1)),
    "normalize": at(lambda tf, x: tf.linalg.normalize(x, axis=1), normal(2, 3)),
    "normalize at zeros": edge(lambda tf, x: tf.linalg.normalize(x, axis=1), ROWS),
    "l2_normalize": at(lambda tf, x: tf.math.l2_normalize(x, axis=1), normal(2, 3), dtypes=REAL),
    "l2_normalize at zeros": edge(lambda tf, x: tf.nn.l2_normalize(x, axis=1), ROWS, dtypes=FLOATS),
    "l2_normalize of infinities and NaN": edge(lambda tf, x: tf.linalg.l2_normalize(x, axis=1), WILD),
    "l2_loss": at(lambda tf, x: tf.nn.l2_loss(x), normal(2, 3), dtypes=REAL),
    "global_norm": at(lambda tf, x, y: tf.linalg.global_norm([x, y]), normal(2, 3), normal(2, seed=1)),
    "global_norm at zero": edge(lambda tf, x, y: tf.linalg.global_norm([x, y]), np.zeros(2), np.zeros(1)),
    # ---- moments
    "moments": at(lambda tf, x: tf.nn.moments(x, [0]), normal(4, 2), dtypes=REAL),
    "moments keeping axes": at(lambda tf, x: tf.nn.moments(x, [0, 2], keepdims=True), normal(2, 2, 3)),
    "moments of equals": edge(lambda tf, x: tf.nn.moments(x, [0]), np.ones((3, 2))),
    "reduce_std of equals": edge(lambda tf, x: tf.math.reduce_std(x, 1), np.ones((2, 3)), dtypes=FLOATS),
    "zero_fraction": edge(lambda tf, x: tf.nn.zero_fraction(x), ROWS),
    "count_nonzero": edge(lambda tf, x: tf.math.count_nonzero(x, dtype="float64"), ROWS),
    "argmax": edge(lambda tf, x: [tf.cast(tf.argmax(x, 1), "float64"), tf.cast(tf.argmin(x, 1), "float64")], ROWS),
    # ---- clipping
    "clip_by_norm": at(lambda tf, x, c: tf.clip_by_norm(x, c, axes=1), normal(2, 3) + 2, np.array(1.5), dtypes=REAL),
    "clip_by_norm of small": at(lambda tf, x: tf.clip_by_norm(x, 50.0), normal(2, 3)),
    "clip_by_norm at zeros": edge(lambda tf, x: tf.clip_by_norm(x, 1.0, axes=1), ROWS, order=1),
    "clip_by_norm at the norm": edge(lambda tf, x: tf.clip_by_norm(x, 5.0), np.array([3.0, 4.0])),
    "clip_by_norm of infinities and NaN": edge(lambda tf, x: tf.clip_by_norm(x, 5.0, axes=1), WILD),
    "clip_by_global_norm": at(
        lambda tf, x, y: tf.clip_by_global_norm([x, y], 1.0)[0], normal(2, 3), normal(2, seed=1), dtypes=FLOATS
    ),
    "clip_by_global_norm of small": edge(
        lambda tf, x, y: tf.clip_by_global_norm([x, y], 90.0)[0], normal(3), normal(2)
    ),
    "clip_by_global_norm of infinity": edge(
        lambda tf, x, y: tf.clip_by_global_norm([x, y], 1.0)[0], np.array([inf, 1.0]), normal(2)
    ),
    "clip_by_value": at(lambda tf, x: tf.clip_by_value(x, -1.0, 1.0), normal(7), dtypes=REAL),
    "clip_by_value at the borders": edge(
        lambda tf, x: tf.clip_by_value(x, -1.0, 1.0),
        np.array([-1.0, 1.0, 0.0, 2.0, -2.0, inf, -inf, nan]),
        dtypes=FLOATS,
    ),
    "clip_by_value by borders": at(
        lambda tf, x, a, b: tf.clip_by_value(x, a, b), normal(2, 4), np.array([-0.5, -0.6, -0.7, -0.8]), np.array(0.7)
    ),
    "clip_by_value between equal borders": edge(
        lambda tf, x, a, b: tf.clip_by_value(x, a, b), np.array([0.0, 1.0, 2.0]), np.ones(3), np.ones(3)
    ),
    "clip_by_value of nothing": edge(lambda tf, x: tf.clip_by_value(x, 0.0, 1.0), np.zeros((0,))),
    # ---- sums of many
    "add_n": at(lambda tf, x, y, z: tf.add_n([x, y, z, x]), normal(2, 3), normal(2, 3), normal(2, 3), dtypes=REAL),
    "polyval": at(
        lambda tf, a, b, x: tf.math.polyval([a, b, tf.constant(2.0, a.dtype)], x), normal(), normal(seed=2), normal(3)
    ),
    "scalar_mul": at(lambda tf, s, x: tf.math.scalar_mul(s, x), normal(), normal(3)),
    # ---- gamma functions of two arguments
    "igamma": at(lambda tf, a, x: tf.math.igamma(a, x), np.array([0.5, 2.0, 9.0]), np.array([0.4, 2.5, 8.0]), order=1),
    "igammac": at(
        lambda tf, a, x: tf.math.igammac(a, x), np.array([0.5, 2.0, 9.0]), np.array([0.4, 2.5, 8.0]), order=1
    ),
    "igamma twice by x": at(lambda tf, x: tf.math.igamma(np.array([0.5, 2.0]), x), positive(2)),
    "betainc": edge(
        lambda tf, a, b, x: tf.math.betainc(a, b, x), np.array([1.5, 2.0]), np.array([0.7, 3.0]), np.array([0.3, 0.6])
    ),
    "polygamma": edge(lambda tf, n, x: tf.math.polygamma(n, x), np.array([0.0, 1.0, 2.0]), positive(3)),
    "zeta": edge(lambda tf, x, q: tf.math.zeta(x, q), np.array([2.0, 3.5]), positive(2)),
    "igamma by a at borders": edge(
        lambda tf, a: tf.math.igamma(a, np.array([0.0, inf, nan, 1e-30])), np.array([1.0, 1.0, 2.0, 0.5]), order=1
    ),
    "igamma by x at borders": edge(
        lambda tf, x: tf.math.igamma(np.array([2.0, 0.5, 2.0, 3.0]), x), np.array([0.0, 0.0, nan, 1e-30]), order=1
    ),
    "betainc at borders": edge(
        lambda tf, x: tf.math.betainc(np.array([1.0, 2.0, 0.5, 2.0]), np.array([1.0, 2.0, 0.5, 1.0]), x),
        np.array([0.0, 1.0, 0.0, nan]),
    ),
}
