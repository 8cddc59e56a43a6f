"""`tf.types`: classes for annotations and for `isinstance`."""

import numpy as np

import fastgrad as tf

types = tf.types.experimental


def test_functions_and_values_have_their_classes():
    function = tf.function(lambda x: x + 1)
    assert isinstance(function, types.PolymorphicFunction)
    assert isinstance(function, types.Callable)
    assert isinstance(function.get_concrete_function(tf.TensorSpec([], tf.float32)), types.ConcreteFunction)
    for value in (tf.constant(1), tf.Variable(1), np.zeros(2), 3.5, "text", [1, 2]):
        assert isinstance(value, types.TensorLike)
    assert not isinstance(object(), types.TensorLike)


def test_a_class_may_have_a_type_of_its_own():
    class Traced:
        def __tf_tracing_type__(self, context):
            return None

    assert isinstance(Traced(), types.SupportsTracingProtocol)
    assert not isinstance(3, types.SupportsTracingProtocol)
