"""Programs of backward passes over tapes; see ``core/repeated_backward.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from fastgrad._src.compiler.dispatch.locking import LOCK_NOT_FREE, run_under_recording_lock
from fastgrad._src.compiler.graph.graph import Graph, Kind, Node
from fastgrad._src.compiler.programs.pipeline import optimize_for_tapes
from fastgrad._src.compiler.programs.program import Program
from fastgrad._src.compiler.recording.record import Recording
from fastgrad._src.core.backward import TapeEntry, backward_pass
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.tensor import Tensor, scalars

MOST_ARENA_BYTES = 128 << 20
"""The most working memory of a program; beyond it the Python of gradient rules takes little of the time."""


class NotAProgram(Exception):
    """Raised for a backward pass that only Python can run."""


class BackwardProgram:
    """A program with the results of a backward pass.

    Args:
        program: of arrays.
        numbers: the tensors of the tape that it takes, by their numbers.
        results: for each source of gradients where its gradient comes from: a function of the computed
            tensors and those of the tape; None without a gradient.
    """

    def __init__(self, program: Program, numbers: list[int], results: list[Any]) -> None:
        self._replay, self._numbers, self._results = program.replay, numbers, results

    def __call__(self, tensors: Sequence[Tensor]) -> list[Any]:
        """Returns the gradients for the tensors of a tape."""
        computed = [Tensor(array) for array in self._replay([tensors[number]._array for number in self._numbers])[1]]
        return [None if source is None else source(computed, tensors) for source in self._results]


class _Computed(NamedTuple):
    number: int

    def __call__(self, computed: Sequence[Tensor], tensors: Sequence[Tensor]) -> Tensor:
        return computed[self.number]


class _OnTape(NamedTuple):
    number: int

    def __call__(self, computed: Sequence[Tensor], tensors: Sequence[Tensor]) -> Tensor:
        return tensors[self.number]


class _Constant(NamedTuple):
    tensor: Tensor

    def __call__(self, computed: Sequence[Tensor], tensors: Sequence[Tensor]) -> Tensor:
        return self.tensor


class _Slices(NamedTuple):
    parts: list[Any]

    def __call__(self, computed: Sequence[Tensor], tensors: Sequence[Tensor]) -> IndexedSlices:
        return IndexedSlices(*[part(computed, tensors) for part in self.parts])


def make_backward_program(
    entries: list[TapeEntry], targets: list[Tensor], keys: list[list[int]], tensors: list[Tensor]
) -> tuple[Any, int]:
    """Returns a function from the tensors of a tape to its gradients, and the bytes of its working memory.

    Args:
        entries, targets, keys: as for ``backward_pass``; all weights are ones.
        tensors: all tensors of the tape.
    """

    def gradient_rules(now: Sequence[Tensor]) -> list[Any]:
        raise NotAProgram

    try:
        made = run_under_recording_lock(lambda: _compiled(entries, targets, keys, tensors))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  # whatever stops the compiler, the gradient rules go on
        return gradient_rules, 0
    return (gradient_rules, 0) if made is LOCK_NOT_FREE else made


def _compiled(
    entries: list[TapeEntry], targets: list[Tensor], keys: list[list[int]], tensors: list[Tensor]
) -> tuple[BackwardProgram, int]:
    if not all(TABLE.get(operation.name) is operation for operation, *_ in entries):
        raise NotAProgram  # gradients of users may do anything
    shared_scalars = {id(scalar) for scalar in list(scalars.values())}
    copies = {id(x): Tensor(x._array) for x in tensors if id(x) in shared_scalars}
    if copies:
        entries, targets, keys, tensors = _copy_shared_scalars(copies, entries, targets, keys, tensors)
    recording = Recording(tensors)
    with recording:
        gradients = backward_pass(entries, targets, keys)
        numbers = {id(tensor): number for number, tensor in enumerate(tensors)}
        computed: dict[int, Tensor] = {}

        def source_of(x: Any) -> Any:
            if x is None:
                return None
            if type(x) is IndexedSlices:
                return _Slices([source_of(part) for part in (x.values, x.indices, x.dense_shape) if part is not None])
            if id(x) in numbers:
                return _OnTape(numbers[id(x)])
            if recording.is_constant_result(x):
                return _Constant(x)
            if id(x) not in computed:
                computed[id(x)] = x
            return _Computed(list(computed).index(id(x)))

        results = [source_of(x) for x in gradients]
        graph = recording.graph(list(computed.values()))
    shared_scalars = {id(scalar) for scalar in list(scalars.values())}
    if any(id(tensor) not in shared_scalars for tensor in recording.captured):
        raise NotAProgram  # a rule reads a tensor that is not on the tape
    graph, used = with_used_arguments(graph, tensors)
    if not all(_is_replayable(node) for node in graph.nodes):
        raise NotAProgram
    program = Program(graph, optimize=optimize_for_tapes)
    if program.arena_bytes > MOST_ARENA_BYTES:
        raise NotAProgram
    return BackwardProgram(program, used, results), program.arena_bytes


def _copy_shared_scalars(
    copies: Mapping[int, Tensor],
    entries: list[TapeEntry],
    targets: list[Tensor],
    keys: list[list[int]],
    tensors: list[Tensor],
) -> tuple[list[TapeEntry], list[Tensor], list[list[int]], list[Tensor]]:
    """Returns the entries, targets, keys and tensors of a tape with copies of shared scalars.

    A scalar of the program, which may be another number in the next run, and an equal constant of a gradient rule are one
    tensor in the cache. Here they are two.

    Args:
        copies: by the ids of the tensors in the cache.
    """
    return (
        [
            (operation, tuple([copies.get(id(x), x) for x in inputs]), outputs, attributes)
            for operation, inputs, outputs, attributes in entries
        ],
        [copies.get(id(x), x) for x in targets],
        [[id(copies[key]) if key in copies else key for key in group] for group in keys],
        [copies.get(id(x), x) for x in tensors],
    )


def _is_replayable(node: Node) -> bool:
    if node.kind is not Kind.OPERATION:
        return node.kind in {Kind.ARGUMENT, Kind.CONSTANT}
    return TABLE.get(node.payload.name) is node.payload and not (node.is_collective or node.has_effect)


def with_used_arguments(graph: Graph, tensors: Sequence[Tensor]) -> tuple[Graph, list[int]]:
    """Returns the graph without arguments that nothing reads, and the old numbers of the others, the positions of their tensors."""
    read = {id(value) for node in graph.nodes for value in node.inputs} | {id(value) for value in graph.results}
    used: list[int] = []
    nodes = []
    for node in graph.nodes:
        if node.kind is Kind.ARGUMENT:
            if id(node.outputs[0]) not in read:
                continue
            used.append(node.payload)
            is_strided = not tensors[used[-1]]._array.flags.c_contiguous
            node = replace(node, payload=len(used) - 1, attributes={"is_strided": True} if is_strided else {})
        nodes.append(node)
    return Graph(nodes, graph.results), used
