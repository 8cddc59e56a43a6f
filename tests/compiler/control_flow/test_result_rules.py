"""The result rules of operations made of graphs give the shapes and dtypes of results without a run."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.control_flow.branches import Branches
from fastgrad._src.compiler.control_flow.control_flow_operation import TapeGradient
from fastgrad._src.compiler.control_flow.custom_gradient import CustomGradient
from fastgrad._src.compiler.control_flow.graph_operation import GraphOperation
from fastgrad._src.compiler.control_flow.loops import Loop
from fastgrad._src.compiler.graph.graph import validate
from fastgrad._src.compiler.recording.host_call import HostCall
from fastgrad._src.compiler.recording.unlisted_operation import UnlistedOperation
from fastgrad._src.core.operation import Operation
from fastgrad._src.core.result_rules import ArraySpec, fits_spec, specs_of
from tests.compiler.recorded import record

F64 = np.dtype(np.float64)
X = np.arange(6.0).reshape(2, 3)


def branches(x):
    return tf.cond(x[0, 0] > 0.5, lambda: (x[0], x * 2.0), lambda: (x[1], tf.sin(x)))


def loop_over_rows(x):
    return tf.scan(lambda total, row: total + tf.tanh(row), x)


def loop_with_a_condition(x):
    return tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * tf.cos(y)), (tf.constant(0), x))


def own_gradient(x):
    @tf.custom_gradient
    def clipped(y):
        return tf.minimum(y, 2.0), lambda g: g * 0.5

    return clipped(x)


def with_derivatives(function):
    """The function, its gradient, and the gradient of that."""

    def called(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = [z for z in tf.nest.flatten(function(x)) if z.dtype.is_floating]
            gradient = inner.gradient(y, x)
        return [*y, gradient, outer.gradient(gradient, x)]

    return called


@pytest.mark.parametrize("function", [branches, loop_over_rows, loop_with_a_condition, own_gradient])
def test_rules_give_what_runs_give(function, monkeypatch):
    checked = []
    call = Operation.__call__

    def checked_call(self, *inputs, **attributes):
        y = call(self, *inputs, **attributes)
        if isinstance(self, UnlistedOperation) and not isinstance(self, HostCall):
            specs = specs_of(self.result(*[ArraySpec(x._array.shape, x._array.dtype) for x in inputs]))
            results = specs_of(y)
            assert len(specs) == len(results)
            assert all(fits_spec(spec, z._array) for spec, z in zip(specs, results, strict=True)), (
                self,
                specs,
                results,
            )
            checked.append(self)
        return y

    monkeypatch.setattr(Operation, "__call__", checked_call)
    graphs = [record(called, X)[0] for called in (function, with_derivatives(function))]
    recorded = [node.payload for graph in graphs for node in graph.nodes if isinstance(node.payload, UnlistedOperation)]
    assert [*checked, *recorded]
    assert all(operation.result is not None for operation in recorded)
    for graph in graphs:
        validate(graph)  # compares values with rules


def test_each_operation_of_graphs_has_a_rule():
    for kind in (GraphOperation, Branches, Loop, TapeGradient, CustomGradient):
        assert kind.result is not Operation.result


def test_a_gradient_by_a_tape_has_the_shapes_of_inputs():
    graph = record(lambda x, y: x @ y, X, X.T)[0]
    gradient = TapeGradient(Branches([GraphOperation(graph)], "cond"), (False, False, True), (True,))
    inputs = [ArraySpec((), np.dtype(bool)), ArraySpec((2, 3), F64), ArraySpec((3, 2), F64), ArraySpec((2, 2), F64)]
    assert gradient.result(*inputs) == (ArraySpec((3, 2), F64),)
