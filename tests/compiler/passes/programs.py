"""Recorded programs for the tests of passes, and what it means that two graphs do the same."""

import contextlib

import numpy as np

from fastgrad._src.compiler.graph.graph import Kind, validate
from fastgrad._src.compiler.graph.interpret import interpret
from tests.compiler.recorded import record as record_and_run


def record(function, *arrays):
    """The graph of ``function`` at ``arrays``."""
    return record_and_run(function, *arrays)[0]


def names(graph):
    """What each node runs, in order."""
    return [node.payload.name if node.kind is Kind.OPERATION else node.kind.name for node in graph.nodes]


def operations(graph):
    """The names of the operations that are run, in order."""
    return [node.payload.name for node in graph.nodes if node.kind is Kind.OPERATION]


def bits(arrays):
    """What is equal for arrays of the same types with the same bits."""
    return [
        (a.dtype, a.shape, tuple(a.ravel().tolist()) if a.dtype.kind == "O" else a.tobytes())
        for a in map(np.ascontiguousarray, arrays)
    ]


@contextlib.contextmanager
def state_kept(variables, generators=()):
    """State changes inside, and is as before afterwards."""
    before = [v.numpy().copy() for v in variables], [g.state.numpy().copy() for g in generators]
    yield
    for variable, value in zip(variables, before[0], strict=True):
        variable.assign(value)
    for generator, value in zip(generators, before[1], strict=True):
        generator.reset(value)


def history(graph, replays, variables=(), generators=()):
    """The bits of the results and of the state after each of several replays in a row; the state is put back."""
    found = []
    with state_kept(variables, generators):
        for arrays in replays:
            results = interpret(graph, [np.asarray(a) for a in arrays])
            state = [v.numpy() for v in variables] + [g.state.numpy() for g in generators]
            found.append((bits(results), bits(map(np.asarray, state))))
    return found


def assert_does_the_same(transform, graph, replays, variables=(), generators=()):
    """``transform`` leaves ``graph`` as it is and gives one with the same results and effects, and no more nodes."""
    text = str(graph)
    better = transform(graph)
    validate(better)
    assert str(graph) == text
    assert len(better.nodes) <= len(graph.nodes)
    assert [(v.shape, v.dtype) for v in better.results] == [(v.shape, v.dtype) for v in graph.results]
    assert history(better, replays, variables, generators) == history(graph, replays, variables, generators)
    return better
