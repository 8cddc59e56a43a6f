"""Composites are expanded: operations that do several things in one eager kernel become their parts.

What follows a product is then fused with whatever follows that, and so are column sums with what makes their
input. Results change by rounding at most: a sum may be added up in another order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from fastgrad.kernels.products.form import has_pairs
from fastgrad.operation import HALVES, TABLE
from fastgrad.trace.graphs.graph import Graph, Kind, Node, Value
from fastgrad.trace.passes.rewriting import row_name

_FLOAT32: np.dtype = np.dtype(np.float32)
_BOOL: np.dtype = np.dtype(bool)
_UINT32: np.dtype = np.dtype(np.uint32)
_INT64: np.dtype = np.dtype(np.int64)


class Parts:
    """Nodes in the place of one.

    Args:
        number: for text.
        draws: those that others have made, to which its own are added.
    """

    def __init__(self, number: int, draws: dict[Any, Value] | None = None) -> None:
        self.nodes: list[Node] = []
        self._number = number
        self._draws = {} if draws is None else draws

    def of(
        self, name: str, *inputs: Value, shape: tuple[int, ...], to: np.dtype | None = None, **attributes: Any
    ) -> Value:
        """The value of a row of the table, of the dtype ``to``, or of that of its first input."""
        value = Value(shape, inputs[0].dtype if to is None else to, self._number)
        self.nodes.append(Node(Kind.OPERATION, TABLE[name], inputs, (value,), attributes))
        return value

    def reshaped(self, x: Value, shape: tuple[int, ...]) -> Value:
        """The elements of a value in another shape."""
        value = Value(shape, x.dtype, self._number)
        self.nodes.append(Node(Kind.OPERATION, TABLE["reshape"], (x,), (value,), {"shape": shape}))
        return value

    def drawn(self, name: str, words: Value, shape: tuple[int, ...], dtype: np.dtype) -> Value:
        """A draw; each of them stands there once."""
        key = name, id(words), shape
        if key not in self._draws:
            self._draws[key] = Value(shape, dtype, self._number)
            self.nodes.append(Node(Kind.OPERATION, TABLE[name], (words,), (self._draws[key],), {"shape": shape}))
        return self._draws[key]

    def number(self, number: float, dtype: np.dtype) -> Value:
        """A constant scalar."""
        return self.constant(np.array(number, dtype))

    def constant(self, array: np.ndarray) -> Value:
        """A constant."""
        value = Value(array.shape, array.dtype, self._number)
        self.nodes.append(Node(Kind.CONSTANT, array, (), (value,)))
        return value


def expand_composites(graph: Graph) -> Graph:
    """The graph with the parts of ``COMPOSITES`` in their place.

    Args:
        graph: left as it is.
    """
    stands_for: dict[int, Value] = {}
    draws: dict[Any, Value] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        inputs = tuple([stands_for.get(id(value), value) for value in node.inputs])
        expand = COMPOSITES.get(row_name(node) or "")
        if expand is None or (expand is _product and inputs[0].dtype not in HALVES):
            nodes.append(
                node if inputs == node.inputs else Node(node.kind, node.payload, inputs, node.outputs, node.attributes)
            )
            continue
        parts = Parts(node.outputs[0].number, draws)
        found = expand(parts, *inputs, **node.attributes)
        if found is None:
            nodes.append(replace(node, inputs=inputs))
            continue
        nodes += parts.nodes
        stands_for.update({id(old): new for old, new in zip(node.outputs, found, strict=True)})
    return Graph(nodes, [stands_for.get(id(value), value) for value in graph.results])


def _product(parts: Parts, a: Value, b: Value, transpose_a: bool, transpose_b: bool) -> tuple[Value, ...]:
    """A matrix product; that of half floats is summed in float32 and rounded once, as the eager one is."""
    rows, columns = a.shape[-1 if transpose_a else -2], b.shape[-2 if transpose_b else -1]
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), rows, columns)
    turned: dict[str, Any] = {"transpose_a": transpose_a, "transpose_b": transpose_b}
    half = a.dtype
    if half not in HALVES:
        return (parts.of("matmul", a, b, shape=shape, **turned),)
    if has_pairs((a, b), transpose_a, transpose_b):
        y = parts.of("wide_product", a, b, shape=shape, to=_FLOAT32, **turned)
    else:
        a, b = (parts.of("cast", x, shape=x.shape, to=_FLOAT32, dtype="float32") for x in (a, b))
        y = parts.of("matmul", a, b, shape=shape, **turned)
    return (parts.of("cast", y, shape=shape, to=half, dtype=half.name),)


def _dense(parts: Parts, x: Value, kernel: Value, bias: Value, activation: str) -> tuple[Value, ...]:
    shape = x.shape[0], kernel.shape[1]
    (y,) = _product(parts, x, kernel, False, False)
    y = parts.of("add", y, bias, shape=shape)
    return (y if activation == "linear" else parts.of(activation, y, shape=shape),)


def _dense_gradient(parts: Parts, g: Value, y: Value, activation: str) -> tuple[Value, ...]:
    shape = g.shape
    if activation == "relu":
        g = parts.of("relu_gradient", g, y, shape=shape)
    elif activation != "linear":
        assert activation in ("tanh", "sigmoid"), activation
        one = parts.number(1.0, g.dtype)
        if activation == "tanh":
            slope = parts.of("subtract", one, parts.of("multiply", y, y, shape=shape), shape=shape)
        else:
            slope = parts.of("multiply", y, parts.of("subtract", one, y, shape=shape), shape=shape)
        g = parts.of("multiply", g, slope, shape=shape)
    return g, parts.of("reduce_sum", g, shape=shape[1:], axes=(0,), keepdims=False)


def _dropout(parts: Parts, x: Value, words: Value, rate: float) -> tuple[Value, ...] | None:
    """The draw is a kernel of its own, once for both ways; what is dropped of what is made in it is said in the loops around."""
    least_kept = math.ceil(rate * 2.0**32)
    if x.dtype in HALVES or least_kept >= 2**32 or 0 in x.shape:
        return None
    drawn = parts.drawn("random_bits_of_dropout", words, x.shape, _UINT32)
    kept = parts.of("greater_equal", drawn, parts.constant(np.array(least_kept, _UINT32)), shape=x.shape, to=_BOOL)
    scaled = parts.of("multiply", x, parts.number(1.0 / (1.0 - rate), x.dtype), shape=x.shape)
    return (parts.of("where", kept, scaled, parts.number(0.0, x.dtype), shape=x.shape, to=x.dtype),)


# ---- reductions ----------------------------------------------------------------------------------------
#
# Their kernels are for rows. Along other axes loops of programs reduce through strides, where rows would have to be copied first.


def _without(shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool) -> tuple[int, ...]:
    kept = [1 if axis in axes else size for axis, size in enumerate(shape)]
    return tuple(kept if keepdims else [size for axis, size in enumerate(kept) if axis not in axes])


def _are_rows(x: Value, axes: tuple[int, ...]) -> bool:
    """Whether the axes are the last ones, or so that nothing has to be copied."""
    long = [axis for axis, size in enumerate(x.shape) if size != 1]
    reduced = [axis for axis in long if axis in axes]
    return 0 in x.shape or reduced == long[len(long) - len(reduced) :]


def _finite_maximum(parts: Parts, x: Value, axes: tuple[int, ...]) -> tuple[Value, ...] | None:
    if _are_rows(x, axes) or x.dtype in HALVES:
        return None
    shape = _without(x.shape, axes, True)
    high = parts.of("reduce_max", x, shape=shape, axes=axes, keepdims=True)
    finite = parts.of("is_finite", high, shape=shape, to=_BOOL)
    return (parts.of("where", finite, high, parts.number(0.0, x.dtype), shape=shape, to=x.dtype),)


def _logsumexp(parts: Parts, x: Value, axes: tuple[int, ...], keepdims: bool) -> tuple[Value, ...] | None:
    found = _finite_maximum(parts, x, axes)
    if found is None:
        return None
    (high,) = found
    less = parts.of("exp", parts.of("subtract", x, high, shape=x.shape), shape=x.shape)
    total = parts.of("reduce_sum", less, shape=high.shape, axes=axes, keepdims=True)
    total = parts.of("add", parts.of("log", total, shape=high.shape), high, shape=high.shape)
    return (total if keepdims else parts.reshaped(total, _without(x.shape, axes, False)),)


def _count_nonzero(parts: Parts, x: Value, axes: tuple[int, ...], keepdims: bool) -> tuple[Value, ...] | None:
    if _are_rows(x, axes) or x.dtype.kind not in "biuf":
        return None
    if x.dtype != _BOOL:
        x = parts.of("not_equal", x, parts.number(0, x.dtype), shape=x.shape, to=_BOOL)
    ones = parts.of("cast", x, shape=x.shape, to=_INT64, dtype="int64")
    shape = _without(x.shape, axes, keepdims)
    return (parts.of("reduce_sum", ones, shape=shape, axes=axes, keepdims=keepdims),)


def _sum_of_squares(parts: Parts, t: Value) -> tuple[Value, ...]:
    square = parts.of("square", t, shape=t.shape)
    return (parts.of("reduce_sum", square, shape=(), axes=tuple(range(len(t.shape))), keepdims=False),)


COMPOSITES: dict[str, Callable[..., tuple[Value, ...] | None]] = {
    "dense": _dense,
    "dense_gradient": _dense_gradient,
    "dropout": _dropout,
    "matmul": _product,
    "sum_of_squares": _sum_of_squares,
    "finite_maximum": _finite_maximum,
    "reduce_logsumexp": _logsumexp,
    "count_nonzero": _count_nonzero,
}
"""How each composite is expanded: its results, from its inputs and attributes; None where it stays."""
