"""Ctrl-C at random moments of what takes time. Run by ``test_interrupts.py``."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import fastgrad as tf
from fastgrad._src.compiler.dispatch import locking
from fastgrad._src.core.recording import recorders
from fastgrad._src.core.tape import GradientTape
from fastgrad._src.core.variable import writer_lock
from fastgrad._src.jit import cache
from fastgrad._src.kernels.runtime.thread_pool import compute_pool
from tests.reliability.faults.allocations import Training, batch, in_thread
from tests.reliability.faults.concurrency import Counter

LATE = 3.0
"""Seconds that Ctrl-C may take; machines are busy."""


def interrupted(work: Callable[[], Any], seconds: float) -> bool:
    """Whether ``work()`` ended by a KeyboardInterrupt of a signal that came after some seconds.

    Python drops an exception in a destructor or a callback of a weak reference: then the signal comes again.
    """
    sent = []
    hook = sys.unraisablehook

    def come_again(dropped: Any) -> None:
        if dropped.exc_type is KeyboardInterrupt:
            signal.setitimer(signal.ITIMER_REAL, 0.01)
        else:
            hook(dropped)

    def interrupt(number: int, frame: Any) -> None:
        sent.append(time.monotonic())
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    sys.unraisablehook = come_again
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            work()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        assert sent
        return True
    finally:
        sys.unraisablehook = hook
    return False


def check_nothing_is_held() -> None:
    """No lock, no recorder, no gate is left from an interrupted call."""
    with GradientTape():  # drops tapes that nothing refers to: a call may be interrupted while it begins one
        pass
    assert recorders.active == ()
    assert locking.fast_path_block_count == [0]
    assert not compute_pool.lock.locked()

    def acquire() -> bool:
        for lock in (locking.recording_lock.lock, writer_lock.lock):
            assert lock.acquire(timeout=60), lock
            lock.release()
        return True

    assert in_thread(acquire)


def replays(size: int, times: int, numbers: random.Random) -> int:
    """Interrupts replays of a small or a large program; each is done or not begun."""
    counter = Counter(size)
    step, x = tf.function(counter.step), tf.ones(2)

    def forever() -> None:
        while True:
            step(x)

    for _ in range(3):
        step(x)
    for _ in range(times):
        assert interrupted(forever, numbers.uniform(0.0005, 0.01))
        check_nothing_is_held()
        first, second = counter.first.numpy(), counter.second.numpy()
        assert first.min() == first.max() == second.min() == second.max(), "a step half done"
        assert float(step(x)[0]) == first[0]
    return times


def long_loops(times: int, numbers: random.Random) -> int:
    """Interrupts a loop of a program that takes minutes."""
    done = tf.Variable(0.0)

    @tf.function
    def step(n: Any) -> Any:
        x = tf.constant(0.0)
        for _ in tf.range(n):
            x = tf.sin(x) + 0.5
        done.assign_add(1.0)
        return x

    expected = min(float(step(tf.constant(50))) for _ in range(3))
    for _ in range(times):
        delay = numbers.uniform(0.05, 0.3)
        began = time.monotonic()
        assert interrupted(lambda: step(tf.constant(2_000_000_000)), delay)
        assert time.monotonic() - began < delay + LATE
        check_nothing_is_held()
        before = float(done)
        assert float(step(tf.constant(50))) == expected
        assert float(done) == before + 1.0
    return times


def first_calls(folder: str, times: int, numbers: random.Random) -> int:
    """Interrupts recording, compiling and writing to an empty kernel cache; entries are whole, and later calls are right."""
    os.environ["FASTGRAD_CACHE_DIR"] = folder
    operations = [tf.tanh, tf.exp, tf.sin, tf.cos, tf.sigmoid, tf.square, tf.atan, tf.nn.softplus]
    count = 0
    for _ in range(times):
        counter = Counter(5)
        chain, x = numbers.choices(operations, k=8), tf.constant([0.1, 0.2, 0.3])

        def chained(x: Any, counter: Counter = counter, chain: Any = tuple(chain)) -> Any:
            y = x
            for operation in chain:
                y = operation(y) * 0.5
            return (*counter.step(x), y)

        step = tf.function(lambda x, chained=chained: chained(x))

        def calls(step: Any = step, x: Any = x) -> None:
            for _ in range(4):
                step(x)

        count += interrupted(calls, numbers.uniform(0, 0.3))
        check_nothing_is_held()
        made = counter.first.numpy()
        assert made.min() == made.max() == counter.second.numpy()[0]
        expected = chained(x, Counter(5))[4].numpy()
        for call in range(4):
            results = step(x)
            assert float(results[0]) == made[0] + call
            assert np.allclose(results[4].numpy(), expected, rtol=1e-5)
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as file:
                assert name.endswith(cache.ENTRY_FILE_SUFFIX), name
                assert file.read(len(cache.MAGIC)) == cache.MAGIC
    return count


def eager_steps(times: int, numbers: random.Random) -> int:
    """Interrupts eager training; it goes on."""
    training, arguments = Training(), batch(8)

    def forever() -> None:
        while True:
            training.step(*arguments)

    training.step(*arguments)
    for _ in range(times):
        assert interrupted(forever, numbers.uniform(0.001, 0.02))
        check_nothing_is_held()
    assert np.isfinite(float(training.step(*arguments)))
    assert all(np.isfinite(value).all() for value in training.values())
    return times


def datasets(times: int, numbers: random.Random) -> int:
    """Interrupts iterations whose elements threads make; a new iteration has all elements."""

    def slow(x: Any) -> Any:
        time.sleep(0.001)
        return x.numpy() * 2

    dataset = tf.data.Dataset.range(60).map(slow, num_parallel_calls=3).prefetch(2)
    for _ in range(times):
        assert interrupted(lambda: [list(dataset) for _ in range(100)], numbers.uniform(0.005, 0.08))
        check_nothing_is_held()
    assert [int(x) for x in dataset] == list(range(0, 120, 2))
    return times


def interrupt(folder: str, times: int) -> None:
    """All of the above; prints a line for each with the number of interrupts."""
    numbers = random.Random(times)
    print("replays", replays(3, times, numbers) + replays(300_000, times, numbers), sep=": ")
    print("loops of a program", long_loops(times, numbers), sep=": ")
    print("first calls", first_calls(folder, times, numbers), sep=": ")
    print("eager steps", eager_steps(times, numbers), sep=": ")
    print("datasets with threads", datasets(times, numbers), sep=": ")
