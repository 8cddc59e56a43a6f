"""Eager operations on large arrays run on all threads: the bits are those of one thread."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core import large_arrays
from fastgrad._src.kernels.runtime import eager_launch
from fastgrad._src.kernels.runtime.thread_pool import compute_pool

X = np.random.default_rng(0).normal(size=(600, 500)).astype(np.float32)
CLASSES = np.random.default_rng(1).integers(0, 500, 600)
SHARES = (np.abs(X) / np.abs(X).sum(1, keepdims=True)).astype(np.float32)

OPERATIONS = {
    "sparse_softmax_cross_entropy": lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits(CLASSES, x),
    "softmax_cross_entropy": lambda x: tf.nn.softmax_cross_entropy_with_logits(SHARES, x),
    "dropout": lambda x: tf.nn.experimental.stateless_dropout(x, 0.3, seed=[1, 2]),
    "normal": lambda x: x + tf.random.stateless_normal(x.shape, [1, 2]),
    "uniform": lambda x: x * tf.random.stateless_uniform(x.shape, [1, 2]),
    "truncated_normal": lambda x: x - tf.random.stateless_truncated_normal(x.shape, [1, 2]),
    "integers": lambda x: x * tf.cast(tf.random.stateless_uniform(x.shape, [1, 2], 0, 9, tf.int32), tf.float32),
    "half-width draws": lambda x: (
        x * tf.cast(tf.random.stateless_uniform(x.shape, [1, 2], dtype=tf.float16), tf.float32)
    ),
    "logsumexp": lambda x: tf.reduce_logsumexp(x, 1),
    "norm": tf.norm,
    "add_n": lambda x: tf.add_n([x, x * 2, x]),
    "square": lambda x: x**2,
    "clip_by_value": lambda x: tf.clip_by_value(x, -0.5, 1.0),
    "maximum of all": lambda x: tf.reduce_max(tf.tile(x, [8, 1])),
    "maxima of long rows": lambda x: tf.reduce_max(tf.reshape(tf.tile(x, [8, 1]), [2, -1]), 1),
    "minima of rows": lambda x: tf.reduce_min(tf.reshape(tf.concat([x, x], 0), [600, 1000]), 1),
    "maxima of columns": lambda x: tf.reduce_max(tf.reshape(tf.concat([x, x], 0), [600, 1000]), 0),
}


@pytest.fixture
def shared_programs(monkeypatch):
    """The programs that the thread pool shares."""
    found = []
    begin = eager_launch.begin_on_free_pool
    monkeypatch.setattr(eager_launch, "begin_on_free_pool", lambda *given: found.append(given[0]) or begin(*given))
    return found


@pytest.mark.parametrize("name", OPERATIONS)
def test_bits_do_not_depend_on_the_number_of_threads(name, monkeypatch, shared_programs):
    monkeypatch.setattr(large_arrays, "RUNS_BEFORE_KERNEL", 0)
    before, found = compute_pool.threads, set()
    try:
        for threads in (1, 2, 3):
            compute_pool.resize(threads)
            shared_programs.clear()
            x = tf.constant(X)
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = OPERATIONS[name](x)
            assert bool(shared_programs) == (threads > 1)
            found.add((y.numpy().tobytes(), tape.gradient(y, x).numpy().tobytes()))
    finally:
        compute_pool.resize(before)
    assert len(found) == 1
