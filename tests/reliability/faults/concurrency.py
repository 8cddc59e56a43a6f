"""Threads that call steps at once, and forks in the middle of what they do. Run by ``test_concurrency.py``."""

from __future__ import annotations

import faulthandler
import importlib
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from numba.core.compiler_lock import global_compiler_lock as compiler_lock

import fastgrad as tf
from fastgrad._src.kernels.elementwise import elementwise
from fastgrad._src.kernels.optimizers.update_rule import RULES

THREADS = 8


def at_once(work: Callable[[int], Any], count: int = THREADS) -> list[Any]:
    """What ``work(i)`` gives in threads that begin together."""
    results: list[Any] = [None] * count
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        barrier.wait()
        try:
            results[number] = work(number)
        except BaseException as error:  # noqa: BLE001 - raised below
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
        assert not thread.is_alive(), "a thread waits forever"
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


class Counter:
    """A step that adds one to all elements of two variables, and says what they were."""

    def __init__(self, size: int) -> None:
        self.first, self.second = tf.Variable(tf.zeros(size)), tf.Variable(tf.zeros(size))

    def step(self, x: Any) -> Any:
        before = self.first + 0.0
        self.first.assign_add(tf.ones_like(self.first))
        self.second.assign(self.second + 1.0)
        return tf.reduce_min(before), tf.reduce_max(before), tf.reduce_max(self.first - self.second), tf.reduce_sum(x)


def same_step(size: int, calls: int) -> int:
    """Eight threads call one compiled step, the first call included, each with shapes of its own; each call is a whole."""
    counter = Counter(size)
    step = tf.function(counter.step)

    def work(number: int) -> list[tuple[float, ...]]:
        xs = [tf.ones(1 + (number + i) % 3) for i in range(calls)]
        return [tuple(map(float, step(x))) for x in xs]

    seen = []
    for number, results in enumerate(at_once(work)):
        for i, (least, greatest, difference, total) in enumerate(results):
            assert least == greatest, "a value half written"
            assert difference == 0.0, "a step half done"
            assert total == 1 + (number + i) % 3
            seen.append(int(least))
    assert sorted(seen) == list(range(THREADS * calls)), "two calls began with the same state"
    assert (counter.first.numpy() == THREADS * calls).all()
    assert step.experimental_get_tracing_count() == 3, "several threads recorded the same call"
    return len(seen)


def different_steps(compiled: bool, calls: int) -> int:
    """Eight threads train models of their own, which gives what training one after the other gives, eagerly the bits."""

    def work(number: int) -> list[np.ndarray]:
        numbers = np.random.default_rng(number)
        weights = tf.Variable(numbers.normal(size=(20 + number % 3, 7)))
        x = tf.constant(numbers.normal(size=(15, 20 + number % 3)))
        optimizer = tf.keras.optimizers.Adam(0.01)

        def step(x: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.nn.softmax(tf.tanh(x @ weights)) ** 2)
            optimizer.apply_gradients([(tape.gradient(loss, weights), weights)])
            return loss

        call = tf.function(step) if compiled else step
        losses = [float(call(x)) for _ in range(calls)]
        return [np.array(losses), weights.numpy()]

    together = at_once(work)
    for number in range(THREADS):
        for value, alone in zip(together[number], work(number), strict=True):
            # A thread that waits ten seconds for others' recordings runs a call eagerly, which rounds otherwise.
            np.testing.assert_allclose(value, alone, rtol=1e-9 if compiled else 0.0)
    return THREADS * calls


def eager_updates(calls: int) -> int:
    """Eight threads change one variable eagerly, while tapes read it: no update is lost, no value is half written."""
    variable = tf.Variable(tf.zeros(50_000))
    ones = tf.ones(50_000)

    def work(number: int) -> None:
        for _ in range(calls):
            variable.assign_add(ones)
            with tf.GradientTape() as tape:
                y = tf.reduce_sum(variable * 2.0)
                value = variable.numpy()
            assert value.min() == value.max()
            assert (tape.gradient(y, variable).numpy() == 2.0).all()

    at_once(work)
    assert (variable.numpy() == THREADS * calls).all()
    return THREADS * calls


def threads(calls: int) -> None:
    """All of the above; prints the number of calls."""
    done = same_step(3, calls) + same_step(200_000, calls)
    done += different_steps(True, calls) + different_steps(False, calls) + eager_updates(calls)
    print(done)


def in_child(work: Callable[[], bool], seconds: float = 60.0) -> None:
    """Forks, and checks that ``work()`` is true in the child within some seconds; a child that hangs prints its stack."""
    faulthandler.enable()
    child = os.fork()
    if not child:
        code = 1
        try:
            code = 0 if work() else 2
        except BaseException as error:  # noqa: BLE001 - the child ends here
            os.write(2, f"{error!r}\n".encode())
        os._exit(code)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            assert status == 0, status
            return
        time.sleep(0.001)
    os.kill(child, signal.SIGABRT)
    os.waitpid(child, 0)
    raise AssertionError("the child hangs")


def forks(count: int, seed: int) -> None:
    """Forks while other threads replay, record, compile, assign and draw; the child finds state whole, and goes on. Prints the forks."""
    tf.config.threading.set_intra_op_parallelism_threads(3)
    numbers = random.Random(seed)
    counter, big, done = Counter(100_000), tf.Variable(tf.zeros(2_000_000)), threading.Event()
    step, generator = tf.function(counter.step), tf.random.Generator.from_seed(1)
    for _ in range(3):
        step(tf.ones(2))

    def replay() -> None:
        step(tf.ones(2))

    def compile() -> None:
        scale = float(numbers.random())
        made = tf.function(lambda x: tf.tanh(x) * scale)
        for _ in range(3):
            made(tf.ones(1 + numbers.randrange(20)))

    def assign() -> None:
        big.assign(tf.fill(big.shape, float(numbers.randrange(1000))))

    def draw() -> None:
        generator.normal([10])

    def forever(work: Callable[[], None]) -> None:
        while not done.is_set():
            work()

    threads = [threading.Thread(target=forever, args=(work,), daemon=True) for work in (replay, compile, assign, draw)]
    for thread in threads:
        thread.start()

    def child() -> bool:
        values = [variable.numpy() for variable in (counter.first, counter.second, big)]
        assert all(value.min() == value.max() for value in values), "a value half written"
        assert values[0][0] == values[1][0], "a step half done"
        before = values[0][0]
        for _ in range(3):
            least, greatest, difference, total = map(float, step(tf.ones(2)))
            assert least == greatest == before
            assert (difference, total) == (0.0, 2.0)
            before += 1
        fresh = tf.function(lambda x: tf.reduce_sum(tf.exp(x) * 0.5))
        assert all(abs(float(fresh(tf.zeros(7))) - 3.5) < 1e-6 for _ in range(4))
        generator.normal([10])
        big.assign_add(tf.ones_like(big))
        return True

    for _ in range(count):
        time.sleep(numbers.uniform(0, 0.02))
        in_child(child)
    done.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    in_child(lambda: in_child(child) is None)  # of a child, too
    print(count + 1)


def forks_while_kernels_are_freed(count: int) -> None:
    """Forks while another thread loads and frees kernels; the child loads one. Prints the forks."""
    kernel, done = elementwise.call_unary_if_finite, threading.Event()
    kernel[np.float32]

    def free() -> None:
        while not done.is_set():
            for native in [kernel.deferred_function(np.dtype(np.float32)) for _ in range(20)]:
                native.native_function()

    def child() -> bool:
        return kernel.deferred_function(np.dtype(np.float32)).native_function() is not None

    thread = threading.Thread(target=free, daemon=True)
    thread.start()
    for _ in range(count):
        time.sleep(0.002)
        in_child(child, 20.0)
    done.set()
    thread.join(60)
    assert not thread.is_alive()
    print(count)


def forks_while_a_thread_holds_a_lock() -> None:
    """Forks while another thread has a lock of a library or of a cached property; the child does what needs it. Prints the forks."""
    load, rule = elementwise.call_unary_if_finite, RULES["sgd"]
    load[np.float32]
    cases = [
        (compiler_lock, lambda: bool(load.inspect_llvm(np.float32))),
        (llvm.ffi.lib._lock, lambda: load.deferred_function(np.dtype(np.float32)).native_function() is not None),
    ]
    if hasattr(type(rule).row_kernel, "lock"):  # Python before 3.12
        cases.append((type(rule).row_kernel.lock, lambda: rule.row_kernel is not None))
    for lock, child in cases:
        has_it = threading.Event()

        def hold(lock: Any = lock, has_it: threading.Event = has_it) -> None:
            with lock:
                has_it.set()
                time.sleep(0.5)

        thread = threading.Thread(target=hold)
        thread.start()
        has_it.wait()
        in_child(child, 20.0)
        thread.join()
    print(len(cases))


def fork_while_a_thread_imports(folder: str) -> None:
    """Forks while another thread imports a module; the child imports it, too."""
    Path(folder, "slow_module.py").write_text("import time\ntime.sleep(0.5)\nvalue = 3\n")
    sys.path.insert(0, folder)
    thread = threading.Thread(target=importlib.import_module, args=("slow_module",))
    thread.start()
    time.sleep(0.1)
    in_child(lambda: importlib.import_module("slow_module").value == 3, 20.0)
    thread.join()
    print(1)


def compile_step() -> None:
    """Compiles and runs a step, and prints what it computes."""
    variable = tf.Variable([1.0, 2.0, 3.0])
    step = tf.function(lambda x: tf.reduce_sum(variable.assign(tf.tanh(variable) * 0.5 + x)))
    print([float(step(tf.constant(float(i)))).hex() for i in range(4)])
