"""Results of loops and branches that no node reads are not computed."""

import numpy as np

import fastgrad as tf
from fastgrad._src.compiler.control_flow.branches import Branches
from fastgrad._src.compiler.control_flow.loops import Loop
from fastgrad._src.compiler.graph.graph import Kind, validate
from fastgrad._src.compiler.graph.interpret import interpret
from fastgrad._src.compiler.passes.drop_dead import drop_dead
from fastgrad._src.compiler.passes.drop_unused_results import drop_unused_results
from tests.compiler.passes.programs import record

X = np.array([[0.3, -0.4], [0.5, 0.8], [-0.9, 0.2]])


def counts(graph):
    return [len(node.outputs) for node in graph.nodes if isinstance(node.payload, (Loop, Branches))]


def with_gradient(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        last = tf.scan(lambda s, r: tf.tanh(s * r), x)[-1]
        y = tf.cond(last[0] > 0.0, lambda: tf.sin(tf.exp(last)), lambda: last)
    return y, tape.gradient(y, x)


def test_what_a_gradient_would_have_read():
    def program(x):
        return with_gradient(x)[0]

    graph = drop_dead(record(program, X))
    assert counts(graph) == [3, 2]
    dropped = drop_unused_results(graph)
    validate(dropped)
    assert counts(dropped) == [2, 1]
    np.testing.assert_array_equal(interpret(dropped, [X])[0], interpret(graph, [X])[0])
    (loop,) = [node.payload for node in dropped.nodes if node.kind is Kind.OPERATION and node.payload.name == "scan"]
    assert len(loop.body.graph.results) == 2


def test_what_a_gradient_reads_stays():
    graph = record(with_gradient, X)
    dropped = drop_unused_results(graph)
    validate(dropped)
    for found, wanted in zip(interpret(dropped, [X]), interpret(graph, [X]), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_graph_without_them_is_the_same():
    graph = record(lambda x: tf.linalg.qr(x)[1] * 2.0, X)
    assert list(map(id, drop_unused_results(graph).nodes)) == list(map(id, graph.nodes))
