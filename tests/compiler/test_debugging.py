"""tf.debugging.enable_check_numerics: which operation made the first infinity or NaN."""

import numpy as np
import pytest

import fastgrad as tf


@pytest.fixture
def checked():
    tf.debugging.enable_check_numerics()
    tf.debugging.enable_check_numerics()  # a second call changes nothing
    yield
    tf.debugging.disable_check_numerics()
    assert np.isinf(tf.math.log(0.0).numpy())
    assert not tf.config.functions_run_eagerly()


def _gradient_at_zero():
    x = tf.Variable([0.0, 1.0])
    with tf.GradientTape() as tape:
        y = tf.sqrt(x)
    return tape.gradient(y, x)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: tf.math.log([1.0, 0.0]), r"log: Detected Inf in output 0, float32\[2\], first at index \[1\]"),
        (lambda: tf.constant(0.0) / 0.0, "divide: Detected NaN"),
        (tf.function(lambda: tf.sqrt(tf.constant(-1.0)) + 1.0), "sqrt: Detected NaN"),
        (_gradient_at_zero, "sqrt_gradient: Detected Inf"),
    ],
)
def test_the_first_operation_that_makes_one_is_named_with_the_line(checked, function, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message) as error:
        function()
    assert "test_debugging.py" in str(error.value)


def test_a_variable_that_would_become_infinite_stays_as_it_was(checked):
    v = tf.Variable([3e38])
    with pytest.raises(tf.errors.InvalidArgumentError, match="Detected Inf"):
        v.assign_add([3e38])
    assert v.numpy() == [np.float32(3e38)]


def test_finite_programs_run_as_before(checked):
    assert (tf.function(lambda x: tf.range(3) * x)(tf.constant(2)).numpy() == [0, 2, 4]).all()


def test_a_layer_within_fit_is_found(checked):
    model = tf.keras.Sequential([tf.keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Detected NaN"):
        model.fit(np.full((4, 3), np.nan), np.ones((4, 2)), verbose=0)


def test_the_device_of_each_operation_is_written_while_asked_for(capsys):
    doubled = tf.function(lambda x: x * 2.0)
    doubled(tf.constant(1.0))
    tf.debugging.set_log_device_placement(True)
    try:
        tf.debugging.set_log_device_placement(True)
        doubled(tf.constant(1.0) + 1.0)
    finally:
        tf.debugging.set_log_device_placement(False)
    tf.constant(1.0) + 1.0
    device = "/job:localhost/replica:0/task:0/device:CPU:0"
    assert capsys.readouterr().err.splitlines() == [
        f"Executing op {name} in device {device}" for name in ("add", "multiply")
    ]
