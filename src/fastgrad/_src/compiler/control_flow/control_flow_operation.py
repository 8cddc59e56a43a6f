"""Operations made of several graphs, with Python code between them: branches and loops.

Such an operation has two implementations: ``run`` on arrays, as directly as possible, and ``run_on_tensors`` by operations on
tensors, which tapes can record. The second gives all derivatives that have no code of their own: ``TapeGradient``
runs it under a tape at each of its own runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import compress, count, repeat
from typing import Any

import numpy as np

from fastgrad._src.compiler.control_flow.subgraph_operation import Flags, SubgraphOperation, differentiable_args
from fastgrad._src.compiler.graph.graph import Graph, Kind, Node
from fastgrad._src.compiler.recording.record import hide_from_recordings
from fastgrad._src.compiler.recording.unlisted_operation import is_differentiable
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.result_rules import Specs, like_inputs
from fastgrad._src.core.tape import GradientTape
from fastgrad._src.core.tensor import Tensor


class ControlFlowOperation(SubgraphOperation):
    """The base of branches and loops: operations with a second implementation, by operations on tensors.

    Attributes:
        gives: the number of results that gradients may flow to.
    """

    gives: int

    def run_on_tensors(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Returns the results of branches or a loop, computed by operations that tapes can record."""
        raise NotImplementedError

    def inputs_reaching_results(self, needs: Flags, have: Flags) -> Flags:
        """Returns flags of the inputs in ``needs`` from which a gradient flows to a result in ``have``."""
        flags = [False] * len(needs)
        for position in compress(range(len(needs)), needs):
            reached = self._results_with_gradient_to(tuple([other == position for other in range(len(needs))]))
            flags[position] = any(h and r for h, r in zip(have, reached, strict=True))
        return tuple(flags)

    def _results_with_gradient_to(self, input_flags: Flags) -> Iterable[bool]:
        """Returns for each result whether a gradient may flow from the result to an input marked in ``input_flags``."""
        return repeat(True)

    def _cotangents(self, needs: Flags, g: Any, y: Any, *inputs: Tensor) -> list[Any]:
        needs, have, result_cotangents = differentiable_args(needs, g, inputs)
        if True not in needs or True not in have:
            return [None] * len(inputs)
        return spread_by_flags(TapeGradient(self, needs, have)(*inputs, *result_cotangents), needs)


def spread_by_flags(values: Iterable[Any], positions: Flags) -> list[Any]:
    """Returns a list with the next of ``values`` where a flag is True, and None elsewhere."""
    items = iter(values)
    return [next(items) if flag else None for flag in positions]


class ReturnsResiduals(ControlFlowOperation):
    """The base of branches and loops that return the residuals of their gradient as further results.

    Attributes:
        plain: the operation without residuals; this keeps it alive, so that equal ones are the same object (shared_operations.py).
    """

    def __init__(self, plain: ControlFlowOperation, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.plain = plain
        self._backwards: dict[tuple[Flags, Flags], Callable[[Any, Any, Any], Iterable[Tensor]]] = {}

    def with_residuals(self, flags: Flags, inputs: Sequence[Tensor]) -> None:
        """Returns None, as no further variant is needed: the residuals are among the results already."""

    def _cotangents(self, needs: Flags, g: Any, y: Any, *inputs: Tensor) -> list[Any]:
        g, y = (g, y) if type(y) is tuple else ((g,), (y,))
        needs, have, _ = differentiable_args(needs, g, inputs)
        have = have[: self.gives]
        needs = self.inputs_reaching_results(needs, have)
        if True not in needs:
            return [None] * len(inputs)
        backward = self._backwards.get((needs, have))
        if backward is None:
            with hide_from_recordings():
                backward = self._backwards[needs, have] = self._backward(needs, have, inputs, y, g)
        return spread_by_flags(backward(inputs, y, g), needs)

    def _backward(self, needs: Flags, have: Flags, inputs: Any, y: Any, g: Any) -> Callable[[Any, Any, Any], Any]:
        """Returns the function from inputs, results and cotangents to the cotangents of the inputs in ``needs``."""
        raise NotImplementedError


class TapeGradient(ControlFlowOperation):
    """The gradient of an operation, computed by a tape.

    Its inputs are the operation's and the cotangents of those results that have one. Its results are the cotangents of those
    inputs that need one; zeros if nothing depends on an input.
    """

    def __init__(self, primal: ControlFlowOperation, needs: Flags, have: Flags) -> None:
        super().__init__(f"{primal.name}_gradient")
        self._primal, self._needs, self._have = primal, needs, have
        self.checks, self.loops_with_capacity = primal.checks, primal.loops_with_capacity

    @property
    def result_count(self) -> int:
        return sum(self._needs)

    def run(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        with hide_from_recordings():
            return tuple([y._array for y in self.run_on_tensors(*[Tensor(array) for array in arrays])])

    def result(self, *inputs: Any) -> Specs:
        """The result rule: a cotangent has the shape and dtype of its input."""
        return like_inputs(*compress(count(), self._needs))(*inputs)

    def run_on_tensors(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        input_count = len(self._needs)
        # One tensor may be several inputs, and each input has its own cotangent.
        xs = [
            TABLE["recomputed_input"](x) if need else x
            for x, need in zip(inputs[:input_count], self._needs, strict=True)
        ]
        sources = [x for x, need in zip(xs, self._needs, strict=True) if need]
        with GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(sources)
            results = self._primal.run_on_tensors(*xs)
        targets = [y for y, present in zip(results, self._have, strict=True) if present]
        gradients = tape.gradient(targets, sources, list(inputs[input_count:]), unconnected_gradients="zero")
        return tuple(
            [cotangent.to_dense() if isinstance(cotangent, IndexedSlices) else cotangent for cotangent in gradients]
        )


def results_with_gradient_to(graph: Graph, sources: Flags) -> Flags:
    """Returns for each result of a graph whether a gradient flows from it to an argument marked in ``sources``."""
    reached: set[int] = set()
    for node in graph.nodes:
        if node.kind is Kind.ARGUMENT:
            if sources[node.payload]:
                reached.add(id(node.outputs[0]))
        elif node.kind is Kind.OPERATION:
            flags = tuple([_gradient_flows(node, i) and id(x) in reached for i, x in enumerate(node.inputs)])
            if True in flags:
                values = compress(node.outputs, _outputs_with_gradient_to(node, flags))
                reached.update([id(value) for value in values if is_differentiable(value.dtype)])
    return tuple([id(value) in reached for value in graph.results])


def _outputs_with_gradient_to(node: Node, flags: Flags) -> Iterable[bool]:
    """Returns for each result of a node whether a gradient may flow from it to an input marked in ``flags``."""
    operation = node.payload
    return operation._results_with_gradient_to(flags) if isinstance(operation, ControlFlowOperation) else repeat(True)


def _gradient_flows(node: Node, position: int) -> bool:
    rule = node.payload.gradient
    return rule is not None and (type(rule) is not tuple or rule[position] is not None)
