"""Results of compiled functions: what a replay computes, and what is constant."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

SLICES = {
    "head": lambda v: v[:1],
    "one element": lambda v: v[0],
    "negative step": lambda v: v[::-1],
    "ellipsis": lambda v: v[...],
    "new axis": lambda v: v[None],
    "mask": lambda v: v[tf.constant([True, False, True])],
    "in a tuple": lambda v: (v[0], v[1:]),
    "in a dict in a list": lambda v: [{"a": v[1:]}, v[:2]],
}


@pytest.mark.parametrize("slices", SLICES.values(), ids=SLICES)
def test_a_slice_of_a_variable_is_the_variables_value_at_each_call(slices):
    v = tf.Variable([1.0, 2.0, 3.0])
    function = tf.function(lambda: slices(v))
    for i in range(4):
        v.assign([i + 0.0, i + 1.0, i + 2.0])
        for got, wanted in zip(tf.nest.flatten(function()), tf.nest.flatten(slices(v)), strict=True):
            np.testing.assert_array_equal(got, wanted)


def test_a_result_that_is_a_slice_keeps_its_value_when_the_variable_changes():
    v = tf.Variable([1.0, 2.0])
    function = tf.function(lambda: v[:1])
    results = [function() for _ in range(3)]
    v.assign([5.0, 6.0])
    assert [result.numpy().tolist() for result in results] == [[1.0]] * 3


def test_a_layers_call_and_a_metrics_result_may_return_a_slice():
    class Row(keras.layers.Layer):
        def build(self, shape):
            self.w = self.add_weight(shape=(3,), initializer="ones")

        def call(self, x):
            return self.w[:2]

    class Last(keras.metrics.Metric):
        def __init__(self):
            super().__init__()
            self.seen = self.add_weight(shape=(1,), initializer="zeros", name="seen")

        def update_state(self, y, p, sample_weight=None):
            self.seen.assign_add([1.0])

        def result(self):
            return self.seen[0]

    row, last = Row(), Last()
    call, result = tf.function(row), tf.function(last.result)
    for i in range(4):
        x = tf.ones((1, 2))
        row(x)
        row.w.assign([i, i + 1.0, 0.0])
        np.testing.assert_array_equal(call(x), [i, i + 1.0])
        assert float(result()) == i
        last.update_state(0, 0)
