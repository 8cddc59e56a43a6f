"""Views whose elements lie at the beginning of another value, in order, have its memory: nothing is copied."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.graph.interpret import interpret
from fastgrad._src.compiler.programs.program import Program
from tests.compiler.passes.programs import bits
from tests.compiler.recorded import record

X = np.linspace(-1.0, 2.0, 24, dtype=np.float32).reshape(2, 3, 4)
W = np.linspace(0.5, 1.5, 24, dtype=np.float32).reshape(4, 6)


def product(x):
    return tf.matmul(x, W)


def computed(x):
    """Something that a kernel makes."""
    return tf.sort(x, axis=-1)


VIEWS = {
    "reshape": lambda x: product(tf.reshape(computed(x), [6, 4])),
    "reshape of a map": lambda x: product(tf.reshape(tf.tanh(x), [6, 4])),
    "reshape of an argument": lambda x: product(tf.reshape(x, [6, 4])),
    "expand_dims": lambda x: tf.matmul(tf.expand_dims(computed(x), 0), np.ones((1, 2, 4, 3), np.float32)),
    "squeeze": lambda x: product(tf.squeeze(tf.reshape(computed(x), [1, 6, 4]))),
    "flatten": lambda x: tf.sort(tf.reshape(computed(x), [-1])),
    "transpose of a size of one": lambda x: product(tf.transpose(tf.reshape(computed(x), [6, 1, 4]), [1, 0, 2])[0]),
    "stop_gradient": lambda x: product(tf.stop_gradient(tf.reshape(computed(x), [6, 4]))),
    "first rows": lambda x: product(tf.reshape(computed(x), [6, 4])[:2]),
    "first rows of an argument": lambda x: product(x[0]),
    "first row of a reshape of a map": lambda x: product(tf.reshape(tf.tanh(x), [3, 2, 4])[0]),
    "bitcast": lambda x: tf.sort(tf.bitcast(computed(x), tf.int32)),
    "bitcast to narrower numbers": lambda x: tf.sort(tf.bitcast(computed(x), tf.int16)),
}
COMPUTING = {"matmul", "sort", "tanh"}


@pytest.mark.parametrize("name", VIEWS)
def test_no_kernel_moves_anything(name):
    graph, _ = record(VIEWS[name], X)
    program = Program(graph)
    ran = [action.node.payload.name for action in program.plan.actions]
    assert {name for names in ran for name in names.split("+")} <= COMPUTING, ran
    for x in (X, -X):
        for found, wanted in zip(program([x]), interpret(graph, [x]), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-6)


def whole_and_part(x):
    y = computed(x)
    return y, y[:1]


def part_while_the_whole_is_written_over(x):
    y = computed(x)
    return tf.sort(y[0]), y * 2.0 + 1.0


RETURNED = {
    "a view of what was computed": lambda x: computed(x)[:1],
    "whole and part": whole_and_part,
    "part while the whole is written over": part_while_the_whole_is_written_over,
    "a view of a map": lambda x: tf.abs(x)[0],
    "a view of an argument": lambda x: x[0],
    "other bytes": lambda x: tf.bitcast(computed(x), tf.int32),
    "a view of a view": lambda x: tf.reshape(computed(x)[0], [-1])[:5],
    "one element": lambda x: tf.reshape(computed(x), [-1])[0],
}


@pytest.mark.parametrize("name", RETURNED)
def test_results(name):
    graph, _ = record(RETURNED[name], X)
    program = Program(graph)
    for x in (X, -X, X):
        first = program([x])
        assert bits(first) == bits(interpret(graph, [x]))
        kept = bits(first)
        program([-x])
        assert bits(first) == kept


def test_what_a_variable_is_assigned():
    row, all_rows = tf.Variable(X[0]), tf.Variable(X)

    def program(x):
        y = computed(x) + all_rows
        row.assign(computed(y)[0])
        all_rows.assign(y)
        return tf.bitcast(row, tf.int32), all_rows[0]

    graph, _ = record(program, X)
    wanted = [(interpret(graph, [x]), row.numpy(), all_rows.numpy()) for x in (X, -X)]
    row.assign(X[0])
    all_rows.assign(X)
    record(program, X)
    compiled = Program(graph)
    for x, (results, first, second) in zip((X, -X), wanted, strict=True):
        assert bits(compiled([x])) == bits(results)
        np.testing.assert_array_equal(row, first)
        np.testing.assert_array_equal(all_rows, second)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_result_without_readers_gives_its_memory_back_after_all_have_theirs(dtype):
    """Both results of the map may take the product's memory, and the second product reads the first of them."""
    v = tf.Variable(np.array([0.5, 2.0], dtype))

    def step(a):
        squares = tf.tanh(tf.matmul(a, a, transpose_b=True) * 0.33)
        v.assign(tf.zeros_like(v) + tf.tanh(tf.reduce_mean(squares)))
        return tf.matmul(squares, a)

    a = np.array([[0.3, -0.7]], dtype)
    (result,) = Program(record(step, a)[0])([a])
    np.testing.assert_allclose(result, np.tanh((a @ a.T) * 0.33) @ a, rtol=1e-6)
