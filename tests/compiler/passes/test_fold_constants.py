"""What depends on constants alone is computed once."""

import weakref

import numpy as np

import fastgrad as tf
from fastgrad._src.compiler.graph.graph import Graph, Kind, Node
from fastgrad._src.compiler.passes.drop_dead import drop_dead
from fastgrad._src.compiler.passes.fold_constants import MOST_FOLDED_BYTES, fold_constants
from fastgrad._src.core.operation import TABLE
from tests.compiler.passes.programs import assert_does_the_same, names, operations, record

X = np.array([1.0, -2.0], np.float32)


def folded(function, *arrays, **others):
    graph = record(function, *arrays)
    return drop_dead(assert_does_the_same(fold_constants, graph, [arrays] * 2, **others))


def constants(graph):
    return [node.payload for node in graph.nodes if node.kind is Kind.CONSTANT]


def test_a_tree_of_constants_becomes_one():
    graph = folded(lambda x: x * tf.sqrt(tf.constant([4.0, 9.0]) + 0.0), X)
    assert operations(graph) == ["multiply"]
    np.testing.assert_array_equal(constants(graph), [[2.0, 3.0]])


def test_nan_and_signs_of_zero_are_those_of_the_operation():
    zero = tf.constant([0.0, -0.0])
    graph = folded(lambda x: (x, -zero, zero / zero, 1.0 / zero), X)
    assert operations(graph) == []


def test_a_repeated_scalar_stays_one_whatever_reads_it():
    for shape in [(3, 2), (500, 1000, 2)]:
        graph = folded(lambda x, shape=shape: x + tf.broadcast_to(tf.constant(2.0) * 3.0, shape), X)
        assert operations(graph) == ["broadcast_to", "add"]
        assert [c.nbytes for c in constants(graph)] == [4]


def test_folding_goes_on_behind_a_repeated_scalar():
    graph = folded(lambda x: x + tf.reduce_sum(tf.broadcast_to(tf.constant(2.0), (300, 300))), X)
    assert operations(graph) == ["add"]
    assert 180000.0 in constants(graph)


def test_what_would_be_large_stays_small():
    def program(x):
        rows, columns = tf.constant(np.arange(300.0)), tf.constant(np.arange(200.0))
        return tf.cast(rows[:, None] * columns, tf.float32)[0, :2] + x

    graph = folded(program, X)
    assert "multiply" in operations(graph)
    assert max(c.nbytes for c in constants(graph)) <= MOST_FOLDED_BYTES


def test_a_large_constant_may_become_another_of_its_size():
    table = tf.constant(np.arange(40000.0))
    graph = folded(lambda x: x + (table * 2.0)[::20000], X.astype(np.float64))
    assert operations(graph) == ["add"]
    (small,) = constants(graph)
    assert small.base is None


def test_the_only_part_of_a_constant_is_one():
    graph = folded(lambda x: tf.unstack(tf.constant([[3.0, 4.0]]))[0] + x, X)
    assert operations(graph) == ["add"]
    np.testing.assert_array_equal(constants(graph), [[3.0, 4.0]])


def test_several_results_stay():
    graph = folded(lambda x: tf.unstack(tf.constant([[3.0, 4.0], [5.0, 6.0]]))[0] + x, X)
    assert operations(graph) == ["unstack", "add"]


def test_draws_variables_and_checks_are_not_constant():
    generator, v = tf.random.Generator.from_seed(1), tf.Variable([1.0, 2.0])

    def program(x):
        checked = tf.debugging.check_numerics(tf.constant(1.0), "one")
        return x + generator.normal([2]) * v + checked + tf.random.stateless_normal([2], [1, 2])

    graph = folded(program, X, variables=[v], generators=[generator])
    assert {"random_normal", "check_numerics", "READ", "ASSIGN"} <= set(names(graph))
    assert names(graph).count("random_normal") == 1  # a seed that is a constant gives constants


def test_a_guard_on_a_constant_goes():
    graph = record(lambda x: x, X)
    three = Node(Kind.CONSTANT, np.array(3), outputs=record(lambda n: n, np.array(3)).nodes[0].outputs)
    for wanted, left in ((3, 0), (4, 1)):
        guard = Node(Kind.GUARD, ("int", wanted), three.outputs)
        found = fold_constants(Graph([*graph.nodes, three, guard], graph.results))
        assert [node.kind for node in found.nodes].count(Kind.GUARD) == left


def test_an_operation_that_is_no_row_of_the_table_stays():
    class Foreign(type(TABLE["cholesky"])):
        def __init__(self):
            self.name, self.run, self.form = "cholesky", np.negative, TABLE["cholesky"].form

    graph = record(lambda x: tf.linalg.cholesky(tf.constant([[4.0]])) + x, X)
    assert operations(fold_constants(graph)) == ["add"]
    nodes = [
        n if n.kind is not Kind.OPERATION or n.payload.name == "add" else _running(n, Foreign()) for n in graph.nodes
    ]
    assert operations(fold_constants(Graph(nodes, graph.results))) == ["cholesky", "add"]


def _running(node, operation):
    return Node(Kind.OPERATION, operation, node.inputs, node.outputs, node.attributes)


def test_a_graph_keeps_no_tensor_of_the_user_alive():
    captured = [tf.constant(np.ones((1000, 1000), np.float32))]
    graph = drop_dead(fold_constants(record(lambda x: x + captured[0][0, :2] * 2.0, X)))
    assert all(c.base is None and not np.shares_memory(c, captured[0]._array) for c in constants(graph))
    reference = weakref.ref(captured.pop())
    assert reference() is None
