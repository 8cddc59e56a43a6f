"""Steps that threads go through share by share: what they are, and that results do not know of them."""

import re

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.programs import chains, frame
from fastgrad._src.compiler.programs.buffers import ByteExtent
from fastgrad._src.compiler.programs.chains import ArrayAccess
from fastgrad._src.compiler.programs.program import Program
from fastgrad._src.jit.isa import host_isa
from fastgrad._src.kernels.runtime import driver
from fastgrad._src.kernels.runtime.thread_pool import compute_pool
from tests.compiler.recorded import record


def network(width, layers):
    """A loss of a batch with gradients of all weights, which start the same each time."""
    tf.random.set_seed(5)
    model = tf.keras.Sequential()
    for _ in range(layers):
        model.add(tf.keras.layers.Dense(width))
        model.add(tf.keras.layers.LayerNormalization())
        model.add(tf.keras.layers.Activation("gelu"))
    model.build((None, width))

    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(x) - 1.0))
        return [loss, *tape.gradient(loss, model.trainable_variables)]

    return step


def chains_in(program):
    """For each chain how many steps it has and how many shares."""
    made = frame.Frame(program.plan)
    count = made.steps[-1].stop
    start = (made.words[driver.STEPS] - made.words.ctypes.data) // 8
    table = made.words[start:][: driver.STEP_WORDS * count].reshape(count, driver.STEP_WORDS)
    return [(int(row[5]), int(row[3])) for row in table if row[5] > 1]


def results(step, x, threads):
    graph, _ = record(step, x)
    program = Program(graph)
    before = compute_pool.threads
    compute_pool.resize(threads)
    try:
        found = []
        for _ in range(3):
            compute_pool._alone_until = 0  # whatever else the machine has to do
            found.append([np.asarray(y).tobytes() for y in program([x])])
        return program, found
    finally:
        compute_pool.resize(before)


@pytest.mark.parametrize(("rows", "width"), [(64, 128), (128, 64), (256, 32), (40, 96), (48, 200), (50, 64)])
def test_rows_go_through_all_layers_and_bits_stay(rows, width, monkeypatch):
    x = np.random.default_rng(1).normal(size=(rows, width)).astype(np.float32)
    with monkeypatch.context() as patch:
        patch.setattr(frame, "chains_of", lambda steps: [])
        plain, (wanted, *_) = results(network(width, 4), x, 1)
        assert not chains_in(plain)
    for threads in (1, 2, 3):
        program, found = results(network(width, 4), x, threads)
        assert all(bits == wanted for bits in found)
    if rows in (64, 128):
        forward, *backward = chains_in(program)
        assert forward[0] >= 8  # for each layer a normalization, and a product with the activation before, but the last
        assert forward[1] >= 2
        if host_isa().panel_bytes == 256:  # with narrower panels each unit of a product with B transposed has all rows
            # a product with gelu's gradient, sums of rows, the normalization's gradient, their sum
            assert backward[0][0] >= 4
            assert backward[0][1] >= 2


def test_a_program_is_not_left_within_a_chain(monkeypatch):
    x = np.random.default_rng(1).normal(size=(64, 128)).astype(np.float32)
    monkeypatch.setattr(driver, "LOOP_PAUSE_INTERVAL_NANOSECONDS", 1000)
    program, found = results(network(128, 4), x, 2)
    assert len({str(bits) for bits in found}) == 1
    starts = [int(start) for start in re.findall(r"go_on\(words, (\d+), \d+\)", program.source)]
    assert starts
    assert not frame.Frame(program.plan).inside.intersection(starts)
    monkeypatch.setattr(chains, "MOST_CHAIN_NANOSECONDS", 1.0)
    assert not chains_in(program)


def test_arrays_meet_where_another_share_would_touch_what_is_written():
    rows = ArrayAccess(ByteExtent("arena", 0, 1024), True, 256)
    assert not rows.conflicts_with(ArrayAccess(ByteExtent("arena", 0, 1024), False, 256))  # each share its part
    assert rows.conflicts_with(ArrayAccess(ByteExtent("arena", 0, 1024), False, None))  # all of it
    assert rows.conflicts_with(ArrayAccess(ByteExtent("arena", 512, 1536), False, 256))  # parts lie elsewhere
    assert rows.conflicts_with(ArrayAccess(ByteExtent("arena", 0, 512), True, 128))
    assert not rows.conflicts_with(ArrayAccess(ByteExtent("arena", 1024, 2048), True, None))
    assert not rows.conflicts_with(ArrayAccess(ByteExtent("another", 0, 1024), False, None))
    assert not ArrayAccess(ByteExtent("arena", 0, 1024), False, 256).conflicts_with(
        ArrayAccess(ByteExtent("arena", 0, 64), False, None)
    )  # both only read
