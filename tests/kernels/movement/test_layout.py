"""Layouts: views of arrays that know an order of elements, and no shape."""

import itertools

import numpy as np
import pytest

from fastgrad._src.kernels.movement import layout as layouts
from fastgrad._src.kernels.movement.layout import Layout


def elements(layout):
    """The positions that a layout reads, in order."""
    ranges = [range(0, size * stride, stride) if stride else [0] * size for size, stride in layout.dims]
    return [layout.offset + sum(steps) for steps in itertools.product(*ranges)]


def positions(array):
    """The layout of a view of ``np.arange``, and what it must read."""
    return array.ravel().tolist()


X = np.arange(2 * 3 * 4).reshape(2, 3, 4)
WHOLE = layouts.of_shape(X.shape)


def test_what_can_be_walked_through_as_one_is_one():
    assert Layout(0, ((24, 1),)) == WHOLE
    assert layouts.of_shape(()) == layouts.of_shape((1, 1)) == Layout(0, ())
    assert layouts.merged_dimensions([(2, 12), (3, 4), (4, 1)]) == ((24, 1),)
    assert layouts.merged_dimensions([(2, 0), (1, 7), (3, 0)]) == ((6, 0),)
    assert layouts.merged_dimensions([(2, 3), (3, 0)]) == ((2, 3), (3, 0))


@pytest.mark.parametrize("perm", list(itertools.permutations(range(3))))
def test_index_maps_one_after_the_other(perm):
    turned, view = layouts.transposed(WHOLE, X.shape, perm), X.transpose(perm)
    assert elements(turned) == positions(view)
    back, flipped = layouts.reversed_layout(turned, view.shape, (0, 2)), view[::-1, :, ::-1]
    assert elements(back) == positions(flipped)
    key = ((0, flipped.shape[0], 2), 1, None, (1, flipped.shape[2], 1))
    assert elements(layouts.sliced(back, flipped.shape, key)) == positions(flipped[::2, 1, None, 1:])
    wide = layouts.broadcast(layouts.sliced(back, flipped.shape, (0,)), flipped.shape[1:], (5, *flipped.shape[1:]))
    assert elements(wide) == positions(np.broadcast_to(flipped[0], (5, *flipped.shape[1:])))
    assert elements(layouts.tiled(turned, view.shape, (1, 2, 1))) == positions(np.tile(view, (1, 2, 1)))


def test_parts():
    for layout, part in zip(layouts.pieces(WHOLE, X.shape, (1, 2), 1), np.split(X, [1], axis=1), strict=True):
        assert elements(layout) == positions(part)
    for position, layout in enumerate(layouts.slices(WHOLE, X.shape, 2)):
        assert elements(layout) == positions(X[..., position])


def test_dimensions_split_where_sizes_divide():
    turned = layouts.transposed(WHOLE, X.shape, (2, 0, 1))  # sizes 4 and 6
    assert turned.dims == ((4, 1), (6, 4))
    assert layouts.split_dimensions(turned.dims, (4, 2, 3)) == ((4, 1), (2, 12), (3, 4))
    assert layouts.split_dimensions(turned.dims, (2, 2, 6)) == ((2, 2), (2, 1), (6, 4))
    assert layouts.split_dimensions(turned.dims, (3, 8)) is None
    assert layouts.dimensions_of_axes(turned, (3, 8)) is None
    assert layouts.transposed(turned, (3, 8), (1, 0)) is None
    assert layouts.sliced(turned, (24,), ((1, 24, 1),)) is None
    assert elements(layouts.sliced(turned, (24,), (7,))) == [X.transpose(2, 0, 1).ravel()[7]]


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [((), (4,), (4,)), ((12,), (4,), (4, 12)), ((4, 12), (12,), (4, 12)), ((4,), (6,), None), ((2,), (3, 6), None)],
)
def test_cuts_go_together_if_each_divides_the_next(first, second, both):
    assert layouts.union_of_cuts(first, second) == both
    assert layouts.union_of_cuts(second, first) == both


def test_sizes_and_cuts():
    assert layouts.cuts_of((2, 3, 4)) == (4, 12)
    assert layouts.sizes_between_cuts((4, 12), 24) == (2, 3, 4)
    assert layouts.sizes_between_cuts((), 24) == (24,)
