"""Groups of operations that one loop computes, and how they grow.

A group iterates over a number of elements in a fixed order. An operation of a group is element-wise over them, or reduces some
of its dimensions (all reductions the same ones), or is element-wise over the reduced values. A group reads its inputs
through layouts, so that reshapes, broadcasts, slices and the like of its inputs need no operation of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.compiler.fusion.fused import Fused, Source, Step, graph_of
from fastgrad._src.compiler.fusion.reductions import drops_unit_dimensions
from fastgrad._src.compiler.fusion.scalar_code import compute_dtype
from fastgrad._src.compiler.fusion.views import View
from fastgrad._src.compiler.graph.graph import Kind, Node, Value
from fastgrad._src.compiler.passes.rewriting import operation_of
from fastgrad._src.core.operation import TABLE, Form
from fastgrad._src.kernels.movement.layout import (
    Cuts,
    Layout,
    broadcast,
    cuts_of,
    merged_dimensions,
    sizes_between_cuts,
    split_dimensions,
    strides_after_split,
    union_of_cuts,
)
from fastgrad._src.kernels.reduction.lanes import LANES

MOST_GROUP_STEPS = 64
MOST_GROUP_INPUTS = 24
MOST_GROUP_REDUCTIONS = 8
MOST_GROUP_DIMENSIONS = 4
"""Bounds of a group, which keep its values in registers or the cache, and its compilation short."""

MOST_CACHED_ELEMENTS = 1 << 16
"""The number of elements up to which reading them again hits the cache."""

MOST_ELEMENTS_OF_UNRELATED_STEPS = 1 << 12
"""Above this number of elements a map and a reduction without a common value are separate kernels: threads share more."""

ENOUGH_UNITS_FOR_THREADS = 16
"""The number of units of work that keeps threads busy."""

ReducedDimensions = tuple[tuple[int, int], ...]
"""The reduced dimensions: for each run of neighbours the strides in the flat index at which the run begins and ends."""


def element_count(value: Value) -> int:
    """Returns the number of elements of a value."""
    return prod(value.shape)


def fusible_dtype(node: Node) -> np.dtype | bool:
    """Returns the dtype in which a node computes functions; True if any dtype fits, False if none does."""
    row = operation_of(node)
    if row is None or len(node.outputs) != 1:
        return False
    output = node.outputs[0]
    if not element_count(output):
        return False
    if row.lowering.reducer is not None:
        x = node.inputs[0]
        return x.dtype in row.lowering.reducer.dtypes and element_count(x) > 0
    if row.form is not Form.ELEMENTWISE:
        return False
    return compute_dtype(row.name, tuple([value.dtype for value in node.inputs]), output.dtype, node.attributes)


def is_reduction(node: Node) -> bool:
    """True if a node is a reduction of at least one dimension of size above 1."""
    return node.lowering.reducer is not None and not drops_unit_dimensions(node)


def cuts_and_reduced_dimensions(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[Cuts, ReducedDimensions]:
    """Returns the strides at which a reduction cuts the flat index into dimensions, and the reduced dimensions."""
    runs: list[tuple[int, bool]] = []
    for axis in range(len(shape) - 1, -1, -1):
        if shape[axis] == 1:
            continue
        if runs and runs[-1][1] == (axis in axes):
            runs[-1] = runs[-1][0] * shape[axis], runs[-1][1]
        else:
            runs.append((shape[axis], axis in axes))
    below, cuts, reduced = 1, [], []
    for size, goes in runs:
        if goes:
            reduced.append((below, below * size))
        below *= size
        cuts.append(below)
    return tuple(cuts[:-1]), tuple(reduced)


class _JoinPlan(NamedTuple):
    """The changes of a group that adding a node would make."""

    kept: bool
    cuts: Cuts
    reduced: ReducedDimensions | None
    reads: list[tuple[Value, Layout, tuple[Node, ...]] | tuple[int, tuple[Node, ...]]]
    number: np.dtype | None


@dataclass(eq=False)
class Group:
    """A group of operations under construction.

    Attributes:
        count: elements of the loop.
        serial: the number of the group, in the order of creation.
        steps_by_value: for each value that it makes the number of the step, and whether it is a reduced value.
        steps: the nodes, without index maps.
        open: whether it may still grow.
        after: a group that must run before this one, open or closed.
        followers: the groups whose ``after`` is this one.
    """

    count: int
    serial: int
    cuts: Cuts = ()
    reduced: ReducedDimensions | None = None
    steps_by_value: dict[int, tuple[int, bool]] = field(default_factory=dict)
    steps: list[Node] = field(default_factory=list)
    open: bool = True
    after: Group | None = None
    followers: list[Group] = field(default_factory=list)
    _nodes: list[Node] = field(default_factory=list)
    _known: set[int] = field(default_factory=set)
    _values: list[Value] = field(default_factory=list)
    _layouts: list[tuple[Layout, bool]] = field(default_factory=list)
    _inputs: dict[tuple[int, Layout, bool], int] = field(default_factory=dict)
    _reads: list[list[tuple[str, int]]] = field(default_factory=list)
    _same: list[list[Value]] = field(default_factory=list)
    _number: np.dtype | None = None
    _reduction_count: int = 0
    _before: list[tuple[Any, ...]] = field(default_factory=list)
    _taken: list[tuple[Node, bool]] = field(default_factory=list)

    @property
    def kept_count(self) -> int:
        """The number of elements that are left after the reduction."""
        return self.count // prod([high // low for low, high in self.reduced or ()])

    @property
    def is_full_reduction(self) -> bool:
        """True if the group reduces all dimensions to single numbers."""
        return self.count > 1 == self.kept_count

    def join_plan(
        self, node: Node, function_dtype: np.dtype | bool, view_of: Callable[[Value], View]
    ) -> _JoinPlan | None:
        """Returns the changes by which a node can join the group; None if the node can't join.

        Args:
            node: a node that can be in a group.
            function_dtype: the result of ``fusible_dtype`` for it.
            view_of: returns the view by which a value from outside is read.
        """
        if len(self.steps) >= MOST_GROUP_STEPS:
            return None
        reduces = is_reduction(node)
        shape = node.inputs[0].shape if reduces else node.outputs[0].shape
        count = prod(shape)
        kept = count != self.count
        if kept and (reduces or self.reduced is None or count != self.kept_count):
            return None
        if kept and any(not self.steps_by_value.get(id(value), (0, True))[1] for value in node.inputs):
            return None
        compute_dtype = function_dtype if isinstance(function_dtype, np.dtype) else None
        if compute_dtype is not None and self._number not in {None, compute_dtype}:
            return None
        cuts: Cuts | None = self.cuts
        reduced = self.reduced
        if reduces:
            reduction_cuts, reduced_dims = cuts_and_reduced_dimensions(shape, node.attributes["axes"])
            if reduced not in {None, reduced_dims} or self._reduction_count >= MOST_GROUP_REDUCTIONS:
                return None
            reduced = reduced_dims
            cuts = union_of_cuts(self.cuts, reduction_cuts)
        reads_and_cuts = self._reads_of(node, shape, kept, cuts, view_of)
        if reads_and_cuts is None:
            return None
        reads, cuts = reads_and_cuts
        if (
            self.count > MOST_ELEMENTS_OF_UNRELATED_STEPS
            and reduces != (self.reduced is not None)
            and self._shares_no_value(reads)
        ):
            return None
        return _JoinPlan(kept, cuts, reduced, reads, compute_dtype)

    def _reads_of(
        self, node: Node, shape: tuple[int, ...], kept: bool, cuts: Cuts | None, view_of: Callable[[Value], View]
    ) -> tuple[list[Any], Cuts] | None:
        """Returns how a node reads its inputs in a loop of ``shape``, and the cuts with theirs; None if the loop can't."""
        reads: list[Any] = []
        fresh = 0
        for value in node.inputs:
            home = self.steps_by_value.get(id(value))
            if home is not None and home[1] == kept:
                reads.append((home[0], ()))
                continue
            view = view_of(value)
            layout = broadcast(view.layout, value.shape, shape)
            if layout is None or cuts is None:
                return None
            home = self.steps_by_value.get(id(view.base))
            if home is not None:
                if kept or not home[1] or not self._is_broadcast_back(layout):
                    return None
                reads.append((home[0], view.nodes))
                continue
            if not kept:
                cuts = union_of_cuts(cuts, cuts_of([size for size, _ in layout.dims]))
            elif split_dimensions(layout.dims, self._kept_sizes()) is None:
                return None
            fresh += (id(view.base), layout, kept) not in self._inputs
            reads.append((view.base, layout, view.nodes))
        if cuts is None or len(cuts) >= MOST_GROUP_DIMENSIONS or len(self._values) + fresh > MOST_GROUP_INPUTS:
            return None
        return reads, cuts

    def _shares_no_value(self, node_reads: Sequence[Any]) -> bool:
        """True if the group has steps, and ``node_reads`` contain no value that the group reads or computes."""
        own_values = {id(value) for value in self._values}
        return bool(self.steps) and all(len(read) == 3 and id(read[0]) not in own_values for read in node_reads)

    def _is_broadcast_back(self, layout: Layout) -> bool:
        """True if a layout broadcasts a reduced value back to its elements, and one kernel does both fast.

        It is fast if these elements are still in the cache at the second read; a large group also needs enough units of work.
        """
        if len(self.reduced or ()) != 1:
            return False
        sizes, roles = self._dims()
        units, unit_size = self.kept_count, self.count // self.kept_count
        if roles[-1] == "k":  # tiles of the innermost dimension
            units = units // sizes[-1] * -(-sizes[-1] // LANES)
            unit_size *= min(sizes[-1], LANES)
        if self.count > MOST_CACHED_ELEMENTS and (unit_size > MOST_CACHED_ELEMENTS or units < ENOUGH_UNITS_FOR_THREADS):
            return False
        dims = []
        below = 1
        for size, role in reversed(list(zip(sizes, roles, strict=True))):
            dims.append((size, below if role == "k" else 0))
            below *= size if role == "k" else 1
        return layout == Layout(0, merged_dimensions(reversed(dims)))

    def _kept_sizes(self) -> tuple[int, ...]:
        return tuple([size for size, role in zip(*self._dims(), strict=True) if role == "k"])

    def _dims(self) -> tuple[tuple[int, ...], str]:
        sizes = sizes_between_cuts(self.cuts, self.count)
        if not self.reduced:
            return sizes, "k" * len(sizes)
        bounds = (1, *self.cuts, self.count)[::-1]
        pairs = list(zip(bounds[1:], bounds, strict=False))
        roles = ["r" if any(low <= a and b <= high for low, high in self.reduced) else "k" for a, b in pairs]
        return sizes, "".join(roles)

    def add(self, node: Node, plan: _JoinPlan) -> None:
        """Adds a node by the changes that ``join_plan`` returned."""
        sizes = len(self._values), len(self._nodes)
        self._before.append((self.cuts, self.reduced, self._number, self._reduction_count, *sizes))
        reads: list[tuple[str, int]] = []
        for value, read in zip(node.inputs, plan.reads, strict=True):
            if len(read) == 2:
                reads.append(("step", read[0]))
                self._add_nodes(*read[1])
                continue
            base, layout, nodes = read
            key = id(base), layout, plan.kept
            if key not in self._inputs:
                self._inputs[key] = len(self._values)
                self._values.append(base)
                self._layouts.append((layout, plan.kept))
            reads.append(("input", self._inputs[key]))
            self._add_nodes(*nodes)
            assert nodes or value is base
        reduces = is_reduction(node)
        self.cuts, self.reduced = plan.cuts, plan.reduced
        self._number = self._number if plan.number is None else plan.number
        self._reduction_count += reduces
        self.steps_by_value[id(node.outputs[0])] = len(self.steps), plan.kept or reduces
        self.steps.append(node)
        self._taken.append((node, True))
        self._same.append([node.outputs[0]])
        self._add_nodes(node)
        self._reads.append(reads)

    def add_alias(self, node: Node) -> None:
        """Adds a reshape of a value of the group: an alias with the same elements in the same order."""
        self.steps_by_value[id(node.outputs[0])] = step_entry = self.steps_by_value[id(node.inputs[0])]
        self._same[step_entry[0]].append(node.outputs[0])
        self._taken.append((node, False))
        self._add_nodes(node)

    def undo_add(self) -> Node:
        """Undoes the last addition of a node to the group; nothing else may have been added since."""
        node = self.steps.pop()
        self._taken.pop()
        self.cuts, self.reduced, self._number, self._reduction_count, values, nodes = self._before.pop()
        for value, (layout, kept) in zip(self._values[values:], self._layouts[values:], strict=True):
            del self._inputs[id(value), layout, kept]
        self._known.difference_update(map(id, self._nodes[nodes:]))
        del self._values[values:], self._layouts[values:], self._nodes[nodes:]
        del self.steps_by_value[id(node.outputs[0])]
        self._same.pop()
        self._reads.pop()
        return node

    def merged_with(self, other: Group, view_of: Callable[[Value], View]) -> Group | None:
        """Returns a new group with the nodes of two groups; None if they can't be one group."""
        if self.reduced not in {None, other.reduced}:
            return None
        merged = Group(self.count, self.serial)
        for node, adds in (*self._taken, *other._taken):
            if not adds:
                merged.add_alias(node)
                continue
            fit = merged.join_plan(node, fusible_dtype(node), view_of)
            if fit is None:
                return None
            merged.add(node, fit)
        return merged

    def last_node_if_only_for(self, value: Value, uses: Counter[int]) -> Node | None:
        """Returns the last added node if it computes ``value``, element-wise, for a single reader; else None."""
        node = self.steps[-1]
        makes_value = node.outputs[0] is value and not self.steps_by_value[id(value)][1] and self._nodes[-1] is node
        return node if makes_value and uses[id(value)] == 1 and len(self.steps) > 1 else None

    def _add_nodes(self, *nodes: Node) -> None:
        for node in nodes:
            if id(node) not in self._known:
                self._known.add(id(node))
                self._nodes.append(node)

    @property
    def reads(self) -> list[Value]:
        """The values that the group reads from outside."""
        return self._values

    def to_nodes(self, uses: Counter[int]) -> list[Node]:
        """Returns the group as a FUSED node and reshapes of its results; an empty list if no result is read.

        Args:
            uses: how often each value is read, by nodes and as a result.
        """
        inside = Counter([id(value) for node in self._nodes for value in node.inputs])
        input_count = len(self._values)
        steps = tuple(
            Step(
                node.payload,
                tuple([i if kind == "input" else input_count + i for kind, i in reads]),
                node.attributes,
                tuple([value.dtype for value in node.inputs]),
                node.outputs[0].dtype,
                self.steps_by_value[id(node.outputs[0])][1],
                is_reduction(node),
            )
            for node, reads in zip(self.steps, self._reads, strict=True)
        )
        needed: set[int] = set()  # inputs of index maps in the group whose results are read outside
        for node in reversed(self._nodes):
            if id(node.outputs[0]) in self.steps_by_value:
                continue
            if any(uses[id(value)] > inside[id(value)] or id(value) in needed for value in node.outputs):
                needed.update(map(id, node.inputs))
        numbers: list[int] = []
        outputs: list[Value] = []
        reshapes: list[Node] = []
        for number, equal_values in enumerate(self._same):
            read_values = [
                value for value in equal_values if uses[id(value)] > inside[id(value)] or id(value) in needed
            ]
            if read_values:
                numbers.append(input_count + number)
                outputs.append(read_values[0])
                reshapes += [reshape_node(read_values[0], value) for value in read_values[1:]]
        if not outputs:
            return []
        sizes, roles = self._dims()
        kept_sizes = self._kept_sizes()
        values = list(dict.fromkeys(self._values))
        position = {id(value): i for i, value in enumerate(values)}
        sources = tuple(
            Source(
                position[id(value)],
                layout.offset,
                strides_after_split(layout, kept_sizes if kept else sizes),
                value.dtype,
                kept,
            )
            for value, (layout, kept) in zip(self._values, self._layouts, strict=True)
        )
        payload = Fused(
            sizes,
            roles,
            sources,
            steps,
            tuple(numbers),
            self._number or np.dtype(np.float32),
            graph_of(self._nodes, values, outputs),
        )
        return [Node(Kind.FUSED, payload, tuple(values), tuple(outputs)), *reshapes]


def reshape_node(x: Value, y: Value) -> Node:
    """Returns the node that reshapes ``x`` to ``y``, which has the same elements."""
    return Node(Kind.OPERATION, TABLE["reshape"], (x,), (y,), {"shape": y.shape})
