"""Fractional pooling, whose windows vary."""

import numpy as np
import pytest

import fastgrad as tf

POOLS = {"max": (tf.nn.fractional_max_pool, np.max), "mean": (tf.nn.fractional_avg_pool, np.mean)}


@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("pseudo_random", [False, True])
@pytest.mark.parametrize("kind", POOLS)
def test_each_window_is_reduced(kind, pseudo_random, overlapping):
    pool, reduce = POOLS[kind]
    x = tf.random.stateless_normal([2, 11, 13, 3], [1, 2])
    for seed in range(1, 9):
        y, rows, columns = pool(x, [1.0, 1.4, 2.3, 1.0], pseudo_random, overlapping, seed)
        assert rows.dtype is columns.dtype is tf.int64
        assert y.shape == [2, 7, 5, 3]
        for sequence, size, low in ((rows.numpy(), 11, 1), (columns.numpy(), 13, 2)):
            assert (sequence[0], sequence[-1]) == (0, size)
            assert set(np.diff(sequence)) <= {low, low + 1}
        more = int(overlapping)
        for row, column in np.ndindex(7, 5):
            window = x.numpy()[:, rows[row] : rows[row + 1] + more, columns[column] : columns[column + 1] + more]
            np.testing.assert_allclose(y[:, row, column], reduce(window, (1, 2)), rtol=1e-5, atol=1e-6)


def test_windows_vary_unless_there_is_a_seed():
    x = tf.ones([1, 40, 40, 1])
    tf.random.set_seed(3)
    sequences = {tuple(tf.nn.fractional_max_pool(x, 1.5)[1].numpy()) for _ in range(5)}
    assert len(sequences) == 5
    tf.random.set_seed(3)
    assert tuple(tf.nn.fractional_max_pool(x, 1.5)[1].numpy()) in sequences
    assert len({tuple(tf.nn.fractional_max_pool(x, 1.5, seed=4)[1].numpy()) for _ in range(5)}) == 1


def test_windows_vary_in_a_compiled_function():
    pool = tf.function(lambda x: tf.nn.fractional_avg_pool(x, [1.0, 1.5, 1.5, 1.0])[1])
    x = tf.ones([1, 40, 40, 1])
    assert len({tuple(pool(x).numpy()) for _ in range(5)}) == 5
