"""The kernels of pooling against their definition: any windows, channels in whole vectors and not, NaN, shares."""

import itertools

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.kernels.convolution.poolings import APART, EMPTY_BETWEEN, computed

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def windows(draw):
    """The sizes of an input of one to three dimensions, and windows of which each has a cell in it."""
    sizes, kernel, strides, padding, dilations = [], [], [], [], []
    for _ in range(rank := draw(st.integers(1, 3))):
        cells, rate = draw(st.integers(1, 3)), draw(st.integers(1, 2))
        kernel.append(cells)
        dilations.append(rate)
        strides.append(draw(st.integers(1, 4)))
        padding.append((draw(st.integers(0, cells - 1)), draw(st.integers(0, cells - 1))) if rate == 1 else (0, 0))
        sizes.append((cells - 1) * rate + draw(st.integers(1, (9, 6, 3)[rank - 1])))
    kinds = {"kernel": kernel, "strides": strides, "padding": padding, "dilations": dilations}
    return tuple(sizes), {name: tuple(numbers) for name, numbers in kinds.items()}


def cells_of(window, place, kernel, strides, padding, dilations):
    """The places of the input that a window has, in row-major order."""
    axes = []
    for size, at, cells, stride, pair, rate in zip(place, window, kernel, strides, padding, dilations, strict=True):
        found = [at * stride - pair[0] + cell * rate for cell in range(cells)]
        axes.append([one for one in found if 0 <= one < size])
    return list(itertools.product(*axes))


def by_definition(x, y_shape, g, **window):
    """Maxima, g at the first of them, x's numbers there, means, g's shares, one window after the other."""
    largest, mean = np.zeros(y_shape), np.zeros(y_shape)
    given, shared, taken = np.zeros(x.shape), np.zeros(x.shape), np.zeros(y_shape)
    for n, *at in np.ndindex(*y_shape[:-1]):
        cells = cells_of(at, x.shape[1:-1], **window)
        for q in range(x.shape[-1]):
            place = (n, *at, q)
            values = np.array([x[(n, *cell, q)] for cell in cells])
            winner = int(np.argmax(values))  # the first NaN, if there is one
            largest[place], mean[place] = values[winner], values.mean()
            given[(n, *cells[winner], q)] += g[place]
            taken[place] = 2 * x[(n, *cells[winner], q)]
            for cell in cells:
                shared[(n, *cell, q)] += g[place] / len(cells)
    return largest, given, taken, mean, shared


@given(windows(), st.integers(0, 3), st.sampled_from([1, 3, 16, 37]), st.sampled_from(["float32", "float64"]), SEEDS)
@example(APART, 2, 16, "float32", 0)
@example(APART, 2, 37, "float64", 1)
@example(EMPTY_BETWEEN, 1, 3, "float32", 2)
@settings(max_examples=35, deadline=None)
def test_kernels_give_what_the_definition_says(sizes_and_window, images, channels, dtype, seed):
    sizes, window = sizes_and_window
    counts = [
        (size + sum(pair) - (cells - 1) * rate - 1) // stride + 1
        for size, cells, stride, pair, rate in zip(
            sizes, *[window[name] for name in ("kernel", "strides", "padding", "dilations")], strict=True
        )
    ]
    r = np.random.default_rng(seed)
    x = r.integers(-3, 4, (images, *sizes, channels)).astype(dtype)  # with ties
    x.reshape(-1)[5::97] = np.nan
    g = r.normal(size=(images, *counts, channels)).astype(dtype)
    one, four = computed(x, g.shape, g, 1, **window), computed(x, g.shape, g, 4, **window)
    for found, again, wanted in zip(one, four, by_definition(x, g.shape, g, **window), strict=True):
        np.testing.assert_array_equal(found, again)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
