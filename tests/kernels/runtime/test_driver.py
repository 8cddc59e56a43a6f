"""The driver runs steps in order, binds arrays that fit, stops where a step says so, and shares work with a pool."""

import os
import threading
import time

import numpy as np
import pytest

from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.runtime import driver
from fastgrad._src.kernels.runtime import thread_pool as team_module
from fastgrad._src.kernels.runtime.thread_pool import (
    LEAST_ALONE_TIMES_WAIT,
    SINGLE_WAIT_TIMES_WAIT,
    ThreadPool,
    begin_on_free_pool,
    compute_pool,
    continue_on_free_pool,
)
from tests.kernels.runtime.driver_programs import Program, add_to, address


@kernel("x: in[float64], wanted: float, first: int, last: int -> int")
def first_equal(x, wanted, first, last):
    for i in range(first, last):
        if x[i] == wanted:
            return i
    return -1


def test_steps_run_in_order_and_the_driver_can_go_on():
    x, y = np.arange(6.0), np.zeros(6)
    step = add_to[x.dtype], [address(x), address(y)], 6, 1
    back = add_to[x.dtype], [address(y), address(x)], 6, 1
    program = Program([step, step, back])
    assert driver.begin_program[()]((), program.frame, 1) == driver.RAN_TO_END
    np.testing.assert_array_equal(y, np.arange(6.0))
    assert driver.continue_program[()](program.frame, 1, 3) == driver.RAN_TO_END
    np.testing.assert_array_equal(y, 2 * np.arange(6.0))
    np.testing.assert_array_equal(x, 3 * np.arange(6.0))


@pytest.mark.parametrize(
    "other",
    [
        np.ones((3, 2)), np.ones((2, 3, 1)), np.ones(6), np.ones((2, 3), np.float32), np.ones((2, 3), ">f8"),
        np.asfortranarray(np.ones((2, 3))), np.ones((2, 6))[:, ::2], np.ma.ones((2, 3)),
        [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], None,
    ],
    ids=repr,
)  # fmt: skip
def test_only_arrays_that_fit_are_bound(other):
    x, y = np.ones((2, 3)), np.zeros((2, 3))
    program = Program([(add_to[x.dtype], [0, address(y)], 6, 1)], wanted=x)
    begin = driver.begin_program[()]
    assert begin((x,), program.frame, 1) == driver.RAN_TO_END
    assert begin((other,), program.frame, 1) == 0
    assert begin((x, x), program.frame, 1) == 1
    assert begin((), program.frame, 1) == 1
    np.testing.assert_array_equal(y, 1.0)
    read_only = x.copy()
    read_only.flags.writeable = False
    assert begin((read_only,), program.frame, 1) == driver.RAN_TO_END
    with pytest.raises(TypeError, match="must be a tuple"):
        begin([x], program.frame, 1)


def test_a_step_that_answers_stops_the_program():
    x, y, three = np.arange(6.0), np.zeros(6), np.array([3.0])
    program = Program(
        [
            (add_to[x.dtype], [address(x), address(y)], 6, 1),
            (first_equal[()], [address(x), address(three)], 6, 1),
            (add_to[x.dtype], [address(x), address(y)], 6, 1),
        ]
    )
    for begin in (driver.begin_program[()], driver.begin_without_gil[()]):
        y[:] = 0
        assert begin((), program.frame, 3) == driver.STOPPED
        assert program.frame[driver.STOPPED_AT] == 1
        assert program.frame[driver.STATUS] == 3
        np.testing.assert_array_equal(y, x)
    three[0] = 9
    assert driver.begin_program[()]((), program.frame, 3) == driver.RAN_TO_END


@pytest.fixture
def three_threads():
    before = compute_pool.threads
    compute_pool.resize(3)
    yield compute_pool
    compute_pool.resize(before)


def test_shares_are_all_done_once(three_threads):
    x, y = np.ones(10_000, np.float32), np.zeros(10_000, np.float32)
    program = Program([(add_to[x.dtype], [address(x), address(y)], 10_000, shares) for shares in (1, 7, 40, 2)])
    for run in range(1, 300):
        compute_pool._alone_until = 0  # whatever else the machine has to do
        assert begin_on_free_pool((), program.frame, 2) == driver.RAN_TO_END
        assert continue_on_free_pool(program.frame, 2, 4) == driver.RAN_TO_END
        assert (y == 4 * run).all()
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("fastgrad-"))


def test_a_chain_is_gone_through_share_by_share(three_threads):
    x, y, z = np.ones(1000), np.zeros(1000), np.zeros(1000)
    steps = [(add_to[x.dtype], [address(a), address(b)], 1000, shares) for a, b, shares in ((x, y, 8), (y, z, 2))]
    program = Program([*steps, *steps])
    program.steps[0, 5] = 3  # the fourth is no part of it
    y_there = z_there = 0
    for _ in range(100):
        compute_pool._alone_until = 0
        assert (
            begin_on_free_pool((), program.frame, 2) == driver.RAN_TO_END
        )  # it ends before the chain does: so there is none
        assert begin_on_free_pool((), program.frame, 4) == driver.RAN_TO_END
        for _ in range(3):
            y_there += 1
            z_there += y_there
        np.testing.assert_array_equal(y, y_there)
        np.testing.assert_array_equal(z, z_there)


def test_what_waits_is_done_once_at_the_end_of_a_chain(three_threads):
    x, y, z = np.ones(1000), np.zeros(1000), np.zeros(1000)
    steps = [
        (add_to[x.dtype], [address(a), address(b)], 1000, shares) for a, b, shares in ((x, y, 8), (y, z, 1), (x, y, 8))
    ]
    program = Program(steps)
    program.steps[0, 5] = 3
    program.steps[1, 4] = 0
    for run in range(1, 50):
        compute_pool._alone_until = 0
        z[:] = 0
        assert begin_on_free_pool((), program.frame, 3) == driver.RAN_TO_END
        np.testing.assert_array_equal(y, 2 * run)
        np.testing.assert_array_equal(z, 2 * run)  # not before the third step


def test_the_first_answer_wins_whoever_finds_it(three_threads):
    x, zero = np.ones(4096), np.zeros(1)
    program = Program([(first_equal[()], [address(x), address(zero)], 4096, 64)])
    for place in (4000, 2000, 64, 63):
        x[place] = 0
        assert begin_on_free_pool((), program.frame, 1) == driver.STOPPED
        assert program.frame[driver.STATUS] == place
        x[place:] = 0
    x[:] = 1
    assert begin_on_free_pool((), program.frame, 1) == driver.RAN_TO_END


def test_workers_park_and_are_woken(three_threads):
    x, y = np.ones(1000), np.zeros(1000)
    program = Program([(add_to[x.dtype], [address(x), address(y)], 1000, 10)])
    begin_on_free_pool((), program.frame, 1)
    parked = [driver.FIRST_PARKED_FLAG, driver.FIRST_PARKED_FLAG + driver.CACHE_LINE_WORDS]
    deadline = time.monotonic() + 300
    while not all(compute_pool.words[place] for place in parked):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    for run in range(2, 20):
        assert begin_on_free_pool((), program.frame, 1) == driver.RAN_TO_END
        assert (y == run).all()
        time.sleep(0.002)


def test_programs_run_alone_after_one_that_has_waited_long(three_threads, monkeypatch):
    """For some times as long as it has waited: how many programs there are meanwhile does not matter."""
    now = 1000
    monkeypatch.setattr(team_module, "_now_ticks", lambda: now)
    alone = []
    for stalled in (100, 100, 0, 100, 10, 0):
        began = now
        while not compute_pool.is_worth_using():
            now += 10
        alone.append(now - began)
        compute_pool.start_or_wake_workers()
        compute_pool.words[driver.STALLED_TICKS] = stalled
        compute_pool.words[driver.SHARED_TICKS] = 150 if stalled == 100 else 15
        compute_pool.record_program_end()
    assert alone == [0, *(times * LEAST_ALONE_TIMES_WAIT for times in (100, 200, 0, 200, 40))]


def test_a_single_long_wait_leaves_the_team_to_the_next(three_threads, monkeypatch):
    """Soon after it, the next one is no single one; the time alone does not count as time without a wait."""
    now = 100_000
    monkeypatch.setattr(team_module, "_now_ticks", lambda: now)
    used = []
    for later in (
        0,
        SINGLE_WAIT_TIMES_WAIT * 100 + 1,
        SINGLE_WAIT_TIMES_WAIT * 100,
        100 * LEAST_ALONE_TIMES_WAIT,
        5000,
    ):
        now += later
        compute_pool.start_or_wake_workers()
        compute_pool.words[driver.STALLED_TICKS], compute_pool.words[driver.SHARED_TICKS] = 100, 150
        compute_pool.record_program_end()
        used.append(compute_pool.is_worth_using())
    assert used == [True, True, False, False, True]


def test_a_program_that_waited_less_than_it_worked_leaves_the_team_to_the_next(three_threads):
    assert compute_pool.is_worth_using()
    compute_pool.start_or_wake_workers()
    compute_pool.words[driver.STALLED_TICKS], compute_pool.words[driver.SHARED_TICKS] = 40, 100
    compute_pool.record_program_end()
    assert compute_pool.is_worth_using()
    compute_pool.record_program_end()


def test_the_clock_goes_on():
    before = driver.clock_ticks[()]()
    time.sleep(0.01)
    assert driver.clock_ticks[()]() > before


def test_programs_of_several_threads_at_once(three_threads):
    def work(seen):
        x, y = np.ones(5000), np.zeros(5000)
        program = Program([(add_to[x.dtype], [address(x), address(y)], 5000, 20)] * 5)
        for _ in range(100):
            assert begin_on_free_pool((), program.frame, 5) == driver.RAN_TO_END
        seen.append((y == 500).all())

    seen = []
    threads = [threading.Thread(target=work, args=(seen,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_after_a_fork_parent_and_child_have_teams(three_threads):
    x, y = np.ones(5000), np.zeros(5000)
    program = Program([(add_to[x.dtype], [address(x), address(y)], 5000, 20)])
    begin_on_free_pool((), program.frame, 1)
    child = os.fork()
    if child == 0:
        fine = begin_on_free_pool((), program.frame, 1) == driver.RAN_TO_END and (y == 2).all()
        os._exit(0 if fine else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert begin_on_free_pool((), program.frame, 1) == driver.RAN_TO_END
    assert (y == 2).all()


def test_a_team_of_one_has_no_workers():
    alone = ThreadPool()
    alone.resize(1)
    assert alone.threads == 1
    with alone.lock:
        alone.start_or_wake_workers()
    assert not alone._workers
