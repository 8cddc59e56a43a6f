"""Work of eager operations on all threads of the team: the same bits as on one."""

import gc
import weakref

import numpy as np
import pytest

from fastgrad.kernels.recurrent.lstm import lstm_launches
from fastgrad.kernels.running import at_once
from fastgrad.kernels.running.at_once import run_at_once
from fastgrad.kernels.running.launch import Launch, Launches
from fastgrad.kernels.running.team import team


@pytest.fixture
def threads():
    """The team, whose number of threads is set back."""
    before = team.threads
    yield team.resize
    team.resize(before)


def arrays(steps, batch, units):
    r = np.random.default_rng(0)
    shapes = [(steps, batch, 4 * units), (units, 4 * units), (4 * units,), (batch, units), (batch, units)]
    return [r.normal(size=shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("shape", [(20, 33, 64), (9, 70, 33), (40, 8, 64)])
def test_any_number_of_threads_gives_the_same_bits(threads, shape):
    steps, batch, units = shape
    inputs = arrays(*shape)
    states, last = (steps + 1, batch, units), (batch, units)
    found = set()
    for count in (1, 2, 3, 5):
        threads(count)
        outputs = [np.empty(size, np.float32) for size in (states, states, inputs[0].shape, last, last)]
        run_at_once(lstm_launches(inputs, outputs), inputs, outputs)
        found.add(b"".join(y.tobytes() for y in outputs))
    assert len(found) == 1


@pytest.mark.parametrize("count", [1, 2])
def test_arrays_go_with_their_last_name(threads, count):
    threads(count)
    shape = 20, 33, 64
    inputs = arrays(*shape)
    outputs = [np.empty(size, np.float32) for size in ((21, 33, 64), (21, 33, 64), inputs[0].shape, (33, 64), (33, 64))]
    kept = [weakref.ref(array) for array in (*inputs, *outputs)]
    gc.disable()
    try:
        run_at_once(lstm_launches(inputs, outputs), inputs, outputs)
        inputs, outputs = [], []
        assert [one() for one in kept] == [None] * len(kept)
    finally:
        gc.enable()


def test_operands_that_it_does_not_know_are_refused(threads, monkeypatch):
    threads(2)
    monkeypatch.setattr(at_once, "SHARED_FROM", 0.0)
    launch = lstm_launches(arrays(2, 2, 2), [])
    odd = Launches((Launch(launch.launches[0].kernel, ((1.5,),)),))
    with pytest.raises(TypeError, match=r"pack_matrix.*1\.5"):
        run_at_once(odd, [], [])
