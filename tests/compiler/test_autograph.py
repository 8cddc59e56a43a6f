"""`tf.autograph`: the loops of recorded functions, their options, and their source."""

import logging

import pytest

import fastgrad as tf

autograph = tf.autograph
set_loop_options = tf.autograph.experimental.set_loop_options


def total_below(n):
    total = 0
    for i in tf.range(n):
        total += i
    return total


def first_three(n):
    total = 0
    for i in tf.range(n):
        set_loop_options(maximum_iterations=3)
        total += i + 1
    return total


def first_three_of_ten():
    total = 0
    for i in tf.range(10, 0, -1):
        tf.autograph.experimental.set_loop_options(maximum_iterations=3)
        total += i
    return total


def countdown(x, limit):
    steps = tf.constant(0)
    while x > 0.0:
        set_loop_options(maximum_iterations=limit)
        x -= 1.0
        steps += 1
    return x, steps


def growing(n):
    values = tf.constant([0])
    for i in tf.range(n):
        set_loop_options(shape_invariants=[(values, tf.TensorShape([None]))], parallel_iterations=2)
        values = tf.concat([values, [i]], 0)
    return values


def with_a_list(n):
    values = []
    while n > 0:
        set_loop_options(maximum_iterations=2)
        values.append(n)
        n -= 1
    return values


def test_a_limit_holds_in_loops_of_a_program_as_in_tensorflow():
    compiled = tf.function(first_three)
    assert [int(compiled(tf.constant(n))) for n in (2, 5, 9)] == [3, 6, 6]
    assert int(tf.function(first_three_of_ten)()) == 27
    compiled = tf.function(countdown)
    assert [[float(y) for y in compiled(tf.constant(x), 4)] for x in (2.0, 7.0, 9.0)] == [[0, 2], [3, 4], [5, 4]]


def test_a_limit_does_not_hold_in_eager_code():
    assert int(first_three(tf.constant(5))) == 15
    assert [float(y) for y in countdown(tf.constant(5.0), 2)] == [0, 5]


def test_a_limit_that_python_would_not_keep_is_refused():
    with pytest.raises(NotImplementedError, match=r"maximum_iterations .*Use tf.while_loop"):
        tf.function(with_a_list)(tf.constant(3))


def test_shapes_of_a_loop_may_change():
    compiled = tf.function(growing)
    assert [compiled(tf.constant(n)).numpy().tolist() for n in (1, 3)] == [[0, 0], [0, 0, 1, 2]]


def test_the_source_of_a_converted_function_is_shown():
    text = autograph.to_code(total_below)
    assert "def total_below(n):" in text
    assert "total += i" in text
    assert autograph.to_code(tf.function(total_below)) == text
    assert autograph.to_code(test_shapes_of_a_loop_may_change).startswith("def test_shapes_of_a_loop_may_change():")
    assert int(autograph.to_graph(total_below)(tf.constant(4))) == 6


def test_only_python_functions_are_converted():
    with pytest.raises(ValueError, match="expected a Python function, got 3"):
        autograph.to_code(3)


def test_a_function_that_is_not_converted_has_a_trace_for_each_number_of_iterations():
    runs = []

    @tf.function
    @autograph.experimental.do_not_convert
    def total(n):
        result = 0
        for i in tf.range(n):
            runs.append(1)
            result += i
        return result

    assert [int(total(tf.constant(n))) for n in (3, 3, 4)] == [3, 3, 6]
    assert len(runs) == 7


def test_a_callable_object_may_stay_as_it_is():
    assert autograph.experimental.do_not_convert()(abs)(-3) == 3


def test_verbosity_is_that_of_the_logger():
    logger = logging.getLogger("fastgrad")
    before = logger.level
    autograph.set_verbosity(3)
    assert logger.level == logging.DEBUG
    autograph.set_verbosity(0)
    assert logger.level == logging.WARNING
    logger.setLevel(before)


def test_trace_prints_the_values_of_each_run(capfd):
    compiled = tf.function(lambda x: autograph.trace("x is", x))
    for x in (1, 2):
        compiled(tf.constant(x))
    assert capfd.readouterr().err.split("\n")[:2] == ["x is 1", "x is 2"]
