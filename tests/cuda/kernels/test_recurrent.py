"""Recurrent layers over time on a simulated GPU, both ways, are the CPU's, for sizes that fill no tile."""

import numpy as np
import pytest

from fastgrad._src.compiler.programs.lowering import launches_of_row
from fastgrad._src.core.operation import TABLE
from fastgrad._src.cuda.kernels.choice import GPU_TARGET, row_launches_on_device
from fastgrad._src.kernels.runtime.launch import run_launches
from tests.cuda.simulation.lock_step import run_on_simulation
from tests.kernels.in_place import written_over

GATES = {"lstm": 4, "gru": 3, "simple_rnn": 1}
STATES = {"lstm": 2, "gru": 1, "simple_rnn": 1}
# Units, sequences and time steps.
SIZES = [(1, 1, 1), (3, 5, 7), (33, 1, 7), (65, 5, 1), (9, 34, 2)]


def layer(name, units, batch, steps, dtype, masked):
    """What a row takes: projected inputs, the recurrent kernel, the bias, the first states, and maybe a mask."""
    random = np.random.default_rng(units)
    width = GATES[name] * units
    shapes = [(steps, batch, width), (units, width), (2, width) if name == "gru" else (width,)]
    shapes += [(batch, units)] * STATES[name]
    scales = 1, units**-0.5, 1, 1, 1
    drawn = [(scale * random.normal(size=shape)).astype(dtype) for shape, scale in zip(shapes, scales, strict=False)]
    return [*drawn, random.random((steps, batch)) > 0.4] if masked else drawn


def gradient_inputs(name, inputs, results, has):
    """What the gradient's row takes, with cotangents of all states and of the last ones, as `has` says."""
    random = np.random.default_rng(1)
    kept = {"lstm": (2, 1), "gru": (2, 1, 0), "simple_rnn": (0,)}[name]
    behind = {"lstm": (0, 3, 4), "gru": (0, 3), "simple_rnn": (0, 1)}[name]
    cotangents = [random.normal(size=results[i].shape).astype(inputs[0].dtype) for i in behind]
    given = [g for g, there in zip(cotangents, has[1:], strict=True) if there]
    return [*[results[i] for i in kept], inputs[1], *([inputs[-1]] if has[0] else []), *given]


def on_gpu(name, inputs, wanted, attributes):
    found = [np.full_like(y, np.nan) for y in wanted]
    launches = row_launches_on_device(TABLE[name], inputs, found, attributes)
    assert run_on_simulation(launches, inputs, found) is None
    return found


def check(name, inputs, **attributes):
    """The CPU's results, which are the GPU's; both are about as near to those in float64."""
    wanted = TABLE[name].run(*inputs, **attributes)
    found = on_gpu(name, inputs, wanted, attributes)
    exact = TABLE[name].run(*[x if x.dtype == bool else x.astype(np.float64) for x in inputs], **attributes)
    small = 2e-14 if inputs[0].dtype == np.float64 else 5e-6
    for ours, theirs, truth in zip(found, wanted, exact, strict=True):
        size = np.abs(truth).max(initial=1)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=small * size)
        if inputs[0].dtype == np.float32:
            assert np.abs(ours - truth).max() <= 3 * np.abs(theirs - truth).max() + 5e-7 * size
    return wanted


@pytest.mark.parametrize("name", GATES)
@pytest.mark.parametrize(("units", "batch", "steps"), SIZES)
def test_layers_and_their_gradients(name, units, batch, steps):
    for dtype, masked in ((np.float32, True), (np.float64, False)):
        inputs = layer(name, units, batch, steps, dtype, masked)
        wanted = check(name, inputs)
        for of_all, of_last in ((True, False), (False, True)):
            has = (masked, of_all, *[of_last] * STATES[name])
            check(f"{name}_gradient", gradient_inputs(name, inputs, wanted, has), has=has)


@pytest.mark.parametrize("name", GATES)
def test_layers_have_the_cpus_bits(name):
    """Also where a CPU's panels have many columns, and a GPU's have one."""
    inputs = layer(name, 65, 9, 2, np.float32, masked=False)
    on_cpu = [np.full_like(y, np.nan) for y in TABLE[name].run(*inputs)]
    assert run_launches(launches_of_row(TABLE[name], inputs, on_cpu, {}), inputs, on_cpu) is None
    for ours, theirs in zip(on_gpu(name, inputs, on_cpu, {}), on_cpu, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", GATES)
def test_results_may_lie_where_inputs_were(name):
    inputs = layer(name, 9, 3, 3, np.float32, masked=False)
    wanted = TABLE[name].run(*inputs)
    has = (False, *[True] * (1 + STATES[name]))
    given = gradient_inputs(name, inputs, wanted, has)
    of_wanted = TABLE[f"{name}_gradient"].run(*given, has=has)
    for row, arrays, expected, attributes in (
        (name, inputs, wanted, {}),
        (f"{name}_gradient", given, of_wanted, {"has": has}),
    ):
        arrays = [x.copy() for x in arrays]
        found = [np.full_like(y, np.nan) for y in expected]
        launches = row_launches_on_device(TABLE[row], arrays, found, attributes)
        places = dict(launches.in_place)
        for output, source in places.items():
            found[output] = arrays[source]
        same = written_over(launches, arrays, found, places, GPU_TARGET.compiler)
        assert run_on_simulation(same, arrays, found) is None
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", GATES)
def test_without_time_steps_the_last_state_is_the_first(name):
    inputs = layer(name, 9, 3, 0, np.float32, masked=False)
    before = inputs[3]
    gates = np.empty((0, 3, 9 * GATES[name]), np.float32)
    states, last = np.full((1, *before.shape), np.nan, np.float32), np.full_like(before, np.nan)
    results = {
        "lstm": [states, states.copy(), gates, last, last.copy()],
        "gru": [states, np.empty((0, *before.shape), np.float32), gates, last],
        "simple_rnn": [states, last],
    }[name]
    assert run_on_simulation(row_launches_on_device(TABLE[name], inputs, results, {}), inputs, results) is None
    np.testing.assert_array_equal(states[0], before)
    np.testing.assert_array_equal(last, before)


@pytest.mark.parametrize("name", GATES)
def test_a_nan_stays_in_its_sequence(name):
    inputs = layer(name, 9, 4, 3, np.float32, masked=False)
    inputs[0][1, 2, 5] = np.nan
    found = on_gpu(name, inputs, TABLE[name].run(*inputs), {})
    last = found[{"lstm": 3, "gru": 3, "simple_rnn": 1}[name]]
    np.testing.assert_array_equal(np.isnan(last).all(axis=1), [False, False, True, False])
    assert not np.isnan(last[[0, 1, 3]]).any()
