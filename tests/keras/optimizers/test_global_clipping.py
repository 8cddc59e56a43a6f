"""Clipping by the norm of all gradients: a pass for the norm, and the update."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.keras.optimizers import kernel_optimizer
from fastgrad._src.keras.optimizers.gradients import global_clip_factor, scaled_gradient


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adafactor", "Lion", "Lamb"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("value", [3.0, 0.0, 1e-6, np.inf, np.nan])
def test_global_clipping_in_the_update_has_the_bits_of_gradients_scaled_before(name, dtype, value):
    found = []
    for limit in (1.0, None):
        optimizer = getattr(tf.keras.optimizers, name)(0.1, global_clipnorm=limit)
        variables = [tf.Variable(np.linspace(0.5, 2.0, size).astype(dtype)) for size in (5, 7)]
        table = tf.Variable(np.ones((4, 2), dtype))
        for _ in range(3):
            gradients = [np.full(v.shape, value, dtype) for v in variables]
            rows = np.full((2, 2), value, dtype)
            if limit is None:
                with np.errstate(all="ignore"):
                    factor = global_clip_factor([*gradients, rows], 1.0)
                    *gradients, rows = [scaled_gradient(gradient, factor) for gradient in (*gradients, rows)]
            rows = tf.IndexedSlices(tf.constant(rows), tf.constant([0, 2]), tf.constant([4, 2]))
            with np.errstate(all="ignore"):
                optimizer.apply_gradients(zip([*map(tf.constant, gradients), rows], [*variables, table], strict=True))
        found.append([v.numpy() for v in (*variables, table)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_dense_gradient_is_not_scaled_before_the_update(monkeypatch):
    calls = []
    monkeypatch.setattr(kernel_optimizer, "scaled_gradient", lambda *x: calls.append(x))
    variable = tf.Variable([1.0, 2.0])
    tf.keras.optimizers.SGD(1.0, global_clipnorm=1.0).apply_gradients([(tf.constant([3.0, 4.0]), variable)])
    np.testing.assert_allclose(variable.numpy(), [0.4, 1.2], rtol=1e-6)
    assert not calls
