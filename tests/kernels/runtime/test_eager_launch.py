"""Work of eager operations on all threads of the compute_pool: the same bits as on one."""

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastgrad._src.kernels.movement.gathering import gather_launches
from fastgrad._src.kernels.recurrent.lstm import lstm_launches
from fastgrad._src.kernels.runtime import eager_launch
from fastgrad._src.kernels.runtime.eager_launch import EagerFrame, run_on_thread_pool
from fastgrad._src.kernels.runtime.launch import Launch, Launches
from fastgrad._src.kernels.runtime.thread_pool import compute_pool
from fastgrad._src.ops.summation import sum_over


@pytest.fixture
def threads():
    """The compute_pool, whose number of threads is set back."""
    before = compute_pool.threads
    yield compute_pool.resize
    compute_pool.resize(before)


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
        run_on_thread_pool(lstm_launches(inputs, outputs), inputs, outputs)
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
        run_on_thread_pool(lstm_launches(inputs, outputs), inputs, outputs)
        inputs, outputs = [], []
        assert [one() for one in kept] == [None] * len(kept)
    finally:
        gc.enable()


def test_operands_that_it_does_not_know_are_refused(threads, monkeypatch):
    threads(2)
    monkeypatch.setattr(eager_launch, "LEAST_POOL_NANOSECONDS", 0.0)
    launch = lstm_launches(arrays(2, 2, 2), [])
    odd = Launches((Launch(launch.launches[0].kernel, ((1.5,), *launch.launches[0].operands[1:])),))
    with pytest.raises(TypeError, match=r"pack_matrix.*1\.5"):
        run_on_thread_pool(odd, [], [])


def run_lstm(found, inputs):
    """The results of launches of an LSTM."""
    steps, batch, width = inputs[0].shape
    states, last = (steps + 1, batch, width // 4), (batch, width // 4)
    outputs = [np.empty(size, np.float32) for size in (states, states, inputs[0].shape, last, last)]
    run_on_thread_pool(found, inputs, outputs)
    return b"".join(y.tobytes() for y in outputs)


def test_the_program_of_launches_is_kept_for_other_arrays_and_made_anew_for_other_threads(threads, monkeypatch):
    inputs = arrays(20, 33, 64)
    others = [-x for x in inputs]
    wanted = [run_lstm(lstm_launches(x, []), x) for x in (inputs, others)]
    found = lstm_launches(inputs, [])
    made = []
    monkeypatch.setattr(eager_launch, "RUNS_BEFORE_FRAME", 0)
    monkeypatch.setattr(eager_launch, "EagerFrame", lambda *args: made.append(EagerFrame(*args)) or made[-1])
    for count in (2, 1, 3):
        threads(count)
        assert [run_lstm(found, x) for x in (inputs, others, inputs)] == [*wanted, wanted[0]]
    assert [frame.threads for frame in made] == [2, 1, 3]


def test_two_python_threads_have_a_program_each(threads):
    threads(2)
    given = [arrays(20, 33, 64), [-x for x in arrays(20, 33, 64)]]
    wanted = [run_lstm(lstm_launches(x, []), x) for x in given]
    found = lstm_launches(given[0], [])
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda i: run_lstm(found, given[i % 2]), range(60)))
    assert results == [wanted[i % 2] for i in range(60)]


def test_arrays_that_a_program_does_not_take_are_computed_all_the_same(threads):
    threads(2)
    inputs = arrays(20, 33, 64)
    found = lstm_launches(inputs, [])
    wanted = run_lstm(found, inputs)
    memory = np.zeros(inputs[0].nbytes + 1, np.uint8)
    odd = memory[1:].view(np.float32).reshape(inputs[0].shape)  # not aligned
    odd[...] = inputs[0]
    assert run_lstm(found, [odd, *inputs[1:]]) == wanted
    assert run_lstm(found, [inputs[0].view(np.recarray), *inputs[1:]]) == wanted
    assert run_lstm(found, [inputs[0], inputs[1], inputs[2].reshape(2, 128), *inputs[3:]]) == wanted
    with pytest.raises(TypeError, match="C-contiguous results"):
        run_on_thread_pool(found, inputs, [np.empty((21, 33, 64), np.float32)[:, ::-1]] * 5)


@pytest.mark.parametrize("count", [1, 2])
def test_a_run_says_whether_a_kernel_stopped(threads, count, monkeypatch):
    threads(count)
    monkeypatch.setattr(eager_launch, "LEAST_POOL_NANOSECONDS", 0.0)
    monkeypatch.setattr(eager_launch, "RUNS_BEFORE_FRAME", count)
    x, y, ids = np.arange(8.0).reshape(4, 2), np.empty((3, 2)), np.array([3, 0, 1])
    found = gather_launches([x, ids], [y], axis=0, batch_dims=0)
    for last, is_complete in ((1, True), (4, False), (-1, False), (2, True)):
        ids[2] = last
        assert run_on_thread_pool(found, (x, ids), (y,)) is is_complete
        if is_complete:
            np.testing.assert_array_equal(y, x[ids])


def test_the_first_runs_make_no_program(threads, monkeypatch):
    """Building a program takes longer than some runs of little work, and the shapes may not come again."""
    threads(1)
    monkeypatch.setattr(eager_launch, "RUNS_BEFORE_FRAME", 2)
    made = []
    monkeypatch.setattr(eager_launch, "EagerFrame", lambda *args: made.append(EagerFrame(*args)) or made[-1])
    x, ids = np.arange(8.0).reshape(4, 2), np.array([3, 0, 1])
    unaligned = np.zeros(x.nbytes + 1, np.uint8)[1:].view(np.float64).reshape(x.shape)
    unaligned[...] = x
    found = gather_launches([x, ids], [np.empty((3, 2))], axis=0, batch_dims=0)
    for programs in (0, 0, 1, 1):
        y = np.empty((3, 2))
        assert run_on_thread_pool(found, (unaligned if programs == 0 else x, ids), (y,))
        np.testing.assert_array_equal(y, x[ids])
        assert len(made) == programs


@pytest.mark.parametrize("count", [1, 2])
def test_results_that_start_as_an_input_do(threads, count):
    threads(count)
    x, out = np.arange(3.0), np.zeros(3)
    run_on_thread_pool(Launches((), starts_as=((0, 0),)), (x,), (out,))
    np.testing.assert_array_equal(out, x)


def test_a_kernel_called_again_makes_nothing_anew(threads, monkeypatch):
    """For arrays of the same shapes; for others it makes a program of their own."""
    threads(2)
    monkeypatch.setattr(eager_launch, "LEAST_POOL_NANOSECONDS", 0.0)
    made = []

    class Counted(EagerFrame):
        def __init__(self, *args):
            made.append(args)
            super().__init__(*args)

    monkeypatch.setattr(eager_launch, "EagerFrame", Counted)
    for shape, programs in (((37, 240), 1), ((37, 240), 1), ((240, 37), 2), ((37, 240), 2)):
        x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
        np.testing.assert_allclose(sum_over(x, (1,), False), x.sum(1, np.float64), rtol=1e-5, atol=1e-5)
        assert len(made) == programs
