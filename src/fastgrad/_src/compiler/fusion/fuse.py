"""Fusion: operations that one loop can compute become one node.

Groups (see group.py) grow in program order. A node joins a group that makes one of its inputs, or an open group with the same
number of elements. A node outside a group that reads one of the group's values closes the group. So all inputs of a group exist
before it runs, and all its readers come after it. The pass visits each node once. There is one exception: a reduction that does
not fit into the group of its operand does not close it; it begins a group that comes after it. Index maps that are views are
deferred until their first use: a group reads through them, other nodes need a copy.
"""

from __future__ import annotations

from math import prod

import numpy as np

from fastgrad._src.compiler.fusion.group import Group, element_count, fusible_dtype, is_reduction
from fastgrad._src.compiler.fusion.reductions import only_drops_unit_dimensions
from fastgrad._src.compiler.fusion.views import View, copy_node, has_copy_kernel, view_layouts
from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value, uses_of
from fastgrad._src.compiler.graph.interpret import interpret
from fastgrad._src.core.operation import Form
from fastgrad._src.kernels.movement.layout import Layout, contiguous

MOST_OPEN_GROUPS = 2
"""The most groups with the same number of elements that may be open at a time."""

MOST_FOLDED_INDEX_MAP_BYTES = 4096
"""Bytes up to which index maps of constants are evaluated at compile time."""

_MOST_CACHED_ELEMENTS = 65536
# Up to this number of elements any order of reads is fast.

_EXPANDING_FORMS = (Form.ELEMENTWISE, Form.INDEX_MAP)


def fuse(graph: Graph) -> Graph:
    """Returns the graph with groups of operations as FUSED nodes.

    Args:
        graph: the graph; it is not changed.
    """
    fusion = _Fusion(graph)
    for node in graph.nodes:
        fusion.add_node(node)
    fusion.finish_graph()
    return Graph(fusion.nodes, graph.results)


def fuse_between_reductions(graph: Graph) -> Graph:
    """Returns the graph with groups of operations as FUSED nodes, and each reduction alone, which keeps its order of additions.

    Args:
        graph: the graph; it is not changed.
    """
    fusion = _Fusion(graph)
    for node in graph.nodes:
        if is_reduction(node):
            fusion.close_all_groups()
        fusion.add_node(node)
        if is_reduction(node):
            fusion.close_all_groups()
    fusion.finish_graph()
    return Graph(fusion.nodes, graph.results)


class _Fusion:
    """One fusion pass over a graph.

    Attributes:
        nodes: the nodes of the new graph so far.
    """

    def __init__(self, graph: Graph) -> None:
        self.nodes: list[Node] = []
        self._results = graph.results
        self._uses = uses_of(graph)
        self._broadcast_counts = _element_counts_after_broadcasts(graph)
        self._open: dict[int, list[Group]] = {}
        self._followers: list[Group] = []
        self._serial = 0
        self._home: dict[int, Group] = {}
        self._views: dict[int, View] = {}  # of deferred values
        self._whole: dict[int, View] = {}  # of values in their own order
        self._deferred: dict[int, Node] = {}  # by deferred value: the node that would make it
        self._constants: dict[int, Node] = {}
        self._state: dict[int, object] = {}  # the variable that a value was read from

    def add_node(self, node: Node) -> None:
        """Adds the next node to a group, defers it, or adds it to the new graph."""
        if node.kind is not Kind.OPERATION:
            self._add_unfused_node(node)
            return
        if self._add_order_keeping_node(node) or self._defer_view(node):
            return
        number = fusible_dtype(node)
        if number is not False:
            bases = [self._view_of(value).base for value in node.inputs]
            for base in bases:
                if id(base) in self._deferred:
                    self._compute_value(base)
            loop_elements = prod((node.inputs if is_reduction(node) else node.outputs)[0].shape)
            for group in [*self._groups_to_join(node, loop_elements), self._new_group(loop_elements)]:
                fit = group.join_plan(node, number, self._view_of)
                apart = fit is None or (group.reduced is None and not self._is_broadcast_back(node))
                if apart and self._add_to_follower(node, number, group):
                    return
                if fit is None:
                    continue
                for base in bases:
                    self._close_group_of(base, group)
                if not group.open:  # it was closed with one of the other groups, which had to come after it
                    self.add_node(node)
                    return
                group.add(node, fit)
                self._note_results(group, node)
                return
        self._add_unfused_node(self._empty_reduction(node) or node)

    def _add_unfused_node(self, node: Node) -> None:
        if node.kind is Kind.CONSTANT:
            self._constants[id(node.outputs[0])] = node
        elif node.kind is Kind.READ:
            self._state[id(node.outputs[0])] = node.payload
        elif node.kind is Kind.ASSIGN:
            self._close_readers(node.payload)
        for value in node.inputs:
            if id(value) in self._home or id(value) in self._deferred:
                self._compute_value(value)
        self.nodes.append(node)

    def finish_graph(self) -> None:
        """Adds the nodes of all open groups and of the graph's results, after the last node of the graph."""
        self.close_all_groups()
        for value in self._results:
            self._compute_value(value)

    # ---- groups ----------------------------------------------------------------------------------------

    def _new_group(self, loop_elements: int, followed_group: Group | None = None) -> Group:
        self._serial += 1
        return Group(loop_elements, self._serial, after=followed_group)

    def _groups_to_join(self, node: Node, loop_elements: int) -> list[Group]:
        """Returns the open groups that a node may join, the best first."""
        bases = [id(self._view_of(value).base) for value in node.inputs]
        homes = [self._home[base] for base in bases if base in self._home]
        homes.sort(key=lambda group: (group.after is None, -group.count, -group.serial))
        beside = self._open.get(loop_elements, [])[::-1]
        if is_reduction(node):  # it must not fix the reduced dimensions of a group with which it shares no value
            x = self._view_of(node.inputs[0]).base
            beside = [group for group in beside if group.reduced is not None or any(x is read for read in group.reads)]
        elif loop_elements == 1 == max(self._broadcast_counts.get(id(value), 1) for value in node.outputs):
            # Scalars that are not broadcast to an array are computed with the reduced values.
            beside = [*beside, *[group for group in self._list_open_groups() if group.is_full_reduction]]
        return list({id(group): group for group in [*homes, *beside]}.values())

    def _add_to_follower(self, node: Node, number: np.dtype | bool, group: Group) -> bool:
        """Adds a reduction of a group's value to a follower, a group that runs after ``group``; True on success.

        This serves reductions of other dimensions, so that the group itself can grow. It also serves reductions whose results are not
        operands in the group, as others' results may have to be. If there are none, the two groups become one at the end. An
        operation that only the reduction reads moves with it.
        """
        x = node.inputs[0]
        if not is_reduction(node) or self._home.get(id(x)) is not group or group.steps_by_value[id(x)][1]:
            return False
        followers = [follower for follower in group.followers if follower.open]
        if len(followers) < MOST_OPEN_GROUPS:
            followers.append(self._new_group(group.count, group))
        for follower in followers:
            moved_node = group.last_node_if_only_for(x, self._uses)
            joining = (
                None if moved_node is None else follower.join_plan(moved_node, fusible_dtype(moved_node), self._view_of)
            )
            if moved_node is not None and joining is not None:
                follower.add(moved_node, joining)
            fit = follower.join_plan(node, number, self._view_of)
            if fit is not None:
                if joining is not None:
                    self._home[id(group.undo_add().outputs[0])] = follower
                follower.add(node, fit)
                self._home[id(node.outputs[0])] = follower
                if follower not in group.followers:
                    group.followers.append(follower)
                    self._followers.append(follower)
                return True
            if joining is not None:
                follower.undo_add()
        return False

    def _is_broadcast_back(self, node: Node) -> bool:
        """True if the result of a reduction is later broadcast to at least as many elements as its operand has."""
        return self._broadcast_counts.get(id(node.outputs[0]), 0) >= element_count(node.inputs[0])

    def _note_results(self, group: Group, node: Node) -> None:
        self._home[id(node.outputs[0])] = group
        if group.after is not None:
            return
        beside = self._open.setdefault(group.count, [])
        if group not in beside:
            beside.append(group)
            if len(beside) > MOST_OPEN_GROUPS:
                self._close_group(beside[0])

    def _close_group(self, group: Group) -> None:
        if group.open and group.after is not None:
            self._close_group(group.after)
        if not group.open:  # it was merged into that group
            return
        group.open = False
        if group.after is not None:
            self._followers.remove(group)
        else:
            self._open[group.count].remove(group)
        for follower in [follower for follower in group.followers if follower.open]:
            merged = group.merged_with(follower, self._view_of)
            if merged is not None:
                follower.open = False
                self._followers.remove(follower)
                group = merged
        for value in group.steps_by_value:
            del self._home[value]
        self.nodes.extend(group.to_nodes(self._uses))

    def _close_group_of(self, value: Value, except_group: Group | None = None) -> None:
        group = self._home.get(id(value))
        if group is not None and group is not except_group:
            self._close_group(group)

    def close_all_groups(self) -> None:
        """Adds the nodes of all open groups: no later node joins them."""
        for group in self._list_open_groups():
            self._close_group(group)

    def _list_open_groups(self) -> list[Group]:
        return [*[group for groups in self._open.values() for group in groups], *self._followers]

    def _close_readers(self, variable: object) -> None:
        """Closes the groups that read a variable, so that their kernels run before the variable changes."""
        for group in self._list_open_groups():
            if any(self._state.get(id(value)) is variable for value in group.reads):
                self._close_group(group)

    # ---- index maps --------------------------------------------------------------------------------------

    def _add_order_keeping_node(self, node: Node) -> bool:
        """Adds a node such as a reshape, an alias of a group's value, to the group; returns True on success."""
        group = self._home.get(id(node.inputs[0])) if node.inputs else None
        if group is None or not (node.lowering.index_map.keeps_order or only_drops_unit_dimensions(node)):
            return False
        group.add_alias(node)
        self._home[id(node.outputs[0])] = group
        return True

    def _defer_view(self, node: Node) -> bool:
        """Defers an index map whose results are views; returns True on success."""
        lowering = node.lowering
        if lowering.index_map.views is None and lowering.reducer is None:
            return False
        x = node.inputs[0]
        drops_unit_dimensions = only_drops_unit_dimensions(node)
        if not element_count(x) or (lowering.index_map.views is None and not drops_unit_dimensions):
            return False
        whole_view = View(x, contiguous(element_count(x)), ())
        for view in (self._views.get(id(x), whole_view), whole_view):
            layouts = [view.layout] if drops_unit_dimensions else view_layouts(node, view.layout) or []
            if layouts:
                for value, layout in zip(node.outputs, layouts, strict=True):
                    self._views[id(value)] = View(view.base, layout, (*view.nodes, node))
                    self._deferred[id(value)] = node
                return True
        return False

    def _view_of(self, value: Value) -> View:
        """Returns the view by which a group reads a value: of the base if its reads are near, else of the value."""
        view = self._views.get(id(value))
        if view is not None and _reads_near_elements(view.layout):
            return view
        whole_view = self._whole.get(id(value))
        if whole_view is None:
            whole_view = self._whole[id(value)] = View(value, contiguous(element_count(value)), ())
        return whole_view

    def _compute_value(self, value: Value) -> None:
        """Adds the nodes that compute a deferred value, or closes the group that computes the value."""
        self._close_group_of(value)
        node = self._deferred.get(id(value))
        if node is None:
            return
        view = self._views[id(value)]
        constant = self._constants.get(id(view.base))
        computed: tuple[Value, ...] = (value,)
        if constant is not None and element_count(value) * value.dtype.itemsize <= MOST_FOLDED_INDEX_MAP_BYTES:
            (array,) = interpret(Graph([constant, *view.nodes], [value]), ())
            new_node = Node(Kind.CONSTANT, array, (), computed)
        elif len(view.nodes) > 1 and not _reads_leading_elements(view.layout) and has_copy_kernel(view.layout, value):
            self._compute_value(view.base)
            new_node = copy_node(value, view)
        else:
            computed = tuple([y for y in node.outputs if id(y) in self._deferred])
            for x in node.inputs:
                self._compute_value(x)
            # Some of several results may have been made before: those are computed twice, and this copy is not read.
            outputs = [y if id(y) in self._deferred else Value(y.shape, y.dtype, y.number) for y in node.outputs]
            new_node = Node(node.kind, node.payload, node.inputs, tuple(outputs), node.attributes)
        for result in computed:
            del self._deferred[id(result)], self._views[id(result)]
        self.nodes.append(new_node)

    def _empty_reduction(self, node: Node) -> Node | None:
        """Returns the constant result of a reduction of no elements; None for other nodes."""
        if node.lowering.reducer is None or node.payload.form is not Form.REDUCE or element_count(node.inputs[0]):
            return None
        x, y = node.inputs[0], node.outputs[0]
        with np.errstate(all="ignore"):
            array = np.asarray(node.payload.run(np.zeros(x.shape, x.dtype), **node.attributes))
        return Node(Kind.CONSTANT, array, (), (y,))


def _element_counts_after_broadcasts(graph: Graph) -> dict[int, int]:
    """Returns for each value the largest number of elements that element-wise operations and index maps expand it to."""
    counts: dict[int, int] = {}
    for node in reversed(graph.nodes):
        if node.kind is not Kind.OPERATION or node.payload.form not in _EXPANDING_FORMS:
            continue
        for y in node.outputs:
            largest = max(element_count(y), counts.get(id(y), 0))
            for x in node.inputs:
                if largest > max(element_count(x), counts.get(id(x), 0)):
                    counts[id(x)] = largest
    return counts


def _reads_leading_elements(layout: Layout) -> bool:
    """True if a layout reads the first elements of an array in order, so that no copy is needed."""
    return layout == contiguous(layout.total)


def _reads_near_elements(layout: Layout) -> bool:
    """True if each element is read near the one before, so that no cache line is fetched twice."""
    return not layout.dims or abs(layout.dims[-1][1]) <= 1 or layout.total <= _MOST_CACHED_ELEMENTS
