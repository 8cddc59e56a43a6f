"""Threads: what `prefetch` and parallel `map` make ahead, and what is left of them."""

import contextlib
import gc
import os
import threading
import time

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.data.prefetch import prefetch_if_slow

Dataset = tf.data.Dataset
SCALAR = tf.TensorSpec((), tf.int32)
SLOW = 1e-3
NAMES = ("fastgrad-map", "fastgrad-prefetch")
"""The starts of the names of the threads of datasets."""


def slowly(count, seconds=SLOW, error=None):
    """A dataset whose elements take long to make; an error comes after the last."""

    def generate():
        for number in range(count):
            time.sleep(seconds)
            yield number
        if error is not None:
            raise error

    return Dataset.from_generator(generate, output_signature=SCALAR)


def slow_map(x):
    time.sleep(SLOW)
    return 2 * x.numpy()  # which no compiled function can do


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    gc.collect()
    left = [thread for thread in threading.enumerate() if thread not in before and thread.name.startswith(NAMES)]
    assert left == []


def seconds(dataset, of_use=0.0):
    """The time of an iteration that uses each element for ``of_use`` seconds."""
    began = time.perf_counter()
    for _ in dataset:
        time.sleep(of_use)
    return time.perf_counter() - began


def ints(dataset):
    return [int(x) for x in dataset]


@pytest.mark.parametrize("count", [0, 1, 8, 9, 30])
def test_prefetched_elements_come_in_order(count):
    assert ints(slowly(count).prefetch(2)) == list(range(count))
    assert ints(slowly(count).prefetch(tf.data.AUTOTUNE).prefetch(1)) == list(range(count))


@pytest.mark.timed
def test_prefetch_makes_elements_while_others_are_used():
    """The time for making most of 40 elements is that of using the one before."""
    apart = seconds(slowly(40, 5e-3), 5e-3)
    together = min(seconds(slowly(40, 5e-3).prefetch(2), 5e-3) for _ in range(3))
    assert together < 0.8 * apart


def test_quick_elements_need_no_thread():
    dataset = Dataset.range(100).map(lambda x: x + 1).prefetch(2)
    iterator = iter(dataset)
    for _ in range(50):
        next(iterator)
        assert not [one for one in threading.enumerate() if one.name.startswith("fastgrad-prefetch")]


@pytest.mark.parametrize("made", [2, 9, 20])
def test_an_error_comes_where_its_element_would_have_come(made):
    iterator = iter(slowly(made, error=OSError("no more")).prefetch(4))
    assert [int(next(iterator)) for _ in range(made)] == list(range(made))
    with pytest.raises(OSError, match="no more"):
        next(iterator)
    with pytest.raises(StopIteration):
        next(iterator)


def test_an_abandoned_iteration_ends_its_thread_and_its_generator():
    closed = []

    def generate():
        try:
            for number in range(1000):
                time.sleep(SLOW)
                yield number
        finally:
            closed.append(threading.current_thread().name)

    iterator = iter(Dataset.from_generator(generate, output_signature=SCALAR).prefetch(2))
    for _ in range(12):
        next(iterator)
    assert [one for one in threading.enumerate() if one.name.startswith("fastgrad-prefetch")]
    del iterator
    gc.collect()
    assert len(closed) == 1


def test_a_loop_that_is_left_early_ends_its_threads():
    for number, x in enumerate(slowly(1000).prefetch(2).map(slow_map, num_parallel_calls=2)):
        assert int(x) == 2 * number
        if number == 20:
            assert [one for one in threading.enumerate() if one.name.startswith("fastgrad-map")]
            break
    gc.collect()
    assert not [one for one in threading.enumerate() if one.name.startswith(NAMES)]


@pytest.mark.parametrize("threads", [1, 2, 5, tf.data.AUTOTUNE])
def test_parallel_results_come_in_order(threads):
    dataset = Dataset.range(30).map(slow_map, num_parallel_calls=threads)
    assert ints(dataset) == list(range(0, 60, 2))


@pytest.mark.timed
def test_parallel_calls_take_their_time_together():
    def wait(x):
        time.sleep(5e-3)
        return x.numpy()

    alone = seconds(Dataset.range(40).map(wait))
    assert min(seconds(Dataset.range(40).map(wait, num_parallel_calls=4)) for _ in range(3)) < 0.7 * alone


def test_an_error_in_a_parallel_call():
    def fail_late(x):
        time.sleep(SLOW)
        if x == 17:
            raise KeyError("seventeen")
        return x

    iterator = iter(Dataset.range(40).map(fail_late, num_parallel_calls=3))
    assert [int(next(iterator)) for _ in range(17)] == list(range(17))
    with pytest.raises(KeyError, match="seventeen"):
        next(iterator)


def test_what_draws_is_not_made_ahead():
    """Draws of the pipeline and of the program take their turns, however long an element takes."""

    def numbers(seconds):
        tf.random.set_seed(1)

        def draw(x):
            time.sleep(seconds)
            return tf.random.uniform(())

        dataset = Dataset.range(20).map(draw, num_parallel_calls=2).prefetch(3)
        return [(float(x), float(tf.random.uniform(()))) for x in dataset]

    assert numbers(0.0) == numbers(SLOW)


@pytest.mark.parametrize("calls", [0, -2])
def test_numbers_of_calls_are_checked(calls):
    with pytest.raises(tf.errors.InvalidArgumentError, match="num_parallel_calls"):
        Dataset.range(3).map(slow_map, num_parallel_calls=calls)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes are forked here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_begins_anew_and_refuses_iterations_with_threads():
    dataset = slowly(50).prefetch(2)
    going = iter(dataset)
    for _ in range(12):
        next(going)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            again = ints(dataset.take(5))
            try:
                next(going)
            except RuntimeError as error:
                status = 0 if again == list(range(5)) and "fork" in str(error) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert int(next(going)) == 12


def test_rows_pass_prefetch_as_rows():
    x = np.arange(12.0).reshape(6, 2)
    (batch,) = Dataset.from_tensor_slices(x).prefetch(2).batch(6)
    np.testing.assert_array_equal(batch.numpy(), x)


def test_a_call_that_hangs_keeps_nothing_waiting():
    """Its thread is a daemon, and an iteration that is given up waits for it no longer than a second."""
    hung = threading.Event()

    def function(x):
        if int(x) == 20:
            hung.wait(60)
        return slow_map(x)

    iterator = iter(Dataset.range(60).map(function, num_parallel_calls=2))
    for _ in range(12):
        next(iterator)
    threads = [one for one in threading.enumerate() if one.name.startswith("fastgrad-map")]
    assert threads
    assert all(thread.daemon for thread in threads)
    for _ in range(4):
        next(iterator)
    began = time.monotonic()
    del iterator
    gc.collect()
    assert time.monotonic() - began < 300
    hung.set()
    for thread in threads:
        thread.join(60)


class Counted:
    """An iterator, no generator: slow elements, then ``error``, however often it is asked."""

    def __init__(self, count, error):
        self.count, self.error, self.calls = count, error, 0

    def __iter__(self):
        return self

    def __next__(self):
        self.calls += 1
        time.sleep(SLOW)
        if self.calls > self.count:
            raise self.error
        return self.calls


@pytest.mark.parametrize("error", [StopIteration, KeyError, SystemExit])
def test_prefetch_asks_no_more_after_the_end_or_an_error(error):
    source = Counted(20, error)
    made = []
    with contextlib.suppress(error):
        made.extend(prefetch_if_slow(source, 4))
        assert error is StopIteration
    time.sleep(10 * SLOW)
    assert source.calls == 21


def test_an_error_does_not_wait_for_calls_after_it():
    calls = []

    def function(x):
        calls.append(x)
        time.sleep(SLOW if len(calls) < 22 else 0.5)
        if len(calls) == 21:
            raise SystemExit
        return x.numpy()

    with pytest.raises(SystemExit):
        list(Dataset.range(60).map(function).prefetch(4))
    assert len(calls) == 21


def test_other_parallel_calls_go_on_after_an_error():
    gate, calls = threading.Event(), []

    def function(x):
        calls.append(int(x))
        if x == 20:
            raise KeyError("twenty")
        if x == 19:
            gate.wait(5)
        if x == 21:
            gate.set()
        return slow_map(x)

    iterator = iter(Dataset.range(40).map(function, num_parallel_calls=2))
    assert [int(next(iterator)) for _ in range(20)] == list(range(0, 40, 2))
    with pytest.raises(KeyError, match="twenty"):
        next(iterator)
    assert gate.is_set()
    assert 21 in calls
