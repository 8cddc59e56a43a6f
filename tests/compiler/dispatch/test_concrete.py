"""Concrete functions: called with the tensors alone, or as the function is."""

import pytest

import fastgrad as tf

NUMBER = tf.TensorSpec([], tf.float32)


def c(x):
    return tf.constant(float(x))


def test_tensors_of_star_arguments_are_passed_by_position():
    summed = tf.function(lambda x, *a: x + sum(a))
    assert float(summed.get_concrete_function(NUMBER, NUMBER)(c(1), c(2))) == 3.0
    three = summed.get_concrete_function(NUMBER, NUMBER, NUMBER)
    assert float(three(c(1), c(2), c(5))) == 8.0
    with pytest.raises(TypeError, match="takes 3 tensors, got 4"):
        three(c(1), c(2), c(5), c(6))
    with pytest.raises(TypeError, match="missing tensors for \\['a_1'\\]"):
        three(c(1), c(2))


def test_tensors_of_keyword_arguments_are_passed_by_name():
    summed = tf.function(lambda x, **k: x + sum(k.values()))
    assert float(summed.get_concrete_function(NUMBER, a=NUMBER)(c(1), a=c(2))) == 3.0
    assert float(summed.get_concrete_function(NUMBER, a=NUMBER, b=2.0)(c(1), a=c(2))) == 5.0


def test_what_was_chosen_may_be_passed_again():
    scaled = tf.function(lambda x, k: x * k)
    concrete = scaled.get_concrete_function(NUMBER, 3)
    assert [float(concrete(c(2))), float(concrete(c(2), 3)), float(concrete(x=c(2), k=3))] == [6.0] * 3
    for call in (lambda: concrete(c(2), 4), lambda: concrete(c(2), k=4), lambda: concrete(c(2), 3.0)):
        with pytest.raises(TypeError):
            call()
    first = tf.function(lambda k, x: x * k).get_concrete_function(3, NUMBER)
    assert [float(first(c(2))), float(first(3, c(2)))] == [6.0] * 2
    assert float(scaled.get_concrete_function(NUMBER, c(3))(c(2), c(4))) == 8.0


def test_results_are_found_at_the_first_use_and_leave_no_trace():
    calls = []
    total = tf.Variable(1.0)

    @tf.function
    def add(x):
        calls.append(1)
        total.assign_add(tf.reduce_sum(x))
        return tf.concat([x, x], 0)

    concrete = add.get_concrete_function(tf.TensorSpec([None, 3]))
    assert not calls
    assert concrete.structured_outputs == tf.TensorSpec([None, 3], name="Identity")
    before = len(calls)
    assert concrete.variables == (total,)
    assert len(calls) == before
    assert float(total) == 1.0
    assert float(concrete(tf.ones([1, 3]))[0, 0]) == 1.0
    assert float(total) == 4.0


def test_a_function_that_takes_no_made_up_values_says_so():
    def refuse(x):
        raise ValueError("not today")

    concrete = tf.function(refuse).get_concrete_function(NUMBER)
    with pytest.raises(ValueError, match="not today"):
        _ = concrete.output_shapes
    assert repr(concrete).startswith("<ConcreteFunction refuse(x: TensorSpec(shape=(), dtype=tf.float32, name=None))")


def test_operations_have_the_inputs_that_they_read():
    concrete = tf.function(lambda x: tf.nn.relu(x) * 2.0).get_concrete_function(tf.TensorSpec([2], name="features"))
    operations = {operation.name: operation for operation in concrete.graph.get_operations()}
    assert operations["Relu"].input == ["features"]
    assert "Relu" in operations["Mul"].input
    assert operations["Identity"].input == ["Mul"]
    assert [(o.name, o.shape, o.dtype) for o in operations["Relu"].outputs] == [("Relu:0", [2], tf.float32)]
