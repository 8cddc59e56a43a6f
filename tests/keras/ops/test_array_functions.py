"""Functions of ``keras.ops`` at the edges of their domains: NumPy is the referee, eagerly and in a ``tf.function``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastgrad as tf
from tests.gradients import gradient_of

INF, NAN = np.inf, np.nan
EDGES = [0.0, -0.0, 1.0, 3.0, -2.0, 1e30, 1e-30, INF, -INF, NAN]
NANS = [[1.0, NAN, 3.0], [NAN, NAN, NAN], [5.0, 1.0, -2.0]]


def check(name: str, *arguments: Any, rtol: float = 1e-6, **options: Any) -> None:
    with np.errstate(all="ignore"):
        wanted = getattr(np, name)(*arguments, **options)
    function = getattr(tf.keras.ops, name)
    for call in (function, tf.function(function)):
        result = call(*arguments, **options)
        assert result.dtype.as_numpy_dtype == wanted.dtype
        np.testing.assert_allclose(result, wanted, rtol=rtol)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["hypot", "logaddexp", "logaddexp2"])
def test_pairs_out_of_range(name: str, dtype: str) -> None:
    a, b = [x.ravel() for x in np.meshgrid(np.array(EDGES, dtype), np.array(EDGES, dtype))]
    check(name, a, b)


def test_hypot_of_squares_out_of_range() -> None:
    check("hypot", np.array([1e200, 1e-200, 0.0, 3e300]), np.array([1e200, 1e-200, 1e300, 4e300]))


def test_hypot_has_the_slope_0_at_the_origin() -> None:
    x, y = tf.constant([0.0, 1.0, 3.0, 1e30]), tf.constant([0.0, 1.0, 4.0, 0.0])
    slopes = gradient_of(tf.keras.ops.hypot, x, y)
    np.testing.assert_allclose(slopes[0], [0.0, 0.5**0.5, 0.6, 1.0], rtol=1e-6)
    np.testing.assert_allclose(slopes[1], [0.0, 0.5**0.5, 0.8, 0.0], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_signbit_sees_the_sign_of_zero(dtype: str) -> None:
    check("signbit", np.array([0.0, -0.0, 2.0, -2.0, INF, -INF, NAN, -NAN], dtype))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64"])
def test_integers_stay_integers(dtype: str) -> None:
    ends = np.iinfo(dtype)
    x = np.array([ends.min, 0, 3, ends.max], dtype)
    check("nan_to_num", x)
    check("round", x)
    check("round", x, 2)


def test_round_of_integers_to_hundreds() -> None:
    check("round", np.array([1234, 5678, -1250, 1350]), -2)


@pytest.mark.parametrize("name", ["nanmax", "nanmin"])
@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.filterwarnings("ignore:All-NaN")
def test_extremes_of_nothing_but_nan_are_nan(name: str, axis: int | None, keepdims: bool) -> None:
    check(name, np.array(NANS), axis=axis, keepdims=keepdims)
    check(name, np.full((2, 2), NAN), axis=axis, keepdims=keepdims)
    check(name, np.array([[2, 3]]), axis=axis, keepdims=keepdims)


def test_ldexp_of_powers_out_of_range() -> None:
    numbers = np.array([5e-324, 1e-300, 1e300, 3.0, -0.0, INF, NAN, 0.5, 1.0])
    check("ldexp", numbers, np.array([1100, 1500, -1500, -2, 5, -3000, 2, -1074, 1023]), rtol=1e-15)


@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_quantiles_with_a_nan_are_nan(axis: Any, keepdims: bool) -> None:
    check("median", np.array(NANS), axis=axis, keepdims=keepdims)
    for q in (0.2, [0.2, 0.5, 1.0]):
        check("quantile", np.array(NANS), np.array(q), axis=axis, keepdims=keepdims)


@pytest.mark.parametrize("arrays", [[1.0, 2.0], [[1.0, 2.0], [3.0, 4.0]], [[[1.0], [2.0]], [[3.0], [4.0]]]])
def test_dstack_takes_scalars_and_vectors(arrays: Any) -> None:
    np.testing.assert_array_equal(tf.keras.ops.dstack([np.float32(x) for x in arrays]), np.dstack(arrays))
