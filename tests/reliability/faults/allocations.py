"""Steps in which one allocation after the other fails. Run by ``test_allocations.py``."""

from __future__ import annotations

import contextlib
import ctypes
import random
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy._core import _multiarray_umath

import fastgrad as tf
from fastgrad._src.compiler.dispatch import locking
from fastgrad._src.core.recording import recorders
from fastgrad._src.kernels.runtime import driver
from fastgrad._src.kernels.runtime.thread_pool import ThreadPool

keras = tf.keras
SET_HANDLER, GET_HANDLER = 304, 305
"""The places of ``PyDataMem_SetHandler`` and ``PyDataMem_GetHandler`` in NumPy's C API."""

MALLOC = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
CALLOC = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)


class Handler(ctypes.Structure):
    """``PyDataMem_Handler`` of NumPy's C API."""

    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", ctypes.c_void_p),
        ("malloc", MALLOC),
        ("calloc", CALLOC),
        ("realloc", ctypes.c_void_p),
        ("free", ctypes.c_void_p),
    )


def _pointer(capsule: Any, name: bytes | None) -> int:
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(get(capsule, name))


class ArrayMemory:
    """NumPy's memory for the elements of arrays on this thread, of which one allocation can be made to fail.

    Attributes:
        count: how many allocations there were since ``fail``.
    """

    def __init__(self) -> None:
        table = (ctypes.c_void_p * 400).from_address(_pointer(_multiarray_umath._ARRAY_API, None))
        get = ctypes.PYFUNCTYPE(ctypes.py_object)(table[GET_HANDLER])
        self._set = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(table[SET_HANDLER])
        self._usual = get()
        usual = Handler.from_address(_pointer(self._usual, b"mem_handler"))
        self.count, self._failing = 0, 0

        def malloc(context: Any, size: int) -> int | None:
            self.count += 1
            return None if self.count == self._failing else usual.malloc(context, size)

        # NumPy's calloc needs the GIL, which a function of CFUNCTYPE releases.
        usual_calloc = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)(
            ctypes.cast(usual.calloc, ctypes.c_void_p).value or 0
        )

        def calloc(context: Any, count: int, size: int) -> int | None:
            self.count += 1
            return None if self.count == self._failing else usual_calloc(context, count, size)

        self._malloc, self._calloc = MALLOC(malloc), CALLOC(calloc)
        self._handler = Handler(
            b"failing", usual.version, usual.context, self._malloc, self._calloc, usual.realloc, usual.free
        )
        make = ctypes.pythonapi.PyCapsule_New
        make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        self._capsule = make(ctypes.addressof(self._handler), b"mem_handler", None)

    @contextlib.contextmanager
    def fail(self, number: int) -> Iterator[None]:
        """A context in which the allocation of this number fails; none does if it is 0."""
        self.count, self._failing = 0, number
        self._set(self._capsule)
        try:
            yield
        finally:
            self._set(self._usual)


MEMORY = ArrayMemory()


class Training:
    """A training step of some kind, the state that it changes, and arguments for it."""

    def __init__(self, seed: int = 0) -> None:
        keras.utils.set_random_seed(seed)
        self.model = keras.Sequential(
            [
                keras.Input((5,), dtype="int32"),
                keras.layers.Embedding(11, 4),
                keras.layers.Flatten(),
                keras.layers.Dense(600, "relu"),
                keras.layers.BatchNormalization(),
                keras.layers.Dropout(0.2, seed=3),
                keras.layers.Dense(3),
            ]
        )
        self.optimizer = keras.optimizers.Adam(0.01)
        self.optimizer.build(self.model.trainable_variables)
        self.loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.seen = tf.Variable(0)
        self.generator = tf.random.Generator.from_seed(1)
        self.updated = [*self.model.trainable_variables, *self.optimizer.variables]
        self.others = [*self.model.non_trainable_variables, self.seen, self.generator.state]
        self.others += [self.model.layers[-2]._generator.state]
        self.state = [*self.updated, *self.others]

    def step(self, ids: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = self.model(ids, training=True) + self.generator.normal([1]) * 0.01
            loss = self.loss(labels, logits)
        variables = self.model.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        self.seen.assign_add(1)
        return loss

    def values(self) -> list[np.ndarray]:
        return [np.array(variable.numpy()) for variable in self.state]

    def restore(self, values: list[np.ndarray]) -> None:
        for variable, value in zip(self.state, values, strict=True):
            variable.assign(value)


def batch(size: int) -> tuple[Any, Any]:
    """Arguments of a step."""
    numbers = np.random.default_rng(size)
    return tf.constant(numbers.integers(0, 11, (size, 5)), tf.int32), tf.constant(numbers.integers(0, 3, size))


def differing(values: list[np.ndarray], others: list[np.ndarray]) -> list[int]:
    """The numbers of the values that differ."""
    pairs = zip(values, others, strict=True)
    return [number for number, (value, other) in enumerate(pairs) if not np.array_equal(value, other)]


def check_whole(training: Training, eager: bool, before: list[np.ndarray], after: list[np.ndarray]) -> None:
    """The state is that before a step or that after it: of a compiled one in whole, of an eager one each variable, and all that the optimizer updates."""
    values = training.values()
    parts = [slice(None)]
    if eager:
        parts = [slice(len(training.updated)), *[slice(i, i + 1) for i in range(len(training.updated), len(values))]]
    for part in parts:
        old, new = differing(values[part], before[part]), differing(values[part], after[part])
        assert not old or not new, (
            [training.state[part][i].name for i in old],
            [training.state[part][i].name for i in new],
        )


def in_thread(call: Any) -> Any:
    """What ``call()`` gives in another thread. It would wait forever for a lock that is still held."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(call()), daemon=True)
    thread.start()
    thread.join(60)
    assert results, "another thread cannot go on: a lock is held, or it failed"
    return results[0]


def exhaust(kind: str, most: int) -> tuple[int, int]:
    """Fails the allocations of a step in turn, or as many as ``most`` of them; returns their number, and how many failed the step.

    After each failure the state is as before or the step is done, no lock is held, and the next call has the right numbers.
    """
    training, arguments = Training(), batch(8)
    step = training.step if kind == "eager" else tf.function(training.step)
    for _ in range(3):
        step(*arguments)
    before = training.values()
    if kind == "new shape":
        arguments = batch(9)

    def prepared() -> Any:
        """The step, in the state that is wanted: of all calls but replays a function of its own each time."""
        training.restore(before)
        if kind in ("eager", "replay"):
            return step
        made = tf.function(training.step)
        for given in {"first": [], "second": [arguments], "new shape": [batch(8)] * 3}[kind]:
            made(*given)
        training.restore(before)
        return made

    prepared()(*arguments)  # loads kernels
    call = prepared()
    with MEMORY.fail(0):
        loss = float(call(*arguments))
    total, after = MEMORY.count, training.values()
    numbers = list(range(1, total + 1))
    if total > most:
        numbers = sorted(random.Random(kind).sample(numbers, most))
    failed = 0
    for number in numbers:
        print(f"allocation {number} of {total}", file=sys.stderr)
        call = prepared()
        try:
            with MEMORY.fail(number):
                call(*arguments)
        except MemoryError:
            failed += 1
        check_whole(training, kind == "eager", before, after)
        assert recorders.active == ()
        assert locking.fast_path_block_count == [0]
        training.restore(before)
        assert in_thread(lambda call=call: float(call(*arguments))) == loss, (kind, number)
        assert not differing(training.values(), after), (kind, number)
    return len(numbers), failed


def exhaust_each(most: int) -> None:
    """``exhaust`` for each kind of call; prints a line for each: how many allocations failed, and how many of them failed the step."""
    for kind in ("eager", "first", "second", "replay", "new shape"):
        print(kind, *exhaust(kind, most), sep=",")


def exhaust_objects() -> None:
    """Fails the allocations of Python objects of a replay in turn, and prints how many failed."""
    from _testcapi import remove_mem_hooks, set_nomemory

    training, arguments = Training(), batch(8)
    step = tf.function(training.step)
    for _ in range(4):
        step(*arguments)
    before = training.values()
    loss, after = float(step(*arguments)), training.values()
    failed = number = 0
    while number < failed + 50:
        training.restore(before)
        try:
            set_nomemory(number, number + 1)
            step(*arguments)
        except MemoryError:
            failed += 1
        finally:
            remove_mem_hooks()
        check_whole(training, False, before, after)
        training.restore(before)
        assert in_thread(lambda: float(step(*arguments))) == loss, number
        assert not differing(training.values(), after), number
        number += 1
    print(failed)


def exhaust_workers() -> None:
    """Fails the allocations of a worker of the thread pool while it wakes; it parks again, and ends when it is asked to."""
    from _testcapi import remove_mem_hooks, set_nomemory

    wakes = 40
    for number in range(wakes):
        compute_pool = ThreadPool()
        compute_pool.resize(2)
        ready, sleep, words = compute_pool.start_or_wake_workers, time.sleep, compute_pool.start_or_wake_workers()
        sleep(0.01)  # the worker parks
        try:
            set_nomemory(number, 0)
            ready()
            sleep(0.005)
        except MemoryError:
            pass
        finally:
            remove_mem_hooks()
        for _ in range(100):
            ready()
            sleep(0.01)
            if words[driver.FIRST_PARKED_FLAG]:
                break
        else:
            raise AssertionError(f"the worker is gone after allocation {number}")
        compute_pool.resize(1)
    print(wakes)
