"""Dead nodes are dropped; effects stay."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.graph.interpret import interpret
from fastgrad._src.compiler.passes.drop_dead import drop_dead
from tests.compiler.passes.programs import assert_does_the_same, names, record

X = np.array([1.0, -2.0], np.float32)


def test_what_no_result_needs_goes_with_all_that_only_it_needs():
    def program(x, unused):
        tf.tanh(tf.exp(unused) * 3.0)
        return x * 2.0

    graph = assert_does_the_same(drop_dead, record(program, X, X), [(X, X)])
    assert names(graph) == ["ARGUMENT", "CONSTANT", "multiply"]


def test_changes_of_state_stay_with_what_they_need():
    v = tf.Variable([1.0, 2.0])

    def program(x):
        v.assign_add(tf.exp(x))
        return tf.constant(1.0)

    graph = assert_does_the_same(drop_dead, record(program, X), [(X,)] * 3, [v])
    assert names(graph) == ["ARGUMENT", "exp", "READ", "add", "ASSIGN", "CONSTANT"]


def test_an_unused_draw_still_moves_the_generator():
    generator = tf.random.Generator.from_seed(1)

    def program(x):
        generator.normal([5])
        return generator.normal([2]) + x

    graph = assert_does_the_same(drop_dead, record(program, X), [(X,)] * 3, [], [generator])
    draw = ["READ", "advance_generator", "ASSIGN"]
    assert names(graph) == ["ARGUMENT", *draw, *draw, "random_normal", "add"]


def test_guards_and_checks_stay():
    def program(x):
        tf.debugging.check_numerics(x, "x")
        if tf.reduce_sum(x) > 5.0:
            return x
        return x + 1.0

    graph = drop_dead(record(program, X))
    assert {"check_numerics", "GUARD", "reduce_sum", "greater"} <= set(names(graph))
    with pytest.raises(tf.errors.InvalidArgumentError, match="NaN"):
        interpret(graph, [X * np.nan])


def test_a_node_of_which_one_result_is_needed_stays():
    graph = assert_does_the_same(drop_dead, record(lambda x: tf.unstack(x)[1], X), [(X,)])
    assert names(graph) == ["ARGUMENT", "unstack"]
