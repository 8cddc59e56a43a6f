"""The thread pool: threads that share the work of a program's large steps (see `driver.py`).

Workers are daemon threads without the GIL. After work they poll for more for a fraction of a millisecond, since the
next step of a training loop comes soon. Then they park: they return to Python and wait for a lock, which costs nothing.
A program wakes parked workers, and begins without waiting for them.

When other processes use the cores, the system may suspend a worker in the middle of a share, for milliseconds, and the
program waits for it. Such a wait may be the only one for seconds, so the first one changes nothing. After a program that
has waited long, soon after another one, programs run alone, for a multiple of the time that it has waited. The multiple
doubles each time that this happens again. So the loss by waiting stays small, and so does the loss after a short
disturbance.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from typing import Any

import numpy as np

from fastgrad._src.jit.locks import new_lock
from fastgrad._src.jit.processors import default_threads
from fastgrad._src.kernels.runtime import driver
from fastgrad._src.kernels.runtime.thread_spreading import ThreadSpreader

POLLS_BEFORE_PARKING = 20_000
"""How many times a worker polls for work before it parks; a poll takes some ten nanoseconds."""

SECONDS_BETWEEN_SPREADING = 0.01
"""Seconds between two checks whether threads share one processor; a check takes some three microseconds a thread."""

LEAST_ALONE_TIMES_WAIT, MOST_ALONE_TIMES_WAIT = 4, 64
"""The time that programs run alone, as a multiple of the time that a program has waited: at first and at most."""

SINGLE_WAIT_TIMES_WAIT = 16
"""A wait is the only one if the last one was so many times as long ago as this one has taken."""

_KERNELS = driver.begin_on_pool, driver.run_worker, driver.clock_ticks
"""The kernels by which threads share work."""


class ThreadPool:
    """The compute threads of a process; one program at a time uses them.

    Attributes:
        lock: held by the program that uses them.
    """

    def __init__(self) -> None:
        self.lock = new_lock()
        self._threads = min(default_threads(), driver.MOST_THREADS)
        self._workers: list[threading.Thread] = []
        self._wakers: list[threading.Lock] = []
        self._spreading = ThreadSpreader(())
        self._look_again = 0.0
        self._memory = np.zeros(0, np.int64)
        self.words = self._memory
        self._alone_until = 0  # by the processor's clock; 0 if programs may use the workers
        self._last_wait = 0  # by the same clock: when the programs ran alone no more, or the wait ended
        self._penalty = LEAST_ALONE_TIMES_WAIT
        self._is_compiled = False

    @property
    def threads(self) -> int:
        """The number of compute threads, the caller included."""
        return self._threads

    def resize(self, threads: int) -> None:
        """Sets the number of threads, the caller included, at least 1."""
        with self.lock:
            self._end_workers()
            self._threads = max(1, min(threads, driver.MOST_THREADS))
            self._alone_until, self._last_wait, self._penalty = 0, 0, LEAST_ALONE_TIMES_WAIT

    def start_or_wake_workers(self) -> np.ndarray:
        """Starts or wakes the workers and returns the words of the thread pool; the caller must hold the lock."""
        if len(self._workers) != self._threads - 1:
            self._start_workers()
        words = self.words
        for number, waker in enumerate(self._wakers):
            place = driver.FIRST_PARKED_FLAG + driver.CACHE_LINE_WORDS * number
            if words[place]:
                words[place] = 0
                waker.release()
        return words

    def is_awaited(self) -> bool:
        """True while another process compiles the kernels by which threads share work; one thread can do it until then."""
        if not self._is_compiled:
            awaited = [kernel.is_awaited() for kernel in _KERNELS]  # asks for all
            self._is_compiled = not any(awaited)
        return not self._is_compiled

    def is_worth_using(self) -> bool:
        """True if a program should use the workers: there are some, they are free, and did not stall lately."""
        if self._threads == 1 or self.lock.locked():
            return False
        if self._alone_until:
            if _now_ticks() < self._alone_until:
                return False
            self._alone_until = 0
        return True

    def record_program_end(self) -> None:
        """Records the end of the program that used the workers, and how long it waited for their shares."""
        stalled, shared = int(self.words[driver.STALLED_TICKS]), int(self.words[driver.SHARED_TICKS])
        self.words[driver.STALLED_TICKS] = self.words[driver.SHARED_TICKS] = 0
        if 2 * stalled > shared:  # alone, it would have taken less time, or not much more
            now = _now_ticks()
            if now - self._last_wait <= SINGLE_WAIT_TIMES_WAIT * stalled:
                now = self._alone_until = now + self._penalty * stalled
                self._penalty = min(2 * self._penalty, MOST_ALONE_TIMES_WAIT)
            self._last_wait = now
        else:
            self._penalty = max(self._penalty // 2, LEAST_ALONE_TIMES_WAIT)
        if shared and time.monotonic() >= self._look_again:
            self._spreading.separate_threads()
            self._look_again = time.monotonic() + SECONDS_BETWEEN_SPREADING

    def _start_workers(self) -> None:
        self._end_workers()
        count = self._threads - 1
        lines = driver.FIRST_PARKED_FLAG // driver.CACHE_LINE_WORDS + count + 1
        self._memory = np.zeros(lines * driver.CACHE_LINE_WORDS, np.int64)
        start = -self._memory.__array_interface__["data"][0] // 8 % driver.CACHE_LINE_WORDS
        self.words = self._memory[start : start + (lines - 1) * driver.CACHE_LINE_WORDS]
        self.words[driver.THREADS] = self._threads
        self._wakers = [threading.Lock() for _ in range(count)]
        for kernel in _KERNELS:
            kernel[()]  # compiled first, else each new thread would compile it, or a rare wait
        for number, waker in enumerate(self._wakers):
            waker.acquire()
            worker = threading.Thread(
                target=_worker_main, args=(self.words, number, waker), name=f"fastgrad-{number + 1}", daemon=True
            )
            worker.start()
            self._workers.append(worker)
        self._spreading = ThreadSpreader([worker.native_id for worker in self._workers if worker.native_id is not None])

    def _end_workers(self) -> None:
        if self._workers:
            self.words[driver.QUIT] = 1
            for waker in self._wakers:
                if waker.locked():  # else the worker has not seen yet that it was woken
                    waker.release()
            for worker in self._workers:
                worker.join()
        self._workers, self._wakers = [], []
        self._spreading.close()

    def before_fork(self) -> None:
        """Ends the workers, so that none is in a state that the child process would wait for."""
        self.lock.acquire()
        self._end_workers()

    def after_fork_in_parent(self) -> None:
        """Releases the lock; the workers start again at the next use."""
        self.lock.release()

    def shut_down(self) -> None:
        """Ends the workers, at the interpreter's exit."""
        if self.lock.acquire(timeout=1.0):
            try:
                self._end_workers()
            finally:
                self.lock.release()


def _now_ticks() -> int:
    return int(driver.clock_ticks[()]())


def _worker_main(words: np.ndarray, number: int, waker: threading.Lock) -> None:
    # Not a `threading.Semaphore`: its Python code allocates memory, and would keep a lock if there is none left.
    follow = driver.run_worker[()]
    while not follow(words, number, POLLS_BEFORE_PARKING):
        waker.acquire()


def begin_on_free_pool(objects: tuple[Any, ...], words: np.ndarray, stop: int) -> int:
    """Begins a program on the thread pool, or on one thread without the GIL if another program uses the thread pool."""
    if compute_pool.is_worth_using():
        with compute_pool.lock:  # `with`: Ctrl-C cannot come between taking the lock and the release
            try:
                return int(driver.begin_on_pool(objects, words, compute_pool.start_or_wake_workers(), stop))
            finally:
                compute_pool.record_program_end()
    return int(driver.begin_without_gil(objects, words, stop))


def continue_on_free_pool(words: np.ndarray, start: int, stop: int) -> int:
    """Continues a program on the thread pool, or on one thread without the GIL; see `begin_on_free_pool`."""
    if compute_pool.is_worth_using():
        with compute_pool.lock:
            try:
                return int(driver.continue_on_pool(words, compute_pool.start_or_wake_workers(), start, stop))
            finally:
                compute_pool.record_program_end()
    return int(driver.continue_without_gil(words, start, stop))


compute_pool = ThreadPool()
"""The thread pool of the process."""

atexit.register(compute_pool.shut_down)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=compute_pool.before_fork, after_in_parent=compute_pool.after_fork_in_parent)
