"""What is there for gradients alone is not run."""

import numpy as np

import fastgrad as tf
from fastgrad._src.compiler.control_flow.explicit_state import state_of, with_explicit_state
from fastgrad._src.compiler.graph.graph import Kind, validate
from fastgrad._src.compiler.graph.interpret import interpret
from fastgrad._src.compiler.passes.drop_gradient_modifiers import drop_gradient_modifiers
from tests.compiler.passes.programs import record

X = np.array([1.0, -2.0])


def test_reads_after_assignments_are_what_was_assigned():
    v = tf.Variable(X)

    def program(x):
        v.assign(x * 2.0)
        return v * x

    graph = record(program, X)
    graph = with_explicit_state(graph, 1, state_of(graph))
    validate(graph)
    dropped = drop_gradient_modifiers(graph)
    validate(dropped)
    assert [n.payload.name for n in graph.nodes if n.kind is Kind.OPERATION] == ["multiply", "value_read", "multiply"]
    assert [n.payload.name for n in dropped.nodes if n.kind is Kind.OPERATION] == ["multiply", "multiply"]
    for found, wanted in zip(interpret(dropped, [X, X]), interpret(graph, [X, X]), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_gradients_of_the_users_own_in_a_branch():
    @tf.custom_gradient
    def own(x):
        return tf.exp(x), lambda g: g * 3.0

    graph = record(lambda x: tf.cond(x[0] > 0.0, lambda: own(x), lambda: x), X)
    (branches,) = [node.payload for node in graph.nodes if node.payload.__class__.__name__ == "Branches"]
    kinds = [[type(n.payload).__name__ for n in branch.graph.nodes] for branch in branches.branches]
    assert "CustomGradient" in kinds[1]
    dropped = drop_gradient_modifiers(branches.branches[1].graph)
    validate(dropped)
    assert "CustomGradient" not in [type(node.payload).__name__ for node in dropped.nodes]
