"""Users' element-wise operations become the rows that they are made of."""

from __future__ import annotations

import numpy as np

import fastgrad as fg
from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value, validate
from fastgrad._src.compiler.graph.interpret import interpret
from fastgrad._src.compiler.passes.expand_formulas import expand_formulas

FLOAT32 = np.dtype(np.float32)


def graph_of(operation, *shapes):
    values = [Value(shape, FLOAT32, number) for number, shape in enumerate(shapes)]
    result = Value(np.broadcast_shapes(*shapes), FLOAT32, len(values))
    nodes = [Node(Kind.ARGUMENT, number, outputs=(value,)) for number, value in enumerate(values)]
    return Graph([*nodes, Node(Kind.OPERATION, operation.operation, tuple(values), (result,))], [result])


def names(graph):
    return [node.payload.name for node in graph.nodes if node.kind is Kind.OPERATION]


def test_formulas_become_rows():
    @fg.elementwise
    def affine(x, y):
        return 2.0 * x + y

    before = graph_of(affine, (2, 3), (3,))
    after = expand_formulas(before)
    validate(after)
    assert names(after) == ["multiply", "add"]
    arrays = np.ones((2, 3), np.float32), np.arange(3, dtype=np.float32)
    np.testing.assert_array_equal(interpret(after, arrays)[0], 2 + np.tile(arrays[1], (2, 1)))
    assert names(before) == [affine.operation.name]


def test_formulas_of_formulas_become_rows():
    @fg.elementwise
    def twice(x):
        return 2.0 * x

    @fg.elementwise
    def more(x):
        return twice(x) + 1.0

    assert names(expand_formulas(graph_of(more, (4,)))) == ["multiply", "add"]


def test_a_result_that_is_smaller_than_the_inputs_is_spread():
    @fg.elementwise
    def second(x, y):
        return -y

    graph = expand_formulas(graph_of(second, (2, 3), (3,)))
    assert names(graph) == ["negative", "broadcast_to"]
    (found,) = interpret(graph, [np.zeros((2, 3), np.float32), np.ones(3, np.float32)])
    np.testing.assert_array_equal(found, -np.ones((2, 3)))


def test_functions_without_a_formula_stay():
    @fg.elementwise
    def loop(x):
        while x > 1.0:
            x *= 0.5
        return x

    graph = graph_of(loop, (4,))
    assert expand_formulas(graph).nodes == graph.nodes
