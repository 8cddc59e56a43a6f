"""Operations made of several graphs, with Python code between them: branches and loops.

Such an operation has two implementations: ``run`` on arrays, as directly as possible, and ``on_tensors`` by operations on
tensors, which tapes can record. The second gives all derivatives that have no code of their own: ``ByTape``
runs it under a tape at each of its own runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad.compiler.control_flow.of_graphs import Flags, OfGraphs
from fastgrad.compiler.graph.graph import Graph, Kind, Node
from fastgrad.compiler.recording.made_operation import is_differentiable
from fastgrad.compiler.recording.record import apart
from fastgrad.core.indexed_slices import IndexedSlices
from fastgrad.core.operation import TABLE
from fastgrad.core.tape import GradientTape
from fastgrad.core.tensor import Tensor


class Structured(OfGraphs):
    """An operation with a second implementation by operations."""

    def on_tensors(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Returns the results, computed by operations that tapes can record."""
        raise NotImplementedError

    def _cotangents(self, needs: Flags, g: Any, y: Any, *inputs: Tensor) -> list[Any]:
        needs, have, result_cotangents = wanted(needs, g, inputs)
        if True not in needs or True not in have:
            return [None] * len(inputs)
        return spread_out(needs, ByTape(self, needs, have)(*inputs, *result_cotangents))


def wanted(needs: Flags, g: Any, inputs: tuple[Tensor, ...]) -> tuple[Flags, Flags, list[Tensor]]:
    """Returns the request to a gradient rule.

    Returns:
        Flags of the inputs whose cotangents are wanted, flags of the results that have one, and these cotangents.
    """
    cotangents = g if type(g) is tuple else (g,)
    have = tuple([cotangent is not None and is_differentiable(cotangent._array.dtype) for cotangent in cotangents])
    present_cotangents = [cotangent for cotangent, present in zip(cotangents, have, strict=True) if present]
    return (
        tuple([n and is_differentiable(x._array.dtype) for n, x in zip(needs, inputs, strict=True)]),
        have,
        present_cotangents,
    )


def spread_out(flags: Flags, found: tuple[Any, ...]) -> list[Any]:
    """Returns the items of ``found`` where ``flags`` are True, None elsewhere."""
    items = iter(found)
    return [next(items) if flag else None for flag in flags]


class ByTape(Structured):
    """The gradient of an operation, computed by a tape.

    Its inputs are the operation's and the cotangents of those results that have one. Its results are the cotangents of those
    inputs that need one; zeros if nothing depends on an input.
    """

    def __init__(self, primal: Structured, needs: Flags, have: Flags) -> None:
        super().__init__(f"{primal.name}_gradient")
        self._primal, self._needs, self._have = primal, needs, have
        self.checks, self.rooms = primal.checks, primal.rooms

    @property
    def result_count(self) -> int:
        """The number of results."""
        return sum(self._needs)

    def run(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """Returns the cotangents."""
        with apart():
            return tuple([y._array for y in self.on_tensors(*[Tensor(array) for array in arrays])])

    def on_tensors(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Returns the cotangents, computed by operations."""
        count = len(self._needs)
        # One tensor may be several inputs, and each input has its own cotangent.
        xs = [TABLE["recomputed_input"](x) if need else x for x, need in zip(inputs[:count], self._needs, strict=True)]
        sources = [x for x, need in zip(xs, self._needs, strict=True) if need]
        with GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(sources)
            results = self._primal.on_tensors(*xs)
        targets = [y for y, present in zip(results, self._have, strict=True) if present]
        gradients = tape.gradient(targets, sources, list(inputs[count:]), unconnected_gradients="zero")
        return tuple(
            [cotangent.to_dense() if isinstance(cotangent, IndexedSlices) else cotangent for cotangent in gradients]
        )


def leads(graph: Graph, sources: Flags) -> Flags:
    """Returns for each result of a graph whether a gradient flows from it to an argument marked in ``sources``."""
    reached: set[int] = set()
    for node in graph.nodes:
        if node.kind is Kind.ARGUMENT:
            if sources[node.payload]:
                reached.add(id(node.outputs[0]))
        elif node.kind is Kind.OPERATION and any(
            _gradient_flows(node, i) and id(x) in reached for i, x in enumerate(node.inputs)
        ):
            reached.update([id(value) for value in node.outputs if is_differentiable(value.dtype)])
    return tuple([id(value) in reached for value in graph.results])


def _gradient_flows(node: Node, position: int) -> bool:
    rule = node.payload.gradient
    return rule is not None and (type(rule) is not tuple or rule[position] is not None)
