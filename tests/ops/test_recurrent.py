"""Recurrent operations: the kernels against the same steps written in operations, and bits that depend on nothing else.

Layers built of them are compared with NumPy in tests/keras/layers/test_recurrent.py.
"""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core.operation import TABLE
from fastgrad._src.ops import recurrent
from tests.gradients import gradient_of

GATES = {"lstm": 4, "gru": 3, "simple_rnn": 1}
RNG = np.random.default_rng(5)


def inputs_of(kind, steps, batch, units, dtype="float64", scale=0.5):
    """Projected inputs (time, batch, ...), recurrent kernel, bias and first states."""
    width = GATES[kind] * units
    states = [(batch, units)] * (2 if kind == "lstm" else 1)
    shapes = [(steps, batch, width), (units, width), (2, width) if kind == "gru" else (width,), *states]
    return [(RNG.normal(size=shape) * scale).astype(dtype) for shape in shapes]


def results(kind, arrays, mask=None):
    given = [] if mask is None else [tf.constant(mask)]
    return [y.numpy() for y in TABLE[kind](*map(tf.constant, arrays), *given)]


STEPS = {"lstm": recurrent._lstm_steps, "gru": recurrent._gru_steps}


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 7), (33, 2, 40), (9, 3, 129), (2, 2, 400)])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", STEPS)
def test_kernels_give_what_the_steps_in_operations_give(kind, masked, shape):
    arrays = inputs_of(kind, *shape, scale=1 / np.sqrt(shape[2] + 1))
    mask = RNG.random(shape[:2]) > 0.3 if masked else None
    given = [] if mask is None else [tf.constant(mask)]
    for mine, theirs in zip(results(kind, arrays, mask), STEPS[kind](*map(tf.constant, arrays), *given), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-13)
    for mine, theirs in zip(
        results(kind, [a.astype(np.float32) for a in arrays], mask), results(kind, arrays, mask), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


GRADIENTS = {
    "lstm": (recurrent._lstm_gradient_steps, "lstm_gradient", 3),
    "gru": (recurrent._gru_gradient_steps, "gru_gradient", 2),
    "simple_rnn": (recurrent._simple_rnn_gradient_steps, "simple_rnn_gradient", 2),
}


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 4, 7), (33, 2, 40), (2, 3, 150)])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", GRADIENTS)
def test_gradient_kernels_give_what_the_steps_in_operations_give(kind, masked, shape):
    arrays = inputs_of(kind, *shape, scale=1 / np.sqrt(shape[2] + 1))
    mask = RNG.random(shape[:2]) > 0.3 if masked else None
    given = [tf.constant(mask)] if masked else []
    found = TABLE[kind](*map(tf.constant, arrays), *given)
    kernel = tf.constant(arrays[1])
    if kind == "lstm":
        read = [found[2], found[1], kernel]
    elif kind == "gru":
        read = [found[2], found[1], found[0], kernel]
    else:
        read = [found[0], kernel]
    steps, name, count = GRADIENTS[kind]
    states, last = (shape[0] + 1, *shape[1:]), shape[1:]
    for here in np.ndindex(*(2,) * count):
        if not any(here):
            continue
        has = (masked, *map(bool, here))
        cotangents = [
            tf.constant(RNG.normal(size=size))
            for there, size in zip(here, (states, last, last)[:count], strict=True)
            if there
        ]
        mine = TABLE[name](*read, *given, *cotangents, has=has)
        for one, other in zip(mine, steps(*read, *given, *cotangents, has=has), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
        narrow = [[tf.cast(x, tf.float32) for x in some] for some in (read, cotangents)]
        for one, other in zip(TABLE[name](*narrow[0], *given, *narrow[1], has=has), mine, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * max(1, np.abs(other).max()))


@pytest.mark.parametrize("units", [5, 64])
@pytest.mark.parametrize("kind", GATES)
def test_a_sequence_has_the_same_bits_in_any_batch(kind, units):
    arrays = inputs_of(kind, 3, 37, units, "float32")
    whole = results(kind, arrays)
    for rows in (slice(0, 1), slice(30, 37), slice(7, 20)):
        part = [arrays[0][:, rows], *arrays[1:3], *[state[rows] for state in arrays[3:]]]
        for mine, theirs in zip(results(kind, part), whole, strict=True):
            np.testing.assert_array_equal(mine, theirs[:, rows] if theirs.ndim == 3 else theirs[rows])


@pytest.mark.parametrize("kind", GATES)
def test_results_are_the_same_wherever_arrays_lie(kind):
    arrays = inputs_of(kind, 9, 3, 21, "float32")
    wanted = [y.tobytes() for y in results(kind, arrays)]
    for shift in (4, 12, 20, 44):
        moved = []
        for array in arrays:
            room = np.empty(array.nbytes + 64, np.uint8)[shift : shift + array.nbytes]
            moved.append(room.view(array.dtype).reshape(array.shape))
            moved[-1][...] = array
        assert [y.tobytes() for y in results(kind, moved)] == wanted


@pytest.mark.parametrize("kind", GATES)
def test_what_is_not_a_number_stays_in_its_sequence(kind):
    arrays = inputs_of(kind, 5, 4, 3)
    arrays[0][2, 1] = np.nan
    hs = results(kind, arrays)[0]
    assert np.isnan(hs[3:, 1]).all()
    assert np.isfinite(hs[:3, 1]).all()
    assert np.isfinite(hs[:, [0, 2, 3]]).all()


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_forward_mode_agrees_with_backward_mode(kind):
    layer = getattr(tf.keras.layers, kind)(3, return_sequences=True, dtype="float64")
    x, direction = (tf.constant(RNG.normal(size=(2, 3, 2))) for _ in range(2))
    layer(x)
    with tf.autodiff.ForwardAccumulator(x, direction) as forward:
        y = layer(x)
    product = forward.jvp(y)
    np.testing.assert_allclose(
        tf.reduce_sum(gradient_of(lambda x: tf.reduce_sum(layer(x) * product), x) * direction),
        tf.reduce_sum(product * product),
        rtol=1e-9,
    )
