"""Index maps as views: which operations only read elements in another order, and in which.

A view costs nothing where its reader is a fused group, which reads through the layout. Others need a copy,
which the operation's own kernels make.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from fastgrad.trace.graph import Node
from fastgrad.trace.layout import Dims, Layout, axes_of, broadcast, from_axes

_Shape = tuple[int, ...]
_Rule = Callable[[Layout, _Shape, Node], "list[Layout] | None"]


def views_of(name: str, layout: Layout, node: Node) -> list[Layout] | None:
    """How the results of an index map are read from what its input is read from.

    Args:
        name: of the row of the operation table.
        layout: of its first input.
        node: the operation.

    Returns:
        A layout for each result; None if one of them is no view.
    """
    rule = _RULES.get(name)
    if rule is None or not layout.count:
        return None
    found = rule(layout, node.inputs[0].shape, node)
    return None if found is None or not all(one.count for one in found) else found


def is_same_order(name: str | None) -> bool:
    """Whether an index map gives the elements of its input in their order."""
    return name in _SAME_ORDER


_SAME_ORDER = frozenset({"reshape", "stop_gradient"})


def _same(layout: Layout, shape: _Shape, node: Node) -> list[Layout]:
    return [layout]


def _transposed(layout: Layout, shape: _Shape, node: Node) -> list[Layout] | None:
    axes = axes_of(layout, shape)
    return None if axes is None else [from_axes(layout.offset, [axes[axis] for axis in node.attributes["perm"]])]


def _reversed(layout: Layout, shape: _Shape, node: Node) -> list[Layout] | None:
    axes = axes_of(layout, shape)
    if axes is None:
        return None
    offset = layout.offset
    for axis in node.attributes["axes"]:
        offset += sum([(size - 1) * stride for size, stride in axes[axis]])
        axes[axis] = tuple([(size, -stride) for size, stride in axes[axis]])
    return [from_axes(offset, axes)]


def _repeated(layout: Layout, shape: _Shape, node: Node) -> list[Layout] | None:
    found = broadcast(layout, shape, node.outputs[0].shape)
    return None if found is None else [found]


def _spread(layout: Layout, shape: _Shape, node: Node) -> list[Layout] | None:
    whole, reduced = node.outputs[0].shape, node.attributes["axes"]
    if len(shape) != len(whole):
        shape = tuple([1 if axis in reduced else size for axis, size in enumerate(whole)])
    return _repeated(layout, shape, node)


def _tiled(layout: Layout, shape: _Shape, node: Node) -> list[Layout] | None:
    axes = axes_of(layout, shape)
    if axes is None:
        return None
    pairs = [((multiple, 0), *axis) for multiple, axis in zip(node.attributes["multiples"], axes, strict=True)]
    return [from_axes(layout.offset, pairs)]


def _sliced(layout: Layout, shape: _Shape, node: Node) -> list[Layout] | None:
    found = _part(layout, axes_of(layout, shape), shape, node.attributes["key"])
    return None if found is None else [found]


def _part(layout: Layout, axes: list[Dims] | None, shape: _Shape, key: Any) -> Layout | None:
    if axes is None:
        return None
    offset = layout.offset
    kept: list[Dims] = []
    axis = 0
    for item in key:
        if item is None:
            continue
        dims, size = axes[axis], shape[axis]
        axis += 1
        if type(item) is tuple:
            taken = range(*slice(*item).indices(size))
            if len(taken) == size and taken.step == 1:
                kept.append(dims)
            elif len(dims) == 1:
                offset += taken.start * dims[0][1]
                kept.append(((len(taken), taken.step * dims[0][1]),))
            elif not dims:  # of size 1: one element or none
                kept.append(((len(taken), 0),))
            else:
                return None
        else:
            for dim_size, stride in reversed(dims):
                item, position = divmod(item, dim_size)
                offset += position * stride
    kept += axes[axis:]
    return from_axes(offset, kept)


def _pieces(layout: Layout, shape: _Shape, node: Node) -> list[Layout] | None:
    axis, sizes = node.attributes["axis"], node.attributes["sizes"]
    front = tuple([(0, size, 1) for size in shape[:axis]])
    starts = itertools.accumulate(sizes, initial=0)
    axes = axes_of(layout, shape)
    return _parts(layout, axes, shape, [(*front, (a, a + n, 1)) for a, n in zip(starts, sizes, strict=False)])


def _slices(layout: Layout, shape: _Shape, node: Node) -> list[Layout] | None:
    axis = node.attributes["axis"]
    front = tuple([(0, size, 1) for size in shape[:axis]])
    return _parts(layout, axes_of(layout, shape), shape, [(*front, position) for position in range(shape[axis])])


def _parts(layout: Layout, axes: list[Dims] | None, shape: _Shape, keys: list[Any]) -> list[Layout] | None:
    found = [_part(layout, axes, shape, key) for key in keys]
    return None if any(one is None for one in found) else found  # type: ignore[return-value]


_RULES: dict[str, _Rule] = {
    "reshape": _same,
    "stop_gradient": _same,
    "transpose": _transposed,
    "reverse": _reversed,
    "broadcast_to": _repeated,
    "spread": _spread,
    "tile": _tiled,
    "strided_slice": _sliced,
    "split": _pieces,
    "unstack": _slices,
}
