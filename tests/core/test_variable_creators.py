"""``tf.variable_creator_scope``."""

import pytest

import fastgrad as tf


def test_the_innermost_scope_runs_first_and_gets_all_arguments():
    calls = []

    def creator(name):
        def create(next_creator, **kwargs):
            calls.append((name, kwargs["trainable"], kwargs["synchronization"], kwargs["aggregation"]))
            return next_creator(**{**kwargs, "trainable": False})

        return create

    with tf.variable_creator_scope(creator("outer")), tf.variable_creator_scope(creator("inner")):
        v = tf.Variable([1.0, 2.0], name="w")
    auto, none = tf.VariableSynchronization.AUTO, tf.VariableAggregation.NONE
    assert calls == [("inner", None, auto, none), ("outer", False, auto, none)]
    assert (v.name, v.trainable, v.numpy().tolist()) == ("w:0", False, [1.0, 2.0])
    assert tf.Variable(1.0).trainable
    assert len(calls) == 2


def test_a_creator_may_return_another_object():
    with tf.variable_creator_scope(lambda next_creator, **kwargs: kwargs["initial_value"]):
        assert tf.Variable(3.0) == 3.0


def test_subclasses_and_variables_of_the_library_are_created_without_scopes():
    class Weight(tf.Variable):
        pass

    def refuse(next_creator, **kwargs):
        raise AssertionError(kwargs["name"])

    with tf.variable_creator_scope(refuse):
        assert Weight(1.0).numpy() == 1.0
        tf.random.set_seed(5)
        tf.random.normal([2], seed=91)
        tf.random.get_global_generator().normal([2])
        with pytest.raises(AssertionError, match="mine"):
            tf.Variable(1.0, name="mine")


def test_an_error_leaves_the_scope():
    with pytest.raises(ZeroDivisionError), tf.variable_creator_scope(lambda next_creator, **kwargs: None):
        raise ZeroDivisionError
    assert tf.Variable(1.0).numpy() == 1.0
    with pytest.raises(TypeError, match="variable_creator"), tf.variable_creator_scope(None):
        pass


def test_a_scope_within_a_compiled_function():
    made = []

    def remember(next_creator, **kwargs):
        made.append(next_creator(**kwargs))
        return made[-1]

    class Model:
        v = None

        @tf.function
        def __call__(self, x):
            with tf.variable_creator_scope(remember):
                if self.v is None:
                    self.v = tf.Variable(2.0)
            return self.v * x

    model = Model()
    assert [float(model(3.0)), float(model(4.0)), float(model(5.0))] == [6.0, 8.0, 10.0]
    assert made == [model.v]


class Remote(tf.Variable):
    """A variable whose value is elsewhere: it does not call the constructor of ``tf.Variable``."""

    def __init__(self, value):
        self._dtype, self._shape, self.elsewhere = value.dtype, value.shape, value

    dtype = property(lambda self: self._dtype)
    shape = property(lambda self: self._shape)

    def read_value(self):
        return self.elsewhere


def test_operations_read_a_subclass_by_its_read_value():
    v = Remote(tf.constant([1.0, 2.0]))
    assert (v * 2.0).numpy().tolist() == [2.0, 4.0]
    assert tf.tensordot(v, v, 1).numpy() == 5.0
    assert tf.negative(v).numpy().tolist() == [-1.0, -2.0]
    assert tf.convert_to_tensor(v) is v.elsewhere


def test_variables_have_their_synchronization_and_aggregation():
    assert tf.Variable(1.0).synchronization is tf.VariableSynchronization.AUTO
    v = tf.Variable(1.0, synchronization=tf.VariableSynchronization.ON_READ, aggregation=tf.VariableAggregation.SUM)
    assert (v.synchronization, v.aggregation) == (tf.VariableSynchronization.ON_READ, tf.VariableAggregation.SUM)


def test_references_have_an_order():
    references = [tf.Variable(float(number)).ref() for number in range(3)]
    assert min(references) == min(reversed(references))
