from __future__ import annotations

import numpy as np
import pytest

import fastgrad as tf
from tests.gradients import gradient_of

OURS = {name: "".join(name.split("_")[1:]) for name in vars(tf.math.special) if name.startswith("bessel_")}
OURS |= {"dawsn": "dawsn", "expint": "expi", "spence": "spence"}


def test_all_of_tensorflows_functions_are_there():
    assert len(OURS) == 12 + 3
    assert {"fresnel_cos", "fresnel_sin"} <= set(vars(tf.math.special))
    assert tf.math.bessel_i0e is tf.math.special.bessel_i0e


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("spence", [1 - 1e-9, 1.0, 1 + 1e-9], [0.5, 0.5, 0.5]),
        ("bessel_i1e", [-1e-20, 0.0, 1e-20, 1e-40], [1.0, 0.0, -1.0, -1.0]),
        ("bessel_i1", [-1e-20, 0.0, 1e-20], [-3.75e-21, 0.0, 3.75e-21]),
        ("bessel_j1", [-1e-20, 0.0, 1e-20], [3.75e-21, 0.0, -3.75e-21]),
    ],
)
def test_second_derivatives_beside_a_point_where_formulas_cancel(name, x, expected, compiled):
    function = getattr(tf.math.special, name, None) or getattr(tf.math, name)
    second = tf.function(lambda x: _second_of(function, x)) if compiled else lambda x: _second_of(function, x)
    got = [second(tf.constant(x, tf.float64)).numpy() for _ in range(3 if compiled else 1)][-1]
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=0)


def _second_of(function, x):
    with tf.GradientTape() as outer:
        outer.watch(x)
        g = gradient_of(function, x)
    return outer.gradient(g, x)


def test_the_exponential_integral_is_defined_from_zero_as_in_tensorflow():
    x = tf.constant([-2.0, -1e-20, 0.0, 1.0])
    program = tf.function(tf.math.special.expint)
    for got in [tf.math.special.expint(x), *[program(x) for _ in range(3)]]:
        np.testing.assert_allclose(got.numpy(), [np.nan, np.nan, -np.inf, 1.8951178], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "x", "exact"),
    [
        (
            "dawsn",
            [0.021060434879613562, 0.07976915990734057, 19.9375, -38.046875],
            [0.021054208527218159, 0.0794316325247587944, 0.025110034506502450, -0.013146227728875791],
        ),
        ("expint", [42.59375, 712.5], [7.5764719419624641e16, 3.8251133745946391e306]),
        (
            "spence",
            [2.509644661665718e-09, 0.46020621743744017, 5.0],
            [1.64493401463977562, 0.638412190314927443, -2.36993979699836583],
        ),
        ("bessel_j0", [761.7338917625175], [0.0224261799721268376]),
        (
            "bessel_i0",
            [float("inf"), -float("inf"), 0.0, 713.0],
            [float("nan"), float("nan"), 1.0, 6.705128263670997e307],
        ),
        ("bessel_i1", [float("inf"), -float("inf")], [float("nan"), float("nan")]),
        ("bessel_k0", [0.0, 5e-324, float("inf"), -1.0], [float("inf"), 744.5560034370395, 0.0, float("nan")]),
        ("bessel_k1", [0.0, 1e-300, float("inf"), -1.0], [float("inf"), 1e300, 0.0, float("nan")]),
    ],
)
def test_functions_keep_the_digits_that_those_of_scipy_lose(name, x, exact):
    got = getattr(tf.math.special, name)(tf.constant(x, tf.float64))
    np.testing.assert_allclose(got.numpy(), exact, rtol=1e-15)
