"""Updates of large variables are expanded into their arithmetic, where that is fused with what makes the gradient.

An optimizer's update of all variables is one kernel. But a gradient that is computed element by element, and that does not
fit the caches, would be written to memory for it, and read from there again. Its update goes into the loop that makes it.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from fastgrad.kernels.updating.optimizers import FLOATS, RULES, UpdateRule
from fastgrad.operation import Form
from fastgrad.trace.graphs.graph import Graph, Kind, Node, Value, uses_of
from fastgrad.trace.passes.expand_composites import Parts
from fastgrad.trace.passes.rewriting import row_name

LARGE = 1 << 20
"""Bytes of a gradient from which on it is worth it."""

_PREFIX = "one_minus_"


def expand_updates(graph: Graph) -> Graph:
    """The graph with updates of such variables as operations of elements; bit for bit the same.

    Args:
        graph: left as it is.
    """
    if not any(row_name(node) == "apply_update" for node in graph.nodes):
        return graph
    uses = uses_of(graph)
    by_element = {
        id(value)
        for node in graph.nodes
        if node.kind is Kind.OPERATION and node.payload.form is Form.ELEMENTWISE
        for value in node.outputs
    }

    def expanded(update: Node, gradient: Value) -> list[Node] | None:
        worth = id(gradient) in by_element and uses[id(gradient)] == 1 and _is_large(gradient)
        return _expanded(update) if worth and is_expandable(update.attributes["rule"]) else None

    return with_updates_apart(graph, expanded)


def with_updates_apart(graph: Graph, apart: Callable[[Node, Value], list[Node] | None]) -> Graph:
    """The graph with the updates of some variables in front of that of all others.

    Args:
        graph: left as it is; so are updates that scale their gradients.
        apart: from the update of one variable, and its gradient, to the nodes that stand for it; None to leave it with the others.
    """
    nodes: list[Node] = []
    for node in graph.nodes:
        if row_name(node) != "apply_update" or node.attributes.get("scaled"):
            nodes.append(node)
            continue
        count, kinds = node.attributes["count"], len(RULES[node.attributes["rule"]].state)
        rest = []
        for i in range(count):
            found = apart(_only_some(node, [i]), node.inputs[kinds * count + i])
            if found is None:
                rest.append(i)
            else:
                nodes += found
        if rest:
            nodes.append(_only_some(node, rest) if len(rest) < count else node)
    return Graph(nodes, graph.results)


def _is_large(gradient: Value) -> bool:
    return gradient.dtype.name in FLOATS and prod(gradient.shape) * gradient.dtype.itemsize >= LARGE


def _only_some(node: Node, chosen: list[int]) -> Node:
    """The update of some of the variables."""
    count = node.attributes["count"]
    lists = len(RULES[node.attributes["rule"]].state) + 1
    inputs = [node.inputs[k * count + i] for k in range(lists) for i in chosen]
    outputs = [node.outputs[k * count + i] for k in range(lists - 1) for i in chosen]
    attributes = node.attributes | {"count": len(chosen)}
    return Node(node.kind, node.payload, (*inputs, *node.inputs[lists * count :]), tuple(outputs), attributes)


def _expanded(node: Node) -> list[Node]:
    """The update of one variable as operations of elements."""
    rule = RULES[node.attributes["rule"]]
    lists = len(rule.state) + 1
    parts = Parts(node.outputs[0].number)
    state = node.inputs[:lists]
    numbers = dict(zip(rule.given, node.inputs[lists:], strict=True))
    hyper = [_Number(parts, _hyperparameter(parts, name, numbers, state[0].dtype)) for name in rule.hyper]
    found = _formula(rule)(*[_Number(parts, value) for value in state], *hyper)
    given: dict[int, Value] = {}
    for k, number in enumerate(found if isinstance(found, tuple) else (found,)):
        given[id(number.value)] = node.outputs[k]

    def renamed(values: tuple[Value, ...]) -> tuple[Value, ...]:
        return tuple([given.get(id(value), value) for value in values])

    return [replace(one, inputs=renamed(one.inputs), outputs=renamed(one.outputs)) for one in parts.nodes]


def _hyperparameter(parts: Parts, name: str, numbers: dict[str, Value], dtype: np.dtype) -> Value:
    """What the kernels make of a number that they are given: a difference is taken in float64."""
    value = numbers[name.removeprefix(_PREFIX)]
    if name.startswith(_PREFIX):
        value = parts.of("subtract", parts.number(1.0, value.dtype), value, shape=())
    return value if value.dtype == dtype else parts.of("cast", value, shape=(), to=dtype, dtype=dtype)


class _RefusedError(Exception):
    """A formula does what element-wise operations are not written for."""


class _Number:
    """A number of a formula: its arithmetic is written down."""

    def __init__(self, parts: Parts, value: Value) -> None:
        self.parts = parts
        self.value = value

    def of(self, row: str, *others: _Number, dtype: np.dtype | None = None) -> _Number:
        """The number that a row of the table makes of this one and others."""
        values = (self.value, *[other.value for other in others])
        shape = np.broadcast_shapes(*[value.shape for value in values])
        return _Number(self.parts, self.parts.of(row, *values, shape=shape, to=dtype))

    def __add__(self, other: _Number) -> _Number:
        return self.of("add", other)

    def __sub__(self, other: _Number) -> _Number:
        return self.of("subtract", other)

    def __mul__(self, other: _Number) -> _Number:
        return self.of("multiply", other)

    def __truediv__(self, other: _Number) -> _Number:
        return self.of("divide", other)

    def __neg__(self) -> _Number:
        return self.of("negative")

    def __bool__(self) -> bool:
        raise _RefusedError

    def _refused(self, other: object) -> bool:
        raise _RefusedError

    __lt__ = __gt__ = __le__ = __ge__ = _refused


def _decayed(p: _Number, decay: _Number) -> _Number:
    """`kernels.updating.optimizers.decayed`."""
    zero = _Number(p.parts, p.parts.number(0.0, decay.value.dtype))
    return decay.of("not_equal", zero, dtype=np.dtype(bool)).of("where", p - p * decay, p, dtype=p.value.dtype)


def _settled(x: _Number) -> _Number:
    """`kernels.updating.optimizers.settled`."""
    least, zero = [_Number(x.parts, x.parts.number(n, x.value.dtype)) for n in (np.finfo(x.value.dtype).tiny, 0.0)]
    return x.of("abs").of("less", least, dtype=np.dtype(bool)).of("where", zero, x, dtype=x.value.dtype)


def _refuse(*given: object) -> Any:
    raise _RefusedError


_SCOPE = {
    "math": types.SimpleNamespace(sqrt=lambda x: x.of("sqrt"), fabs=lambda x: x.of("abs"), pow=_refuse),
    "nan_greatest": lambda a, b: a.of("maximum", b),
    "decayed": _decayed,
    "settled": _settled,
    "ftrl_power": _refuse,
    "T": _refuse,
}


def _formula(rule: UpdateRule) -> Callable[..., Any]:
    """The formula of a rule, of ``_Number``s."""
    return types.FunctionType(rule.formula.__code__, _SCOPE)


@functools.cache
def is_expandable(rule: str) -> bool:
    """Whether a rule is arithmetic that element-wise operations are written for."""
    found = RULES[rule]
    parts = Parts(0)
    numbers = [_Number(parts, Value((), np.dtype(np.float32), 0)) for _ in (*found.state, "g", *found.hyper)]
    try:
        _formula(found)(*numbers)
    except _RefusedError:
        return False
    return True
