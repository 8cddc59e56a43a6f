"""Losses between numbers, and of margins, against their formulas."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from tests.gradients import check_gradient

losses = keras.losses
RNG = np.random.default_rng(0)
Y, P = RNG.uniform(0.1, 2, (4, 3)), RNG.uniform(0.1, 2, (4, 3))
SIGNS = np.where(Y > 1, 1.0, -1.0)


def unit(x, axis=-1):
    return x / np.linalg.norm(x, axis=axis, keepdims=True)


FORMULAS = {
    "MeanSquaredError": (losses.mse, lambda y, p: np.square(y - p).mean(-1)),
    "MeanAbsoluteError": (losses.mae, lambda y, p: np.abs(y - p).mean(-1)),
    "MeanAbsolutePercentageError": (losses.mape, lambda y, p: 100 * (np.abs(y - p) / np.abs(y)).mean(-1)),
    "MeanSquaredLogarithmicError": (losses.msle, lambda y, p: np.square(np.log1p(y) - np.log1p(p)).mean(-1)),
    "CosineSimilarity": (losses.cosine_similarity, lambda y, p: -(unit(y) * unit(p)).sum(-1)),
    "Huber": (
        losses.huber,
        lambda y, p: np.where(np.abs(y - p) <= 1, np.square(y - p) / 2, np.abs(y - p) - 0.5).mean(-1),
    ),
    "LogCosh": (losses.logcosh, lambda y, p: np.log(np.cosh(p - y)).mean(-1)),
    "KLDivergence": (
        losses.kld,
        lambda y, p: (np.clip(y, 1e-7, 1) * np.log(np.clip(y, 1e-7, 1) / np.clip(p, 1e-7, 1))).sum(-1),
    ),
    "Poisson": (losses.poisson, lambda y, p: (p - y * np.log(p + 1e-7)).mean(-1)),
    "Hinge": (losses.hinge, lambda y, p: np.maximum(1 - y * p, 0).mean(-1)),
    "SquaredHinge": (losses.squared_hinge, lambda y, p: np.square(np.maximum(1 - y * p, 0)).mean(-1)),
    "CategoricalHinge": (
        losses.categorical_hinge,
        lambda y, p: np.maximum(((1 - y) * p).max(-1) - (y * p).sum(-1) + 1, 0),
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_values(name):
    function, formula = FORMULAS[name]
    labels = SIGNS if name.endswith("Hinge") else Y
    np.testing.assert_allclose(function(labels, P), formula(labels, P), rtol=1e-9, atol=1e-12)
    loss = getattr(losses, name)(dtype="float64")
    assert float(loss(labels, P)) == pytest.approx(formula(labels, P).mean(), rel=1e-9)
    weights = np.arange(4.0)
    assert float(loss(labels, P, weights)) == pytest.approx((formula(labels, P) * weights).mean(), rel=1e-9)


@pytest.mark.parametrize("name", FORMULAS)
def test_gradients(name):
    labels = SIGNS if name.endswith("Hinge") else Y
    check_gradient(lambda p: FORMULAS[name][0](tf.constant(labels), p), P)


@pytest.mark.parametrize("name", ["MeanSquaredError", "MeanAbsoluteError", "Huber", "LogCosh"])
def test_a_trailing_one_is_forgiven(name):
    loss, column = getattr(losses, name)(), P[:, :1]
    vector = Y[:, 0]
    expected = float(loss(vector[:, None], column))
    assert float(loss(vector, column)) == pytest.approx(expected)
    assert float(loss(vector[:, None], P[:, 0])) == pytest.approx(expected)


def test_the_gradient_of_a_mean_absolute_error_over_three_elements():
    w = tf.Variable([1.0, -1.0, 2.0])
    with tf.GradientTape() as tape:
        loss = losses.mae([0.0, 0.0, 0.0], w)
    np.testing.assert_allclose(tape.gradient(loss, w), [1 / 3, -1 / 3, 1 / 3], rtol=1e-6)


def test_shapes_that_do_not_go_together():
    with pytest.raises(tf.errors.InvalidArgumentError, match="Incompatible shapes"):
        losses.mse(np.ones((2, 3)), np.ones((2, 4)))


def test_binary_labels_are_read_as_signs():
    zero_one = (SIGNS + 1) / 2
    np.testing.assert_allclose(losses.hinge(zero_one, P), losses.hinge(SIGNS, P), rtol=1e-12)
    np.testing.assert_allclose(losses.squared_hinge(zero_one, P), losses.squared_hinge(SIGNS, P), rtol=1e-12)


def test_edges():
    assert float(losses.mape([0.0], [1.0])) == pytest.approx(1e9)
    assert float(losses.cosine_similarity([0.0, 0.0], [1.0, 0.0])) == 0.0
    assert np.isfinite(losses.kld([0.0, 1.0], [1.0, 0.0]).numpy()).all()
    assert float(losses.logcosh([0.0], [1000.0])) == pytest.approx(1000 - np.log(2), rel=1e-6)
    np.testing.assert_allclose(
        losses.huber(Y, P, delta=0.1), losses.Huber(0.1, reduction="none", dtype="float64")(Y, P)
    )
    axis0 = losses.cosine_similarity(Y, P, axis=0)
    np.testing.assert_allclose(axis0, -(unit(Y, 0) * unit(P, 0)).sum(0), rtol=1e-9)
