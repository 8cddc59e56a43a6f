"""Convolutions and pooling on a simulated GPU are the CPU's, for windows and channels that fill no tile."""

import numpy as np
import pytest

from fastgrad._src.core.operation import TABLE
from fastgrad._src.cuda.kernels.choice import row_launches_on_device
from tests.cuda.simulation.lock_step import run_on_simulation

# shapes of input and filters, strides, padding, dilations: images, lines, groups, channels on their own, volumes
CASES = {
    "image": ((2, 7, 6, 5), (3, 3, 5, 9), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    "stride": ((1, 9, 8, 9), (3, 2, 9, 35), (2, 3), ((0, 0), (1, 0)), (1, 1)),
    "dilation": ((1, 9, 9, 8), (2, 3, 8, 6), (1, 1), ((1, 2), (0, 3)), (2, 3)),
    "line": ((3, 40, 3), (5, 3, 6), (2,), ((2, 2),), (1,)),
    "groups": ((1, 6, 5, 6), (3, 3, 3, 10), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    "own channels": ((2, 6, 5, 7), (3, 3, 1, 7), (2, 1), ((1, 1), (0, 1)), (1, 1)),
    "volume": ((1, 4, 3, 5, 8), (2, 2, 2, 8, 5), (1, 1, 1), ((0, 1), (0, 0), (1, 0)), (1, 1, 1)),
}


def check(name, inputs, attributes):
    row = TABLE[name]
    wanted = np.asarray(row.run(*inputs, **attributes))
    found = np.full_like(wanted, np.nan if wanted.dtype.kind == "f" else 77)
    launches = row_launches_on_device(row, inputs, [found], attributes)
    assert launches is not None
    assert run_on_simulation(launches, inputs, [found]) is None
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())
    return wanted, launches


@pytest.mark.parametrize("case", CASES)
def test_convolutions_and_their_gradients(case):
    shape, filter_shape, strides, padding, dilations = CASES[case]
    random = np.random.default_rng(0)
    x, filters = (random.normal(size=size).astype(np.float32) for size in (shape, filter_shape))
    window = {"strides": strides, "padding": padding, "dilations": dilations}
    y, launches = check("convolution", [x, filters], window)
    assert any(launch.kernel.kernel.name == "slide" for launch in launches.launches)
    g = random.normal(size=y.shape).astype(np.float32)
    check("convolution_backprop_input", [g, filters], {"input_shape": shape[1:], **window})
    check("convolution_backprop_filter", [x, g], {"filter_shape": filter_shape, **window})


# The same, of few channels on one side or the other.
FEW = {
    "three": ((2, 7, 6, 5), (3, 3, 5, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    "stride": ((1, 9, 8, 4), (3, 2, 4, 2), (2, 3), ((0, 0), (1, 0)), (1, 1)),
    "dilation": ((1, 9, 9, 33), (2, 3, 33, 4), (1, 1), ((1, 2), (0, 3)), (2, 3)),
    "line": ((3, 40, 8), (5, 8, 1), (2,), ((2, 2),), (1,)),
    "volume": ((1, 4, 3, 5, 8), (2, 2, 2, 8, 3), (1, 1, 1), ((0, 1), (0, 0), (1, 0)), (1, 1, 1)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("case", FEW)
def test_convolutions_to_few_channels(case, dtype):
    shape, filter_shape, strides, padding, dilations = FEW[case]
    random = np.random.default_rng(0)
    x, filters = ((5 * random.normal(size=size)).astype(dtype) for size in (shape, filter_shape))
    window = {"strides": strides, "padding": padding, "dilations": dilations}
    _, launches = check("convolution", [x, filters], window)
    names = [launch.kernel.kernel.name for launch in launches.launches]
    assert names == ["spread_filters", "slide"]
    if dtype != "int32":  # the other way round: a cotangent of many channels, filters of an input of few
        turned = np.ascontiguousarray(np.swapaxes(filters, -1, -2))
        few = np.zeros((*shape[:-1], filter_shape[-1]), dtype)
        g = random.normal(size=np.asarray(TABLE["convolution"].run(few, turned, **window)).shape).astype(dtype)
        _, launches = check("convolution_backprop_input", [g, turned], {"input_shape": few.shape[1:], **window})
        names = [launch.kernel.kernel.name for launch in launches.launches]
        assert names[0] == "spread_filters"
        assert set(names[1:]) == {"slide"}


@pytest.mark.parametrize("padding", [((0, 0), (0, 0)), ((1, 0), (0, 1))])
def test_pooling_and_its_gradients_have_the_cpus_bits(padding):
    random = np.random.default_rng(0)
    x = random.integers(-3, 3, (2, 7, 6, 19)).astype(np.float32)  # with equal elements in a window
    x[1, 2, 3, 4] = np.nan
    window = {"kernel": (3, 2), "strides": (2, 1), "padding": padding, "dilations": (1, 1)}
    for mean in (False, True):
        y = np.asarray(TABLE["avg_pool" if mean else "max_pool"].run(x, **window))
        g = random.normal(size=y.shape).astype(np.float32)
        given = (
            ("avg_pool_gradient", [g], {"input_shape": x.shape[1:]}) if mean else ("max_pool_scatter", [x, y, g], {})
        )
        for name, inputs, more in (("avg_pool" if mean else "max_pool", [x], {}), given):
            row = TABLE[name]
            wanted = np.asarray(row.run(*inputs, **more, **window))
            found = np.full_like(wanted, 7)
            launches = row_launches_on_device(row, inputs, [found], {**more, **window})
            assert run_on_simulation(launches, inputs, [found]) is None
            assert found.tobytes() == wanted.tobytes()
