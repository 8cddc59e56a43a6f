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

from fastgrad.compiler.fusion.combining import REDUCTIONS, is_copy_of_ones
from fastgrad.compiler.fusion.group import Group, count_of, is_reduction, reads_directly
from fastgrad.compiler.fusion.views import View, can_be_copied, copied, keeps_order, views_of
from fastgrad.compiler.graph.graph import Graph, Kind, Node, Value, uses_of
from fastgrad.compiler.graph.interpret import interpret
from fastgrad.compiler.passes.rewriting import row_name
from fastgrad.kernels.movement.layout import Layout, contiguous
from fastgrad.operation import Form

MOST_OPEN = 2
"""The most groups with the same number of elements that may be open at a time."""

SMALL = 4096
"""Bytes up to which index maps of constants are evaluated at compile time."""

_NEAR = 65536
# Up to this number of elements any order of reads is fast.


def fuse(graph: Graph) -> Graph:
    """Returns the graph with groups of operations as FUSED nodes.

    Args:
        graph: the graph; it is not changed.
    """
    fusion = _Fusion(graph)
    for node in graph.nodes:
        fusion.take(node)
    fusion.end()
    return Graph(fusion.nodes, graph.results)


class _Fusion:
    """One pass over a graph.

    Attributes:
        nodes: the nodes of the new graph so far.
    """

    def __init__(self, graph: Graph) -> None:
        self.nodes: list[Node] = []
        self._results = graph.results
        self._uses = uses_of(graph)
        self._leads_to = _largest_counts(graph)
        self._open: dict[int, list[Group]] = {}
        self._followers: list[Group] = []
        self._serial = 0
        self._home: dict[int, Group] = {}
        self._views: dict[int, View] = {}  # of deferred values
        self._whole: dict[int, View] = {}  # of values in their own order
        self._put_off: dict[int, Node] = {}  # by deferred value: the node that would make it
        self._constants: dict[int, Node] = {}
        self._state: dict[int, object] = {}  # the variable that a value was read from

    def take(self, node: Node) -> None:
        """Processes the next node."""
        if node.kind is not Kind.OPERATION:
            self._take_as_it_is(node)
            return
        if self._joins_in_order(node) or self._is_put_off(node):
            return
        number = reads_directly(node)
        if number is not False:
            bases = [self._read(value).base for value in node.inputs]
            for base in bases:
                if id(base) in self._put_off:
                    self._need(base)
            for group in [*self._candidates(node), self._new(prod(_loop_shape(node)))]:
                found = group.joining(node, number, self._read)
                apart = found is None or (group.reduced is None and not self._goes_back(node))
                if apart and self._follows(node, number, group):
                    return
                if found is None:
                    continue
                for base in bases:
                    self._close_home(base, group)
                if not group.open:  # it was closed with one of the other groups, which had to come after it
                    self.take(node)
                    return
                group.add(node, found)
                self._enter(group, node)
                return
        self._take_as_it_is(self._of_nothing(node) or node)

    def _take_as_it_is(self, node: Node) -> None:
        if node.kind is Kind.CONSTANT:
            self._constants[id(node.outputs[0])] = node
        elif node.kind is Kind.READ:
            self._state[id(node.outputs[0])] = node.payload
        elif node.kind is Kind.ASSIGN:
            self._close_readers(node.payload)
        for value in node.inputs:
            if id(value) in self._home or id(value) in self._put_off:
                self._need(value)
        self.nodes.append(node)

    def end(self) -> None:
        """Closes all groups after the last node."""
        self._close_all()
        for value in self._results:
            self._need(value)

    # ---- groups ----------------------------------------------------------------------------------------

    def _new(self, count: int, after: Group | None = None) -> Group:
        self._serial += 1
        return Group(count, self._serial, after=after)

    def _candidates(self, node: Node) -> list[Group]:
        """Returns the open groups that a node may join, the best first."""
        bases = [id(self._read(value).base) for value in node.inputs]
        found = [self._home[base] for base in bases if base in self._home]
        found.sort(key=lambda group: (group.after is None, -group.count, -group.serial))
        beside = self._open.get(prod(_loop_shape(node)), [])[::-1]
        if is_reduction(node):  # it must not fix the reduced dimensions of a group with which it shares no value
            x = self._read(node.inputs[0]).base
            beside = [group for group in beside if group.reduced is not None or any(x is read for read in group.reads)]
        elif prod(_loop_shape(node)) == 1 == max(self._leads_to.get(id(value), 1) for value in node.outputs):
            # Scalars that are not broadcast to an array are computed with the reduced values.
            beside = [*beside, *[group for group in self._all_open() if group.leaves_one]]
        return list({id(group): group for group in [*found, *beside]}.values())

    def _follows(self, node: Node, number: np.dtype | bool, group: Group) -> bool:
        """Adds a reduction of a group's value to another group, which comes after that group.

        This serves reductions of other dimensions, so that the group itself can grow. It also serves reductions whose results are not
        operands in the group, as others' results may have to be. If there are none, the two groups become one at the end. An
        operation that only the reduction reads moves with it.
        """
        x = node.inputs[0]
        if not is_reduction(node) or self._home.get(id(x)) is not group or group.made[id(x)][1]:
            return False
        followers = [other for other in group.followers if other.open]
        if len(followers) < MOST_OPEN:
            followers.append(self._new(group.count, group))
        for other in followers:
            moved = group.last_for(x, self._uses)
            joining = None if moved is None else other.joining(moved, reads_directly(moved), self._read)
            if moved is not None and joining is not None:
                other.add(moved, joining)
            found = other.joining(node, number, self._read)
            if found is not None:
                if joining is not None:
                    self._home[id(group.take_back().outputs[0])] = other
                other.add(node, found)
                self._home[id(node.outputs[0])] = other
                if other not in group.followers:
                    group.followers.append(other)
                    self._followers.append(other)
                return True
            if joining is not None:
                other.take_back()
        return False

    def _goes_back(self, node: Node) -> bool:
        """True if the result of a reduction is later broadcast to at least as many elements as its operand has."""
        return self._leads_to.get(id(node.outputs[0]), 0) >= count_of(node.inputs[0])

    def _enter(self, group: Group, node: Node) -> None:
        self._home[id(node.outputs[0])] = group
        if group.after is not None:
            return
        beside = self._open.setdefault(group.count, [])
        if group not in beside:
            beside.append(group)
            if len(beside) > MOST_OPEN:
                self._close(beside[0])

    def _close(self, group: Group) -> None:
        if group.open and group.after is not None:
            self._close(group.after)
        if not group.open:  # it was merged into that group
            return
        group.open = False
        if group.after is not None:
            self._followers.remove(group)
        else:
            self._open[group.count].remove(group)
        for other in [other for other in group.followers if other.open]:
            both = group.with_all_of(other, self._read)
            if both is not None:
                other.open = False
                self._followers.remove(other)
                group = both
        for value in group.made:
            del self._home[value]
        self.nodes.extend(group.finished(self._uses))

    def _close_home(self, value: Value, but: Group | None = None) -> None:
        group = self._home.get(id(value))
        if group is not None and group is not but:
            self._close(group)

    def _close_all(self) -> None:
        for group in self._all_open():
            self._close(group)

    def _all_open(self) -> list[Group]:
        return [*[group for groups in self._open.values() for group in groups], *self._followers]

    def _close_readers(self, variable: object) -> None:
        """Closes groups that read a variable, so that they run before it changes."""
        for group in self._all_open():
            if any(self._state.get(id(value)) is variable for value in group.reads):
                self._close(group)

    # ---- index maps --------------------------------------------------------------------------------------

    def _joins_in_order(self, node: Node) -> bool:
        """Adds a node that returns the elements of a group's value in the same order; returns whether it did."""
        group = self._home.get(id(node.inputs[0])) if node.inputs else None
        if group is None or not (keeps_order(node) or is_copy_of_ones(node)):
            return False
        group.add_same(node)
        self._home[id(node.outputs[0])] = group
        return True

    def _is_put_off(self, node: Node) -> bool:
        """Defers an index map whose results are views; returns whether it did."""
        if node.kind is not Kind.OPERATION or (node.payload.views is None and node.payload.name not in REDUCTIONS):
            return False
        x = node.inputs[0]
        if not count_of(x) or (node.payload.views is None and not is_copy_of_ones(node)):
            return False
        whole = View(x, contiguous(count_of(x)), ())
        for view in (self._views.get(id(x), whole), whole):
            if is_copy_of_ones(node):
                found = [view.layout]
            else:
                found = views_of(node, view.layout) or []
            if found:
                for value, layout in zip(node.outputs, found, strict=True):
                    self._views[id(value)] = View(view.base, layout, (*view.nodes, node))
                    self._put_off[id(value)] = node
                return True
        return False

    def _read(self, value: Value) -> View:
        """Returns how a group reads a value from outside."""
        view = self._views.get(id(value))
        if view is not None and _is_near(view.layout):
            return view
        whole = self._whole.get(id(value))
        if whole is None:
            whole = self._whole[id(value)] = View(value, contiguous(count_of(value)), ())
        return whole

    def _need(self, value: Value) -> None:
        """Ensures that a value is computed."""
        self._close_home(value)
        node = self._put_off.get(id(value))
        if node is None:
            return
        view = self._views[id(value)]
        constant = self._constants.get(id(view.base))
        made: tuple[Value, ...] = (value,)
        if constant is not None and count_of(value) * value.dtype.itemsize <= SMALL:
            (array,) = interpret(Graph([constant, *view.nodes], [value]), ())
            found = Node(Kind.CONSTANT, array, (), made)
        elif len(view.nodes) > 1 and not _begins(view.layout) and can_be_copied(view.layout, value):
            self._need(view.base)
            found = copied(value, view)
        else:
            made = tuple([y for y in node.outputs if id(y) in self._put_off])
            for x in node.inputs:
                self._need(x)
            # Some of several results may have been made before: those are computed twice, and this copy is not read.
            outputs = [y if id(y) in self._put_off else Value(y.shape, y.dtype, y.number) for y in node.outputs]
            found = Node(node.kind, node.payload, node.inputs, tuple(outputs), node.attributes)
        for result in made:
            del self._put_off[id(result)], self._views[id(result)]
        self.nodes.append(found)

    def _of_nothing(self, node: Node) -> Node | None:
        """Returns the constant result of a reduction of no elements; None for other nodes."""
        if row_name(node) not in REDUCTIONS or node.payload.form is not Form.REDUCE or count_of(node.inputs[0]):
            return None
        x, y = node.inputs[0], node.outputs[0]
        with np.errstate(all="ignore"):
            array = np.asarray(node.payload.run(np.zeros(x.shape, x.dtype), **node.attributes))
        return Node(Kind.CONSTANT, array, (), (y,))


def _largest_counts(graph: Graph) -> dict[int, int]:
    """Returns for each value the largest number of elements that element-wise operations and index maps expand it to."""
    found: dict[int, int] = {}
    for node in reversed(graph.nodes):
        if node.kind is not Kind.OPERATION or node.payload.form not in {Form.ELEMENTWISE, Form.INDEX_MAP}:
            continue
        for y in node.outputs:
            most = max(count_of(y), found.get(id(y), 0))
            for x in node.inputs:
                if most > max(count_of(x), found.get(id(x), 0)):
                    found[id(x)] = most
    return found


def _loop_shape(node: Node) -> tuple[int, ...]:
    return node.inputs[0].shape if is_reduction(node) else node.outputs[0].shape


def _begins(layout: Layout) -> bool:
    """True if the elements are the first ones of an array, in order: then nothing is copied."""
    return layout == contiguous(layout.total)


def _is_near(layout: Layout) -> bool:
    """True if each element is read near the one before, so that no cache line is fetched twice."""
    return not layout.dims or abs(layout.dims[-1][1]) <= 1 or layout.total <= _NEAR
