"""Locks that a forked child finds free."""

import os
import threading
import time

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core.variable import writer_lock
from fastgrad._src.jit.locks import cached_once, new_lock, new_rlock

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def in_child(work):
    """Whether ``work()`` is true in a forked child."""
    child = os.fork()
    if not child:
        os._exit(0 if work() else 1)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("make", [new_lock, new_rlock])
def test_a_lock_that_another_thread_holds_is_free_in_a_child(make):
    lock, held, done = make(), threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    assert in_child(lambda: lock.acquire(timeout=0))
    assert not lock.acquire(timeout=0)
    done.set()
    thread.join()


def test_a_fork_waits_for_who_writes_a_variable():
    v, held = tf.Variable(np.zeros(2)), threading.Event()

    def write():
        with writer_lock.lock:
            v._array[0] = 1.0
            held.set()
            held.clear()
            threading.Event().wait(0.1)
            v._array[1] = 1.0

    thread = threading.Thread(target=write)
    thread.start()
    held.wait(0.05)
    assert in_child(lambda: v._array[0] == v._array[1])
    thread.join()
    assert writer_lock.lock.acquire(timeout=0)
    writer_lock.lock.release()


def test_threads_that_ask_at_once_get_one_value():
    """Two classes of one message would not take each other's objects."""
    calls, values, barrier = [], [], threading.Barrier(6)

    @cached_once
    def value():
        calls.append(threading.get_ident())
        time.sleep(0.05)  # the others come meanwhile
        return object()

    def ask():
        barrier.wait(60)
        values.append(value())

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert set(values) == {value()}
    assert len(values) == 6
