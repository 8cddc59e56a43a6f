"""Threads that stand on one processor are moved apart, once, and nothing else is changed."""

import hashlib
import os
import threading
import time

import numpy as np
import pytest

from fastgrad._src.kernels.runtime import thread_pool as team_module
from fastgrad._src.kernels.runtime import thread_spreading
from fastgrad._src.kernels.runtime.thread_pool import compute_pool
from fastgrad._src.kernels.runtime.thread_spreading import ThreadSpreader
from tests.kernels.runtime.driver_programs import Program, add_to, address

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2, reason="takes Linux and two processors"
)


class Busy(threading.Thread):
    """A thread that computes without the GIL until it is told to end."""

    def __init__(self):
        super().__init__(daemon=True)
        self.goes_on = True
        self.start()

    def run(self):
        while self.goes_on:
            hashlib.pbkdf2_hmac("sha256", b"fast", b"grad", 50_000)


@pytest.fixture
def here():
    """The one processor that the calling thread is bound to meanwhile, and those that it may have otherwise."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    yield min(allowed), allowed
    os.sched_setaffinity(0, allowed)


@pytest.fixture
def busy():
    thread = Busy()
    spread = ThreadSpreader([thread.native_id])
    yield thread.native_id, spread
    spread.close()
    thread.goes_on = False
    thread.join()


def processor_of(thread):
    with open(f"/proc/self/task/{thread}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[thread_spreading.PROCESSOR_FIELD])


def moved_within(seconds, spread, thread, processor, allowed):
    """Whether it is moved in one of some attempts, as the system itself may move it first."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        os.sched_setaffinity(thread, {processor})
        os.sched_setaffinity(thread, allowed)
        if spread.separate_threads():
            return True
    return False


def test_a_thread_on_the_callers_processor_is_moved_and_may_go_anywhere(here, busy):
    (thread, spread), (processor, allowed) = busy, here
    assert moved_within(20, spread, thread, processor, allowed)
    assert processor_of(thread) != processor
    assert os.sched_getaffinity(thread) == allowed


def test_a_thread_that_may_run_nowhere_else_stays(here, busy):
    (thread, spread), (processor, _) = busy, here
    os.sched_setaffinity(thread, {processor})
    for _ in range(20):
        assert spread.separate_threads() == 0
    assert os.sched_getaffinity(thread) == {processor}


def test_a_thread_that_sleeps_is_not_moved(here):
    ends = threading.Event()
    thread = threading.Thread(target=ends.wait, daemon=True)
    thread.start()
    spread = ThreadSpreader([thread.native_id])
    time.sleep(0.05)
    assert spread.separate_threads() == 0
    ends.set()
    thread.join()
    assert spread.separate_threads() == 0  # it is no more
    spread.close()


def test_where_threads_cannot_be_moved_they_are_left(here, busy, monkeypatch):
    (thread, spread), (processor, allowed) = busy, here

    def refuse(*_):
        raise PermissionError("not here")

    os.sched_setaffinity(thread, {processor})
    monkeypatch.setattr(thread_spreading.os, "sched_getaffinity", lambda _: allowed)
    monkeypatch.setattr(thread_spreading.os, "sched_setaffinity", refuse)
    deadline = time.monotonic() + 300
    while spread._files and time.monotonic() < deadline:
        assert spread.separate_threads() == 0
    assert not spread._files  # it has tried, and does not try again


def test_a_team_looks_now_and_then(monkeypatch):
    looks = []
    monkeypatch.setattr(ThreadSpreader, "separate_threads", lambda self: looks.append(time.monotonic()))
    before = compute_pool.threads
    compute_pool.resize(2)
    try:
        x, y = np.ones(1000), np.zeros(1000)
        program = Program([(add_to[x.dtype], [address(x), address(y)], 1000, 10)])
        deadline = time.monotonic() + 300  # other processes may have the processors
        while len(looks) < 4 and time.monotonic() < deadline:
            compute_pool._alone_until = 0
            team_module.begin_on_free_pool((), program.frame, 1)
    finally:
        compute_pool.resize(before)
    assert len(looks) == 4
    assert np.diff(looks).min() > 0.9 * team_module.SECONDS_BETWEEN_SPREADING
