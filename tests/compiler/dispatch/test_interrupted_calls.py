"""Ctrl-C at the moment in which a call has just taken a lock."""

import threading

import pytest

import fastgrad as tf
from fastgrad._src.compiler.dispatch import eager_execution, locking
from fastgrad._src.compiler.dispatch.captures import CALL_CHANGED
from fastgrad._src.core.variable import writer_lock


class Interrupted:
    """A lock whose ``acquire`` is followed by Ctrl-C."""

    def __init__(self, lock):
        self._lock, self.release, self._is_owned = lock, lock.release, lock._is_owned

    def acquire(self, *args, **options):
        assert self._lock.acquire(timeout=0)
        raise KeyboardInterrupt


def is_unplaced(lock):
    """Whether another thread can have the lock."""
    free = []

    def look():
        free.append(lock.acquire(timeout=0))
        if free[0]:
            lock.release()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    return free[0]


def called(calls):
    """A function that was called so many times."""
    v = tf.Variable(0.0)
    step = tf.function(lambda x: v.assign_add(x) * 2.0)
    for _ in range(calls):
        step(tf.constant(1.0))
    return step


@pytest.mark.parametrize("calls", [0, 1, 4])
def test_recordings_and_replays_leave_their_turn(monkeypatch, calls):
    step, lock = called(calls), locking.recording_lock.lock
    with monkeypatch.context() as context:
        context.setattr(step._state, "entry", lambda args, kwargs: CALL_CHANGED)
        context.setattr(step._state, "recent", ())
        context.setattr(locking.recording_lock, "lock", Interrupted(lock))
        with pytest.raises(KeyboardInterrupt):
            step(tf.constant(1.0))
    assert is_unplaced(lock)
    assert locking.fast_path_block_count == [0]
    assert float(step(tf.constant(1.0))) == 2.0 * (calls + 1)


def test_an_entry_leaves_the_lock_of_writers(monkeypatch):
    step, lock = called(4), writer_lock.lock
    with monkeypatch.context() as context:
        context.setattr(writer_lock, "lock", Interrupted(lock))
        with pytest.raises(KeyboardInterrupt):
            step(tf.constant(1.0))
    assert is_unplaced(lock)
    assert float(step(tf.constant(1.0))) == 10.0


def test_an_entry_within_a_writer_gives_back_its_own_hold_alone(monkeypatch):
    step, lock = called(4), writer_lock.lock
    with lock:
        with monkeypatch.context() as context:
            context.setattr(writer_lock, "lock", Interrupted(lock))
            with pytest.raises(KeyboardInterrupt):
                step(tf.constant(1.0))
        assert not is_unplaced(lock)
    assert is_unplaced(lock)


def test_a_recording_that_is_interrupted_at_its_end_leaves_no_eager_step(monkeypatch):
    monkeypatch.setattr(eager_execution, "_op_determinism", [True])
    v = tf.Variable(0.0)
    step = tf.function(lambda x: v.assign_add(x) * 2.0)

    def interrupt(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(step._state.cache, "add", interrupt)
        with pytest.raises(KeyboardInterrupt):
            step(tf.constant(1.0))
    assert float(v) == 0.0  # the program computes it when it is called again
    assert float(step(tf.constant(1.0))) == 2.0
