"""Guards on counters, flags and the like are asked before anything is computed."""

import numpy as np

import fastgrad as tf
from fastgrad._src.compiler.graph.graph import Kind
from fastgrad._src.compiler.passes.hoist_guards import hoist_guards
from fastgrad._src.compiler.programs.program import Program
from tests.compiler.passes.programs import assert_does_the_same, names, record

X = np.array([1.0, 2.0], np.float32)


def moved(function, *arrays, variables=()):
    return assert_does_the_same(hoist_guards, record(function, *arrays), [arrays] * 3, variables)


def test_a_question_about_a_counter_comes_first():
    count, v = tf.Variable(5), tf.Variable(X)

    def program(x):
        v.assign_add(tf.tanh(x))
        if count + 1 < 100:
            v.assign_add(x)
        return v.value()

    graph = moved(program, X, variables=[count, v])
    assert names(graph)[:6] == ["READ", "CONSTANT", "add", "CONSTANT", "less", "GUARD"]
    assert names(graph)[6:8] == ["ARGUMENT", "tanh"]


def test_what_was_assigned_before_is_asked_where_it_stands():
    count = tf.Variable(5)

    def program(x):
        count.assign_add(1)
        return x * 2.0 if count < 100 else x

    graph = record(program, X)
    assert hoist_guards(graph) is graph


def test_a_question_about_what_is_computed_stays():
    graph = record(lambda x: x * 2.0 if tf.reduce_sum(x) > 1.0 else x, X)
    assert hoist_guards(graph) is graph


def test_a_question_after_a_division_that_may_fail_stays():
    count, divisor = tf.Variable(5), tf.Variable(3)
    graph = record(lambda x: x * 2.0 if count % divisor < 4 else x, X)
    assert hoist_guards(graph) is graph


def test_two_optimizers_change_their_variables_in_place():
    variables = [tf.Variable(X), tf.Variable(X)]
    optimizers = [tf.optimizers.Adam(0.1), tf.optimizers.SGD(0.1, momentum=0.9)]

    def step(x):
        for optimizer, variable in zip(optimizers, variables, strict=True):
            optimizer.apply_gradients([(x * variable, variable)])

    step(tf.constant(X))
    program = Program(record(step, X))
    nodes = program.graph.nodes
    guards = [i for i, node in enumerate(nodes) if node.kind is Kind.GUARD]
    updates = [i for i, node in enumerate(nodes) if node.kind is Kind.OPERATION and node.payload.name == "apply_update"]
    assert len(guards) == len(updates) == 2
    assert max(guards) < min(updates)
