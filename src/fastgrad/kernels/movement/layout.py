"""How the elements of an array are read: an offset, and sizes with strides, outermost first.

A layout is a view of the memory of a contiguous array, as NumPy's strides are, but it knows no shape: only the order in
which elements come. So a reshape changes nothing, and neighbouring dimensions that are walked through as one are
one. ``cuts`` say where dimensions begin: the number of elements that each dimension but the outermost has in
and below it. Dimensions can be split at more cuts; they can't be split where sizes do not divide.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from math import prod
from typing import Any, NamedTuple

Dims = tuple[tuple[int, int], ...]
"""(size, stride) of each dimension, outermost first; strides in elements, 0 where an element is repeated."""

Cuts = tuple[int, ...]
"""Increasing; each divides the next, and the last divides the number of elements."""


class Layout(NamedTuple):
    """A view of a contiguous array.

    Attributes:
        offset: where the first element is.
        dims: collapsed: no sizes of 1, no two dimensions that could be one.
    """

    offset: int
    dims: Dims

    @property
    def total(self) -> int:
        """How many elements are read."""
        return prod([size for size, _ in self.dims])


def contiguous(count: int) -> Layout:
    """All elements of an array in their order."""
    return Layout(0, ((count, 1),) if count > 1 else ())


def of_shape(shape: Sequence[int]) -> Layout:
    """All elements of an array of a shape in their order."""
    return contiguous(prod(shape))


def collapsed(dims: Iterable[tuple[int, int]]) -> Dims:
    """Dimensions, as few as do."""
    found: list[tuple[int, int]] = []
    for size, stride in dims:
        if size == 1:
            continue
        if found and found[-1][1] == size * stride:
            found[-1] = found[-1][0] * size, stride
        else:
            found.append((size, stride))
    return tuple(found)


def cuts_of(sizes: Sequence[int]) -> Cuts:
    """Where the dimensions of these sizes begin; none of them is 1."""
    cuts: list[int] = []
    below = 1
    for size in reversed(sizes[1:]):
        below *= size
        cuts.append(below)
    return tuple(cuts)


def joined_cuts(first: Cuts, second: Cuts) -> Cuts | None:
    """Those of both; None if they do not go together."""
    if first == second or not second:
        return first
    cuts = tuple(sorted({*first, *second}))
    return cuts if all(not b % a for a, b in pairwise(cuts)) else None


def sizes_at(cuts: Cuts, count: int) -> tuple[int, ...]:
    """The sizes of the dimensions that begin at ``cuts``, of which there is one more."""
    bounds = (1, *cuts, count)
    return tuple([b // a for a, b in pairwise(bounds)])[::-1]


def split(dims: Dims, sizes: Sequence[int]) -> Dims | None:
    """``dims`` as dimensions of these sizes, whose product is theirs; None if they can't be."""
    found: list[tuple[int, int]] = []
    rest = list(dims)
    for size in reversed(sizes):
        if size == 1:
            found.append((1, 0))
            continue
        if not rest:
            return None
        whole, stride = rest.pop()
        if whole % size:
            return None
        found.append((size, stride))
        if whole != size:
            rest.append((whole // size, stride * size))
    return None if rest else tuple(reversed(found))


def strides_at(layout: Layout, sizes: Sequence[int]) -> tuple[int, ...]:
    """The strides of a layout whose dimensions can be split to these sizes."""
    dims = split(layout.dims, sizes)
    assert dims is not None, f"{layout} has no dimensions {sizes}"
    return tuple([stride for _, stride in dims])


def axes_of(layout: Layout, shape: Sequence[int]) -> list[Dims] | None:
    """For each axis of a shape of as many elements the dimensions that it is made of; None if some dimension is in two."""
    sizes = tuple([size for size in shape if size != 1])
    cuts = joined_cuts(cuts_of([size for size, _ in layout.dims]), cuts_of(sizes))
    if cuts is None:
        return None
    fine = sizes_at(cuts, layout.total)
    dims = split(layout.dims, fine if layout.dims else ())
    if dims is None:
        return None
    rest = list(dims)
    axes: list[Dims] = []
    for size in reversed(shape):
        axis: list[tuple[int, int]] = []
        while size > 1:
            axis.append(rest.pop())
            size //= axis[-1][0]
        axes.append(tuple(reversed(axis)))
    return axes[::-1]


def from_axes(offset: int, axes: Iterable[Dims]) -> Layout:
    """The layout with the dimensions of these axes, in order."""
    return Layout(offset, collapsed([dim for axis in axes for dim in axis]))


def broadcast(layout: Layout, shape: Sequence[int], whole: Sequence[int]) -> Layout | None:
    """An array read by ``layout``, of the given shape, repeated to a larger shape that it broadcasts to."""
    if prod(shape) == prod(whole):
        return layout
    axes = axes_of(layout, shape)
    if axes is None:
        return None
    wide: list[Dims] = [((size, 0),) for size in whole[: len(whole) - len(shape)]]
    for axis, size, wanted in zip(axes, shape, whole[len(whole) - len(shape) :], strict=True):
        wide.append(axis if size == wanted else ((wanted, 0),))
    return from_axes(layout.offset, wide)


# ---- index maps: how the result is read from what an array of a shape is read from by a layout ---------------


def transposed(layout: Layout, shape: Sequence[int], perm: Sequence[int]) -> Layout | None:
    """Axis i of the result is axis ``perm[i]``."""
    axes = axes_of(layout, shape)
    return None if axes is None else from_axes(layout.offset, [axes[axis] for axis in perm])


def backwards(layout: Layout, shape: Sequence[int], along: Iterable[int]) -> Layout | None:
    """Backwards along axes."""
    axes = axes_of(layout, shape)
    if axes is None:
        return None
    offset = layout.offset
    for axis in along:
        offset += sum([(size - 1) * stride for size, stride in axes[axis]])
        axes[axis] = tuple([(size, -stride) for size, stride in axes[axis]])
    return from_axes(offset, axes)


def tiled(layout: Layout, shape: Sequence[int], multiples: Sequence[int]) -> Layout | None:
    """As a whole several times along each axis."""
    axes = axes_of(layout, shape)
    if axes is None:
        return None
    return from_axes(layout.offset, [((n, 0), *axis) for n, axis in zip(multiples, axes, strict=True)])


def sliced(layout: Layout, shape: Sequence[int], key: Sequence[Any]) -> Layout | None:
    """The part that a key names: for each axis an int, which drops it, or (start, stop, step); None is a new axis."""
    axes = axes_of(layout, shape)
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
            elif len(dims) > 1:
                return None
            else:
                stride = dims[0][1] if dims else 0
                offset += taken.start * stride
                kept.append(((len(taken), taken.step * stride),))
        else:
            for dim_size, stride in reversed(dims):
                item, position = divmod(item, dim_size)
                offset += position * stride
    return from_axes(offset, kept + axes[axis:])


def pieces(layout: Layout, shape: Sequence[int], sizes: Sequence[int], axis: int) -> list[Layout] | None:
    """The pieces of these sizes along an axis."""
    front = [(0, size, 1) for size in shape[:axis]]
    ends = accumulate(sizes)
    return _all([sliced(layout, shape, [*front, (end - n, end, 1)]) for end, n in zip(ends, sizes, strict=True)])


def slices(layout: Layout, shape: Sequence[int], axis: int) -> list[Layout] | None:
    """The slices along an axis, which they no longer have."""
    front = [(0, size, 1) for size in shape[:axis]]
    return _all([sliced(layout, shape, [*front, position]) for position in range(shape[axis])])


def _all(layouts: list[Layout | None]) -> list[Layout] | None:
    return None if any(layout is None for layout in layouts) else layouts  # type: ignore[return-value]
