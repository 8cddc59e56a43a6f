"""Programs, node by node on a simulated GPU: what each node gives, against what its operations give."""

from __future__ import annotations

import numpy as np

from fastgrad._src.compiler.fusion.fuse import fuse
from fastgrad._src.compiler.graph.graph import Kind
from fastgrad._src.compiler.passes.expand_references import expand_references
from fastgrad._src.compiler.programs.pipeline import simplify_graph
from fastgrad._src.cuda.kernels.choice import launches_on_device
from tests.compiler.fusion.reduction_cases import assert_near
from tests.compiler.recorded import record
from tests.cuda.simulation.lock_step import run_on_simulation


def nodes_of(program, *arrays):
    """The nodes of a program that compute something, fused as for a GPU."""
    graph = fuse(simplify_graph(expand_references(record(program, *arrays)[0])))
    return graph, [node for node in graph.nodes if node.kind in (Kind.FUSED, Kind.OPERATION)]


def assert_the_same_on_device(program, *arrays, rtol=None, blocks=2, threads=32):
    """Runs each node of a program on the simulated GPU; gives all launches."""
    graph, nodes = nodes_of(program, *arrays)
    values = {id(n.outputs[0]): arrays[n.payload] for n in graph.nodes if n.kind is Kind.ARGUMENT}
    values |= {id(n.outputs[0]): n.payload for n in graph.nodes if n.kind is Kind.CONSTANT}
    launches = []
    for node in nodes:
        inputs = [np.ascontiguousarray(values[id(v)]).reshape(v.shape) for v in node.inputs]
        found = node.payload.run(*inputs, **node.attributes)
        wanted = found if isinstance(found, tuple) else (found,)
        outputs = [np.full(v.shape, 3, v.dtype) for v in node.outputs]
        chosen = launches_on_device(node)
        if chosen.alias:
            outputs = [inputs[0].reshape(outputs[0].shape)]
        assert run_on_simulation(chosen, inputs, outputs, blocks, threads) is None
        for value, got, expected in zip(node.outputs, outputs, wanted, strict=True):
            assert_near(got, np.asarray(expected), str(node), rtol)
            values[id(value)] = expected
        launches += chosen.launches
    return launches
