"""Moments of a convolution's channels are taken of its parts while those are in the cache."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.fusion.statistics import ConvolutionWithMoments
from fastgrad._src.compiler.graph.graph import Kind, validate
from fastgrad._src.compiler.programs.program import Program
from fastgrad._src.kernels.runtime.thread_pool import compute_pool
from fastgrad._src.ops.batch_moments import batch_moments
from tests.compiler.recorded import record

RNG = np.random.default_rng(0)


def normal(*shape, dtype=np.float32):
    return RNG.normal(size=shape).astype(dtype)


def measured(program):
    return [
        n.payload for n in program.graph.nodes if n.kind is Kind.FUSED and isinstance(n.payload, ConvolutionWithMoments)
    ]


def compiled(function, *arrays):
    program = Program(record(function, *arrays)[0])
    validate(program.graph)
    return program


SHAPES = [
    ((2, 7, 9, 3), (3, 3, 3, 20), 1, "SAME"),
    ((40, 4, 4, 5), (2, 2, 5, 6), 1, "VALID"),
    ((3, 33, 31, 16), (3, 3, 16, 40), 2, "SAME"),
    ((2, 9, 9, 6), (3, 3, 1, 6), 1, "SAME"),
    ((2, 9, 9, 6), (3, 3, 2, 9), 1, "VALID"),
    ((1, 1, 700, 4), (1, 3, 4, 17), 1, "SAME"),
    ((1, 1, 1, 4), (1, 1, 4, 5), 1, "VALID"),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("x", "w", "strides", "padding"), SHAPES)
@pytest.mark.parametrize("bias", [False, True])
def test_moments_are_those_of_the_result(x, w, strides, padding, bias, dtype):
    def layer(x, w, b):
        y = tf.nn.conv2d(x, w, strides, padding)
        y = y + b if bias else y
        return [y, *batch_moments(y, 3)]

    arrays = normal(*x, dtype=dtype), normal(*w, dtype=dtype), normal(w[-1], dtype=dtype) * 100
    program = compiled(layer, *arrays)
    assert len(measured(program)) == 1
    y, mean, variance = program(arrays)
    exact = y.astype(np.longdouble)
    ulp = np.finfo(dtype).eps
    np.testing.assert_allclose(mean, exact.mean((0, 1, 2)), rtol=2 * ulp, atol=2 * ulp * float(exact.std()))
    np.testing.assert_allclose(variance, exact.var((0, 1, 2)), rtol=16 * ulp, atol=1e-30)


def test_means_of_a_thousand_deviations_leave_variances_right():
    x, w = normal(8, 16, 16, 4) * np.float32(1e-3), normal(1, 1, 4, 32)
    b = np.full(32, 7.0, np.float32)

    def layer(x, w, b):
        y = tf.nn.conv2d(x, w, 1, "SAME") + b
        return [y, *batch_moments(y, 3)]

    program = compiled(layer, x, w, b)
    assert len(measured(program)) == 1
    y, _, variance = program((x, w, b))
    np.testing.assert_allclose(variance, y.astype(np.float64).var((0, 1, 2)), rtol=5e-7)


def test_the_number_of_threads_changes_no_bit():
    arrays = normal(16, 32, 32, 8), normal(3, 3, 8, 48)

    def layer(x, w):
        return batch_moments(tf.nn.conv2d(x, w, 1, "SAME"), 3)

    before, found = compute_pool.threads, []
    try:
        for threads in (1, 2, 3):
            tf.config.set_num_threads(threads)
            found.append([one.copy() for one in compiled(layer, *arrays)(arrays)])
    finally:
        tf.config.set_num_threads(before)
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


def test_not_a_number_is_seen():
    x, w = normal(2, 8, 8, 3), normal(3, 3, 3, 17)
    x[1, 4, 4, 0] = np.nan
    mean, variance = compiled(lambda x, w: batch_moments(tf.nn.conv2d(x, w, 1, "SAME"), 3), x, w)((x, w))
    assert np.isnan(mean).all()
    assert np.isnan(variance).all()


@pytest.mark.parametrize("bias", [False, True])
def test_layers_train_as_they_do_eagerly(bias):
    def made():
        tf.random.set_seed(1)
        layers = tf.keras.layers
        model = tf.keras.Sequential(
            [
                layers.Conv2D(20, 3, padding="same", use_bias=bias),
                layers.BatchNormalization(),
                layers.ReLU(),
                layers.Flatten(),
                layers.Dense(3),
            ]
        )
        model.build((None, 9, 9, 2))
        return model, tf.keras.optimizers.SGD(0.001)  # with more the weights grow without end

    x, y = tf.constant(normal(12, 9, 9, 2)), tf.constant(normal(12, 3))

    def step(model, optimizer):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(x, training=True) - y))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )
        return loss

    eager, other = made(), made()
    for one, two in zip(eager[0].variables, other[0].variables, strict=True):
        two.assign(one)
    replay = tf.function(lambda: step(*other))
    for _ in range(5):
        np.testing.assert_allclose(step(*eager).numpy(), replay().numpy(), rtol=1e-5)
    for one, two in zip(eager[0].variables, other[0].variables, strict=True):
        np.testing.assert_allclose(one.numpy(), two.numpy(), rtol=1e-4, atol=1e-5)


def test_what_is_no_convolution_of_channels_keeps_its_step():
    # Few channels have another kernel; moments of other axes are no channels'.
    x, w = normal(2, 9, 9, 8), normal(3, 3, 8, 2)
    assert not measured(compiled(lambda x, w: batch_moments(tf.nn.conv2d(x, w, 1, "SAME"), 3), x, w))
    x, w = normal(2, 9, 9, 8), normal(3, 3, 8, 20)
    assert not measured(
        compiled(lambda x, w: batch_moments(tf.reshape(tf.nn.conv2d(x, w, 1, "SAME"), (-1, 10)), 1), x, w)
    )
    assert not measured(compiled(lambda x: batch_moments(x + 1.0, 3), x))
