"""A thread that reads a variable while another replays a step that changes it finds the value before or after it."""

import threading
import time

import numpy as np
import pytest

import fastgrad as tf


def hammered(variable, write, look, seconds=0.6):
    """Runs ``look`` in a thread of its own while ``write`` runs again and again; what it returned that is not None."""
    wrong, done, looks = [], threading.Event(), [0]

    def reader():
        while not done.is_set():
            found = look(variable)
            looks[0] += 1
            if found is not None:
                wrong.append(found)

    thread = threading.Thread(target=reader)
    thread.start()
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end or looks[0] < 3:
            write()
    finally:
        done.set()
        thread.join()
    return wrong


def uneven(array):
    return None if array.min() == array.max() else (array.min(), array.max())


def by_numpy(v):
    return uneven(v.numpy())


def by_value(v):
    return uneven(v.value().numpy())


def by_operations(v):
    return uneven((v + 0.0).numpy())


def kept(v):
    """A value once read stays as it is."""
    value = v.value()
    first = value.numpy().copy()
    for _ in range(3):
        if uneven(value.numpy()) or value.numpy()[0] != first[0]:
            return first[0], value.numpy()[0]
    return None


@pytest.mark.parametrize("look", [by_numpy, by_value, by_operations, kept])
@pytest.mark.parametrize("size", [100, 2_000_000])
def test_no_value_is_half_written(look, size):
    v = tf.Variable(tf.zeros(size))

    @tf.function
    def step(x):
        v.assign(v * 0.5 + x)
        v.assign_add(tf.ones(size))

    for _ in range(3):
        step(tf.constant(1.0))
    assert hammered(v, lambda: step(tf.constant(1.0)), look) == []


def test_gradients_of_a_reading_thread_are_those_of_the_variable():
    v = tf.Variable(tf.zeros(1000))

    @tf.function
    def step():
        v.assign_add(tf.ones(1000))

    def look(v):
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(v * v)
        gradient = tape.gradient(y, v).numpy()
        return None if np.array_equal(gradient, np.full(1000, gradient[0])) else gradient

    for _ in range(3):
        step()
    assert hammered(v, step, look) == []


def test_a_thread_alone_again_copies_nothing():
    v = tf.Variable(tf.zeros(1000))
    thread = threading.Thread(target=v.value)
    thread.start()
    thread.join()
    assert v.value()._array is v._array


def test_reads_after_a_write_are_of_the_new_value_in_every_thread():
    v = tf.Variable([0.0, 0.0])
    step = tf.function(lambda: v.assign_add([1.0, 1.0]))
    for _ in range(3):
        step()
    found = []
    for number in range(4, 8):
        step()
        thread = threading.Thread(target=lambda: found.append((v + 0.0).numpy()[0]))
        thread.start()
        thread.join()
        assert found[-1] == number
        assert (v + 0.0).numpy()[0] == number


def test_threads_that_call_a_new_function_at_once_record_it_once():
    v = tf.Variable(0.0)
    barrier, results = threading.Barrier(4), []

    def add(x):
        time.sleep(0.05)  # the others come meanwhile
        return v.assign_add(x) + 0.0

    step = tf.function(add)

    def call():
        barrier.wait()
        results.append(float(step(tf.constant(1.0))))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [1.0, 2.0, 3.0, 4.0]
    assert step.experimental_get_tracing_count() == 1
