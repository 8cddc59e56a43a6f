"""``tf.xla.experimental``."""

import pytest

import fastgrad as tf


def test_compile_returns_a_single_result_in_a_tuple():
    assert [x.numpy() for x in tf.xla.experimental.compile(lambda x, y: x * y, [2.0, tf.constant(3.0)])] == [6.0]
    assert [x.numpy() for x in tf.xla.experimental.compile(lambda: (tf.constant(1.0), tf.constant(2.0)))] == [1.0, 2.0]
    assert tf.xla.experimental.compile(lambda: None) is None


def test_jit_scope_is_for_compiled_functions():
    @tf.function
    def f(x):
        with tf.xla.experimental.jit_scope():
            return x + 1.0

    assert [float(f(1.0)), float(f(2.0))] == [2.0, 3.0]
    with pytest.raises(RuntimeError, match="jit_scope is not supported when eager execution is enabled"):
        tf.xla.experimental.jit_scope()
