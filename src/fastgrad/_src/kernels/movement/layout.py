"""Layouts: how the elements of an array are read, as an offset, and sizes with strides, outermost first.

A layout is a view of the memory of a contiguous array, like NumPy's strides, but it has no shape: only the order of the
elements counts. So a reshape does not change it, and adjacent dimensions that can be one are merged. ``cuts`` give the
boundaries of the dimensions: the number of elements in and below each dimension except the outermost. Dimensions can be
split at more cuts, if the sizes divide.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from math import prod
from typing import Any, NamedTuple

Dims = tuple[tuple[int, int], ...]
"""(size, stride) of each dimension, outermost first; strides in elements, 0 for repeated elements."""

Cuts = tuple[int, ...]
"""Increasing numbers; each divides the next, and the last divides the number of elements."""


class Layout(NamedTuple):
    """A view of a contiguous array.

    Attributes:
        offset: the offset of the first element.
        dims: collapsed: without sizes of 1, and without two dimensions that could be one.
    """

    offset: int
    dims: Dims

    @property
    def total(self) -> int:
        """The number of elements that are read."""
        return prod([size for size, _ in self.dims])


def contiguous(count: int) -> Layout:
    """Returns the layout of all elements of an array in order."""
    return Layout(0, ((count, 1),) if count > 1 else ())


def of_shape(shape: Sequence[int]) -> Layout:
    """Returns the layout of all elements of an array of a shape in order."""
    return contiguous(prod(shape))


def merged_dimensions(dims: Iterable[tuple[int, int]]) -> Dims:
    """Returns the fewest (size, stride) pairs that read the same elements, by merging neighbouring dimensions."""
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
    """Returns, for each boundary between dimensions of these sizes (none is 1), how many elements are after it."""
    cuts: list[int] = []
    below = 1
    for size in reversed(sizes[1:]):
        below *= size
        cuts.append(below)
    return tuple(cuts)


def union_of_cuts(first: Cuts, second: Cuts) -> Cuts | None:
    """Returns the sorted union of two sets of cuts; None if a cut does not divide the next one."""
    if first == second or not second:
        return first
    cuts = tuple(sorted({*first, *second}))
    return cuts if all(not b % a for a, b in pairwise(cuts)) else None


def sizes_between_cuts(cuts: Cuts, count: int) -> tuple[int, ...]:
    """Returns the sizes of the dimensions that ``cuts`` divide ``count`` elements into."""
    bounds = (1, *cuts, count)
    return tuple([b // a for a, b in pairwise(bounds)])[::-1]


def split_dimensions(dims: Dims, sizes: Sequence[int]) -> Dims | None:
    """Returns (size, stride) dimensions split into dimensions of ``sizes``, of equal product; None if not possible."""
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


def strides_after_split(layout: Layout, sizes: Sequence[int]) -> tuple[int, ...]:
    """Returns the strides of a layout's dimensions after they are split into dimensions of these sizes."""
    dims = split_dimensions(layout.dims, sizes)
    assert dims is not None, f"{layout} has no dimensions {sizes}"
    return tuple([stride for _, stride in dims])


def dimensions_of_axes(layout: Layout, shape: Sequence[int]) -> list[Dims] | None:
    """Returns, for each axis of a shape, the layout's dimensions inside the axis; None if one is in two axes."""
    sizes = tuple([size for size in shape if size != 1])
    cuts = union_of_cuts(cuts_of([size for size, _ in layout.dims]), cuts_of(sizes))
    if cuts is None:
        return None
    fine = sizes_between_cuts(cuts, layout.total)
    dims = split_dimensions(layout.dims, fine if layout.dims else ())
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


def layout_of_axes(offset: int, axes: Iterable[Dims]) -> Layout:
    """Returns the layout whose axes have these (size, stride) dimensions, in order."""
    return Layout(offset, merged_dimensions([dim for axis in axes for dim in axis]))


def broadcast(layout: Layout, shape: Sequence[int], target_shape: Sequence[int]) -> Layout | None:
    """Returns the layout of an array, of ``shape`` and ``layout``, that is broadcast to ``target_shape``."""
    if prod(shape) == prod(target_shape):
        return layout
    axes = dimensions_of_axes(layout, shape)
    if axes is None:
        return None
    wide: list[Dims] = [((size, 0),) for size in target_shape[: len(target_shape) - len(shape)]]
    for axis, size, wanted in zip(axes, shape, target_shape[len(target_shape) - len(shape) :], strict=True):
        wide.append(axis if size == wanted else ((wanted, 0),))
    return layout_of_axes(layout.offset, wide)


# ---- index maps: the result's layout, from the layout and shape of the input ---------------------------------


def transposed(layout: Layout, shape: Sequence[int], perm: Sequence[int]) -> Layout | None:
    """Returns the layout of a transpose: axis i of the result is axis ``perm[i]``."""
    axes = dimensions_of_axes(layout, shape)
    return None if axes is None else layout_of_axes(layout.offset, [axes[axis] for axis in perm])


def reversed_layout(layout: Layout, shape: Sequence[int], along: Iterable[int]) -> Layout | None:
    """Returns the layout of an array that is reversed along axes."""
    axes = dimensions_of_axes(layout, shape)
    if axes is None:
        return None
    offset = layout.offset
    for axis in along:
        offset += sum([(size - 1) * stride for size, stride in axes[axis]])
        axes[axis] = tuple([(size, -stride) for size, stride in axes[axis]])
    return layout_of_axes(offset, axes)


def tiled(layout: Layout, shape: Sequence[int], multiples: Sequence[int]) -> Layout | None:
    """Returns the layout of an array that is repeated as a whole along each axis."""
    axes = dimensions_of_axes(layout, shape)
    if axes is None:
        return None
    return layout_of_axes(layout.offset, [((n, 0), *axis) for n, axis in zip(multiples, axes, strict=True)])


def sliced(layout: Layout, shape: Sequence[int], key: Sequence[Any]) -> Layout | None:
    """Returns the layout of a slice. A key is an int, which drops the axis, (start, stop, step), or None, a new one."""
    axes = dimensions_of_axes(layout, shape)
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
    return layout_of_axes(offset, kept + axes[axis:])


def pieces(layout: Layout, shape: Sequence[int], sizes: Sequence[int], axis: int) -> list[Layout] | None:
    """Returns the layouts of the pieces of these sizes along an axis."""
    front = [(0, size, 1) for size in shape[:axis]]
    ends = accumulate(sizes)
    return _layouts_if_all_exist(
        [sliced(layout, shape, [*front, (end - n, end, 1)]) for end, n in zip(ends, sizes, strict=True)]
    )


def slices(layout: Layout, shape: Sequence[int], axis: int) -> list[Layout] | None:
    """Returns the layouts of the slices along an axis, without that axis."""
    front = [(0, size, 1) for size in shape[:axis]]
    return _layouts_if_all_exist([sliced(layout, shape, [*front, position]) for position in range(shape[axis])])


def _layouts_if_all_exist(layouts: list[Layout | None]) -> list[Layout] | None:
    return None if any(layout is None for layout in layouts) else layouts  # type: ignore[return-value]
