"""Queues of tensors: what TensorFlow's answers (tests/conformance/programs/queues.py) do not tell."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import fastgrad as tf


def test_elements_keep_their_values() -> None:
    queue = tf.queue.FIFOQueue(3, [tf.float32], shapes=[(2,)])
    variable, array = tf.Variable([1.0, 2.0]), np.array([3.0, 4.0], np.float32)
    queue.enqueue(variable)
    queue.enqueue(array)
    variable.assign([9.0, 9.0])
    array[:] = 9.0
    np.testing.assert_array_equal(queue.dequeue_many(2), [[1.0, 2.0], [3.0, 4.0]])


def test_no_gradient_goes_through_a_queue() -> None:
    queue = tf.queue.FIFOQueue(3, [tf.float32])
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        queue.enqueue(x * x)
        y = queue.dequeue()
    assert y.numpy() == 9.0
    assert tape.gradient(y, x) is None


def test_a_queue_is_refused_where_a_function_records() -> None:
    queue = tf.queue.FIFOQueue(3, [tf.float32], shapes=[()])

    for call in (queue.enqueue, lambda x: queue.dequeue(), lambda x: queue.dequeue_many(1)):
        with pytest.raises(tf.errors.UnimplementedError, match=r"FIFOQueue\..*work eagerly.*Call the queue outside"):
            tf.function(call)(tf.constant(1.0))
    assert queue.size() == 0


def test_more_tensors_than_dtypes_are_refused() -> None:
    queue = tf.queue.FIFOQueue(3, [tf.float32])
    with pytest.raises(ValueError, match=r"has 1 tensors, got 2.*tf.constant\(list\)"):
        queue.enqueue([1.0, 2.0])
    assert queue.size() == 0


def test_a_seed_determines_a_random_order() -> None:
    def order(seed: int | None) -> list[int]:
        queue = tf.queue.RandomShuffleQueue(20, 0, [tf.int32], shapes=[()], seed=seed)
        queue.enqueue_many(tf.range(20))
        return queue.dequeue_many(20).numpy().tolist()

    assert order(3) == order(3) != order(4)
    assert sorted(order(3)) == list(range(20))
    tf.random.set_seed(5)
    first, second = order(None), order(None)
    assert first != second
    tf.random.set_seed(5)
    assert order(None) == first


def test_each_position_comes_first_as_often() -> None:
    firsts = []
    for seed in range(600):
        queue = tf.queue.RandomShuffleQueue(3, 0, [tf.int32], seed=seed)
        queue.enqueue_many(tf.range(3))
        firsts.append(int(queue.dequeue()))
    assert np.bincount(firsts).min() > 150


def test_elements_of_many_threads_come_once() -> None:
    queue = tf.queue.FIFOQueue(4, [tf.int32], shapes=[()])
    taken: list[int] = []

    def put(start: int) -> None:
        for number in range(start, start + 50):
            queue.enqueue(number)

    def take() -> None:
        while True:
            try:
                taken.append(int(queue.dequeue()))
            except tf.errors.OutOfRangeError:
                return

    producers = [threading.Thread(target=put, args=(start,)) for start in (0, 50, 100)]
    consumers = [threading.Thread(target=take) for _ in range(3)]
    for thread in producers + consumers:
        thread.start()
    for thread in producers:
        thread.join(60)
    queue.close()
    for thread in consumers:
        thread.join(60)
    assert sorted(taken) == list(range(150))


def test_a_priority_queue_takes_back_elements_before_later_ones() -> None:
    queue = tf.queue.PriorityQueue(9, [tf.string], [()])
    for priority, letter in ((1, "a"), (1, "b"), (0, "c")):
        queue.enqueue((priority, letter))
    queue.close()
    for _ in range(2):
        with pytest.raises(tf.errors.OutOfRangeError, match="insufficient elements.*requested 4, current size 3"):
            queue.dequeue_many(4)
    assert queue.dequeue_many(3)[1].numpy().tolist() == [b"c", b"a", b"b"]
