"""The kernels of convolutions against their definition in float64: any sizes, strides, dilations, paddings, groups and shares."""

import numpy as np
import pytest

from fastgrad._src.jit.isa import host_isa
from fastgrad._src.kernels.convolution import patches
from fastgrad._src.kernels.convolution.convolution import (
    convolution_filter_launches,
    convolution_input_launches,
    convolution_launches,
)
from fastgrad._src.kernels.runtime.launch import Constant
from tests.kernels.convolution.convolutions import (
    BOTH_SIDES,
    SPECIAL,
    arrays,
    by_definition,
    computed,
    hash_of_results,
    meetings,
    random_case,
)
from tests.kernels.process import run_python

BOUNDS = {"float32": 2e-5, "float64": 1e-12, "int32": 0}


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("seed", range(45))
def test_kernels_give_what_the_definition_says(seed, dtype):
    x, w, g, window = arrays(*random_case(seed), dtype, seed)
    one, three = computed(x, w, g, **window), computed(x, w, g, 3, **window)
    wide = np.int32 if dtype == "int32" else np.float64
    for found, again, wanted in zip(
        one, three, by_definition(x.astype(wide), w.astype(wide), g.astype(wide), **window), strict=True
    ):
        np.testing.assert_array_equal(found, again, "bits depend on shares")
        np.testing.assert_allclose(found, wanted, atol=BOUNDS[dtype] * max(1, np.abs(wanted).max()), rtol=0)


@pytest.mark.parametrize("case", SPECIAL)
def test_special_sizes(case):
    x, w, g, window = arrays(*SPECIAL[case], "float64")
    for found, again, wanted in zip(
        computed(x, w, g, **window), computed(x, w, g, 4, **window), by_definition(x, w, g, **window), strict=True
    ):
        np.testing.assert_array_equal(found, again)
        np.testing.assert_allclose(found, wanted, atol=1e-11)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_widths_are_summed_in_float32(dtype):
    import ml_dtypes

    kind = np.dtype(np.float16 if dtype == "float16" else ml_dtypes.bfloat16)
    x, w, g, window = arrays((2, 8, 8, 40), (3, 3, 40, 6), (1, 1), BOTH_SIDES, (1, 1), "float32")
    x, w, g = x.astype(kind), w.astype(kind), g.astype(kind)
    wide = [a.astype(np.float32) for a in (x, w, g)]
    for found, wanted in zip(computed(x, w, g, **window), computed(*wide, **window), strict=True):
        np.testing.assert_array_equal(found, wanted.astype(kind))


def test_a_window_has_the_same_bits_wherever_it_lies():
    x, w, g, window = arrays((3, 11, 13, 24), (3, 3, 24, 70), (1, 1), BOTH_SIDES, (1, 1), "float32")
    y = computed(x, w, g, **window)[0]
    one = computed(x[1:2], w, g[1:2], **window)[0]
    np.testing.assert_array_equal(y[1:2], one)
    inner = {**window, "padding": ((0, 0), (0, 0))}
    small = np.ascontiguousarray(x[:, 3:8, 4:9])
    np.testing.assert_array_equal(y[:, 4:7, 5:8], computed(small, w, np.ascontiguousarray(g[:, :3, :3]), **inner)[0])
    narrow = np.ascontiguousarray(w[..., 33:50])
    np.testing.assert_array_equal(y[..., 33:50], computed(x, narrow, np.ascontiguousarray(g[..., 33:50]), **window)[0])


@pytest.mark.parametrize("lanes", ["4", "8", "16"])
def test_bits_do_not_depend_on_the_vectors(lanes):
    if int(lanes) * 4 > host_isa().vector_bytes:
        lanes = str(host_isa().vector_bytes // 4)
    code = "from tests.kernels.convolution.convolutions import hash_of_results as h; print(h())"
    run = run_python("-c", code, FASTGRAD_LANES=lanes)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split()[-1] == hash_of_results()


def _products_and_copies(launches, images):
    """How many rows and terms the tables of windows multiply, and whether they copy patches."""
    table = next(operand.array for operand in launches.launches[-1].operands if isinstance(operand, Constant))
    at = [patches.HEADER_WORDS + number * patches.PHASE_WORDS for number in range(table[patches.PHASES_WORD])]
    products = sum(images * table[phase : phase + 3].prod() * table[phase + patches.DEPTH_WORD] for phase in at)
    return products, bool(table[patches.COPIED_WORD])


@pytest.mark.parametrize("strides", [(1, 1), (2, 2)])
def test_cells_outside_of_small_images_are_not_multiplied(strides):
    x, w, g, window = arrays((6, 8, 9, 16), (3, 3, 16, 20), strides, BOTH_SIDES, (1, 1), "float32")
    met = [g[found][..., 0].size for _, found, _ in meetings(x.shape, w.shape, g.shape, **window)]
    wanted = 16 * sum(met)
    assert _products_and_copies(convolution_launches([x, w], [g], **window), 6) == (wanted, False)
    backward = convolution_input_launches([g, w], [x], input_shape=x.shape[1:], **window)
    assert _products_and_copies(backward, 6) == (wanted * 20 // 16, False)
    filters = convolution_filter_launches([x, g], [w], filter_shape=w.shape, **window).launches[0].operands[-1].array
    lists = filters[patches.GRADIENT_HEADER_WORDS :][: 9 * patches.LIST_WORDS].reshape(9, patches.LIST_WORDS)
    assert 6 * 16 * lists[:, :3].prod(1).sum() == wanted
    assert not filters[patches.COPIED_WORD]
    w[0, 0] = np.inf  # the first position has no product with this cell
    assert np.isfinite(computed(x, w, g, **window)[0][:, 0, 0]).all()
