"""Several recordings of one function are one program, which finds its way by the values it meets."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.graph.graph import Kind, validate
from fastgrad._src.compiler.graph.interpret import GuardError
from fastgrad._src.compiler.passes.tree import UnmergeableTracesError, tree_of
from fastgrad._src.compiler.programs.program import Program
from tests.compiler.passes.programs import bits
from tests.compiler.recorded import record


def replayed(function, inputs, variables=()):
    """Replays ``function`` on each of ``inputs``, recording ways that are new, beside the function itself."""
    start = [v.numpy() for v in variables]
    graphs, program, recordings = [], None, 0
    for x in inputs:
        before = [v.numpy() for v in variables]
        wanted = [np.asarray(y) for y in tf.nest.flatten(function(tf.constant(x)))]
        after = [v.numpy() for v in variables]
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        try:
            if program is None:
                raise GuardError(None, None)
            _, found = program.replay([x])
        except GuardError:
            assert bits([v.numpy() for v in variables]) == bits(before)
            graph, found = record(function, x)
            graphs.append(graph)
            program = Program(*graphs)
            recordings += 1
        for here, there in zip([*found, *variables], [*wanted, *after], strict=True):
            np.testing.assert_allclose(np.asarray(here), there, rtol=1e-14, atol=0)
    for variable, value in zip(variables, start, strict=True):
        variable.assign(value)
    return program, recordings


def numbers(count, low, high):
    return list(np.random.default_rng(0).uniform(low, high, size=(count, 3)))


@pytest.fixture(params=["native", "in turns"])
def kind(request, monkeypatch):
    """Runs a test with all kernels, and with none for additions."""
    if request.param == "in turns":
        from fastgrad._src.compiler.programs import plan

        found = plan.launches_of
        monkeypatch.setattr(
            plan, "launches_of", lambda node, *of: None if node.kind in plan.COMPUTING_KINDS else found(node, *of)
        )
    return request.param


def test_a_branch(kind):
    v = tf.Variable(np.zeros(3))

    def step(x):
        y = x * 2.0 + 1.0
        if tf.reduce_sum(y) > 3.0:
            v.assign(v * 0.5 + y)
            return y - v
        v.assign_add(x)
        return y * v, x

    program, recordings = replayed(step, numbers(40, -2, 2), [v])
    assert recordings == 2
    assert [part.leaf for part in program.tree.parts()] == [None, 0, 1]


def test_a_loop_whose_trips_depend_on_the_values(kind):
    v = tf.Variable(np.zeros(3))

    def step(x):
        trips = tf.constant(0.0, tf.float64)
        while tf.reduce_max(tf.abs(x)) > 1.0:
            x = x * 0.5
            trips = trips + 1.0
        v.assign_add(x)
        return x, trips

    _, recordings = replayed(step, numbers(60, -20, 20), [v])
    assert 2 <= recordings <= 5


def test_ints_and_branches_within_branches(kind):
    def step(x):
        total = tf.reduce_sum(x)
        if total > 0.0:
            for i in range(int(tf.cast(total, tf.int32)) % 3):
                x = x + float(i + 1)
            if x[0] > 1.0:
                return x * total
        elif x[1] > 0.0:
            return tf.exp(x)
        return x - 1.0

    program, recordings = replayed(step, numbers(120, -3, 3))
    assert 5 <= recordings <= 20
    for part in program.tree.parts():
        assert (part.leaf is None) == bool(part.successors)


def test_all_that_has_kernels_is_one_call():
    def step(x):
        y = x * 2.0 + 1.0
        return y * x - 1.0 if y * y - 2.0 > 0.0 else tf.exp(x) - y

    program, recordings = replayed(step, list(np.linspace(-2.0, 2.0, 20)))
    assert recordings == 2
    assert program.plan.native
    assert program.source.count("begin(") == 1
    assert "run_node" not in program.source


def test_a_value_shared_by_ways_is_computed_once():
    def step(x):
        y = tf.exp(x) + 1.0
        return y * 2.0 if x[0] > 0.0 else y * 3.0

    program, _ = replayed(step, numbers(20, -2, 2))
    nodes = [node for part in program.tree.parts() for node in part.graph.nodes]
    assert sum("exp" in str(node) for node in nodes) == 1
    assert sum(node.kind is Kind.ARGUMENT for node in nodes) == 1


def test_the_gradient_of_each_way(kind):
    v = tf.Variable(np.ones(3))

    def step(x):
        with tf.GradientTape() as tape:
            y = v * x
            loss = tf.reduce_sum(y * y) if tf.reduce_sum(y) > 0.5 else tf.reduce_sum(tf.sin(y))
        g = tape.gradient(loss, v)
        v.assign_sub(0.1 * g)
        return loss, g

    _, recordings = replayed(step, numbers(30, -1, 1.5), [v])
    assert recordings == 2


def test_variables_that_swap_on_one_way(kind):
    a, b = tf.Variable(np.arange(3.0)), tf.Variable(np.arange(3.0) + 10)

    def step(x):
        old = a.value()
        if x[0] > 0.0:
            a.assign(b)
            b.assign(old)
        return old, b.value()

    replayed(step, numbers(20, -1, 1), [a, b])


def test_recordings_that_part_before_a_guard_are_no_tree():
    turns = []

    def step(x):
        turns.append(1)
        y = x * 2.0 if len(turns) == 1 else x + 1.0
        return y if x[0] > 0.0 else -y

    graphs = [record(step, np.array([value, 1.0]))[0] for value in (1.0, -1.0)]
    with pytest.raises(UnmergeableTracesError):
        Program(*graphs)


def test_the_same_way_twice_is_no_tree():
    graphs = [record(lambda x: x + 1.0 if x[0] > 0.0 else x, np.array([value, 1.0]))[0] for value in (1.0, 2.0)]
    with pytest.raises(UnmergeableTracesError):
        tree_of(graphs)


def test_parts_are_graphs():
    def step(x):
        while x[0] > 1.0:
            x = x * 0.5
        return x

    graphs = [record(step, np.array([value, 1.0]))[0] for value in (0.5, 3.0, 9.0)]
    root = tree_of(graphs)
    assert sorted(part.leaf for part in root.parts() if part.leaf is not None) == [0, 1, 2]
    for graph in graphs:
        validate(graph)
