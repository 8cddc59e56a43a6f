"""What programs written for graphs ask for answers as in eager execution."""

import logging

import numpy as np

import fastgrad as tf


def test_execution_is_eager():
    assert tf.executing_eagerly()
    assert not tf.inside_function()


def test_contexts_of_graphs_change_nothing():
    ran = []
    with tf.init_scope(), tf.control_dependencies([tf.constant(1), lambda: ran.append(1)]):
        assert float(tf.constant(1.0) + 1.0) == 2.0
    assert ran == [1]
    with tf.control_dependencies(None):
        assert float(tf.constant(1.0)) == 1.0


def test_get_static_value():
    assert isinstance(tf.get_static_value(tf.constant(3)), np.int32)
    assert tf.get_static_value(5) == 5


def test_the_logger_is_pythons():
    assert tf.get_logger() is logging.getLogger("fastgrad")


def test_settings_of_distribution_have_tensorflows_names():
    assert [item.name for item in tf.VariableSynchronization] == ["AUTO", "NONE", "ON_WRITE", "ON_READ"]
    assert [item.name for item in tf.VariableAggregation] == ["NONE", "SUM", "MEAN", "ONLY_FIRST_REPLICA"]
