"""Recurrent layers over time on a simulated GPU, both ways, are the CPU's, for sizes that fill no tile."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.core.operation import TABLE

pytestmark = pytest.mark.usefixtures("simulated_gpu")
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


def on_gpu(name, inputs, attributes):
    with tf.device("GPU:0"):
        results = TABLE[name](*[tf.constant(x) for x in inputs], **attributes)
    assert all(y.device.endswith("GPU:0") for y in results)
    return [y.numpy() for y in results]


def check(name, inputs, **attributes):
    """The CPU's results, which are the GPU's; both are about as near to those in float64."""
    wanted = TABLE[name].run(*inputs, **attributes)
    found = on_gpu(name, inputs, attributes)
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
def test_without_time_steps_the_last_state_is_the_first(name):
    inputs = layer(name, 9, 3, 0, np.float32, masked=False)
    results = on_gpu(name, inputs, {})
    states, last = results[0], results[{"lstm": 3, "gru": 3, "simple_rnn": 1}[name]]
    np.testing.assert_array_equal(states[0], inputs[3])
    np.testing.assert_array_equal(last, inputs[3])
    has = (False, *[True] * (1 + STATES[name]))
    given = gradient_inputs(name, inputs, results, has)
    found = on_gpu(f"{name}_gradient", given, {"has": has})
    wanted = TABLE[f"{name}_gradient"].run(*given, has=has)
    assert [y.shape for y in found] == [y.shape for y in wanted]
    np.testing.assert_array_equal(found[-STATES[name]], given[-STATES[name]] + given[-STATES[name] - 1][0])


@pytest.mark.parametrize("name", GATES)
def test_a_nan_stays_in_its_sequence(name):
    inputs = layer(name, 9, 4, 3, np.float32, masked=False)
    inputs[0][1, 2, 5] = np.nan
    found = on_gpu(name, inputs, {})
    last = found[{"lstm": 3, "gru": 3, "simple_rnn": 1}[name]]
    np.testing.assert_array_equal(np.isnan(last).all(axis=1), [False, False, True, False])
    assert not np.isnan(last[[0, 1, 3]]).any()
