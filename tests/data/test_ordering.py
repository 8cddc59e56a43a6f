"""Transformations that choose which elements come, and when."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgrad as tf

Dataset = tf.data.Dataset
INFINITE, UNKNOWN = tf.data.INFINITE_CARDINALITY, tf.data.UNKNOWN_CARDINALITY


def values(dataset):
    return list(dataset.as_numpy_iterator())


def one_by_one(n):
    """``Dataset.range(n)`` with elements in place of row numbers."""
    return Dataset.range(n).map(lambda x: x)


SOURCES = [Dataset.range, one_by_one]
both_ways = pytest.mark.parametrize("numbers", SOURCES, ids=["rows", "elements"])


@both_ways
def test_take_and_skip(numbers):
    dataset = numbers(5)
    assert values(dataset.take(3)) == [0, 1, 2]
    assert values(dataset.take(-1)) == [0, 1, 2, 3, 4]
    assert values(dataset.take(30)) == [0, 1, 2, 3, 4]
    assert values(dataset.take(0)) == []
    assert values(dataset.skip(3)) == [3, 4]
    assert values(dataset.skip(-1)) == []
    assert values(dataset.skip(9)) == []
    assert [len(dataset.take(n)) for n in (3, -1, 30, 0)] == [3, 5, 5, 0]
    assert [len(dataset.skip(n)) for n in (3, -1, 9, 0)] == [2, 0, 0, 5]


@both_ways
def test_repeat(numbers):
    assert values(numbers(2).repeat(3)) == [0, 1, 0, 1, 0, 1]
    assert values(numbers(2).repeat(0)) == []
    assert values(numbers(2).repeat().take(5)) == [0, 1, 0, 1, 0]
    assert values(numbers(0).repeat()) == []
    assert values(numbers(2).take(0).repeat(1 << 40)) == []  # which is known to be empty
    assert [int(numbers(2).repeat(n).cardinality()) for n in (3, 0, None, -1)] == [6, 0, INFINITE, INFINITE]


@both_ways
def test_batches_run_across_repetitions(numbers):
    assert [b.tolist() for b in values(numbers(3).repeat(2).batch(4))] == [[0, 1, 2, 0], [1, 2]]
    assert [b.tolist() for b in values(numbers(3).batch(2).repeat(2))] == [[0, 1], [2], [0, 1], [2]]


@both_ways
def test_shards_are_every_nth_element(numbers):
    assert values(numbers(7).shard(3, 1)) == [1, 4]
    assert values(numbers(3).repeat(3).shard(2, 1)) == [1, 0, 2, 1]
    assert [len(numbers(7).shard(3, i)) for i in range(3)] == [3, 2, 2]
    with pytest.raises(tf.errors.InvalidArgumentError, match="index"):
        numbers(3).shard(2, 2)


@both_ways
def test_a_shuffle_keeps_the_elements_and_their_distance(numbers):
    order = values(numbers(100).shuffle(10, seed=1))
    assert sorted(order) == list(range(100))
    assert order != list(range(100))
    # An element can't come before the buffer has room for it.
    assert all(position >= number - 9 for position, number in enumerate(order))


@given(n=st.integers(0, 60), buffer=st.integers(1, 70), parts=st.integers(1, 4), seed=st.integers(0, 2**31))
def test_rows_and_elements_shuffle_alike(n, buffer, parts, seed):
    assert values(Dataset.range(n).repeat(parts).shuffle(buffer, seed=seed)) == values(
        one_by_one(n).repeat(parts).shuffle(buffer, seed=seed)
    )


def test_a_full_buffer_gives_every_order_equally_often():
    counts = np.zeros((3, 3), int)
    dataset = Dataset.range(3).shuffle(3, seed=0)
    for _ in range(600):
        for place, number in enumerate(values(dataset)):
            counts[place, number] += 1
    assert counts.min() > 150


def test_each_iteration_has_an_order_of_its_own_and_the_seed_repeats_them():
    first, second = (Dataset.range(20).shuffle(20, seed=3) for _ in range(2))
    orders = [values(first) for _ in range(3)]
    assert orders[0] != orders[1] != orders[2]
    assert orders == [values(second) for _ in range(3)]
    assert values(Dataset.range(20).shuffle(20, seed=4)) != orders[0]


def test_without_reshuffling_the_order_stays():
    dataset = Dataset.range(20).shuffle(20, reshuffle_each_iteration=False)
    assert values(dataset) == values(dataset)
    fresh = Dataset.range(20).shuffle(20).repeat(2)
    order = values(fresh)
    assert order[:20] != order[20:]


def test_the_global_seed_repeats_shuffles():
    def orders():
        return [values(Dataset.range(20).shuffle(20)), values(Dataset.range(20).shuffle(20))]

    tf.random.set_seed(1)
    first = orders()
    assert first[0] != first[1]
    tf.random.set_seed(1)
    assert orders() == first
    tf.random.set_seed(2)
    assert orders() != first
    tf.random.set_seed(1)
    seeded = values(Dataset.range(20).shuffle(20, seed=5))
    tf.random.set_seed(2)
    assert values(Dataset.range(20).shuffle(20, seed=5)) != seeded


def test_cache_computes_once():
    calls = []

    def count(x):
        calls.append(int(x))
        return x + 1

    dataset = Dataset.range(3).map(lambda x: tf.py_function(count, [x], tf.int64)).cache()
    next(iter(dataset))
    calls.clear()
    assert values(dataset.repeat(2)) == [1, 2, 3, 1, 2, 3]
    assert calls == [0, 1, 2]


def test_shuffled_batches_hold_matching_rows():
    x = np.arange(50, dtype=np.float32)
    for a, b in Dataset.from_tensor_slices((x, {"y": 2 * x})).shuffle(16, seed=0).repeat(2).batch(8):
        np.testing.assert_array_equal(2 * a, b["y"])


def test_prefetch_changes_nothing():
    assert values(Dataset.range(3).prefetch(tf.data.AUTOTUNE)) == [0, 1, 2]
    assert values(Dataset.range(3).prefetch(tf.data.experimental.AUTOTUNE).prefetch(2)) == [0, 1, 2]
    with pytest.raises(tf.errors.InvalidArgumentError, match="buffer_size"):
        Dataset.range(3).prefetch(-2)


@pytest.mark.parametrize("size", [0, -1])
def test_refused_buffer_sizes(size):
    with pytest.raises(tf.errors.InvalidArgumentError, match="buffer_size must be greater than zero"):
        Dataset.range(3).shuffle(size)


def test_lengths():
    with pytest.raises(TypeError, match="infinite"):
        len(Dataset.range(5).repeat())
    with pytest.raises(TypeError, match="unknown"):
        len(Dataset.range(5).filter(lambda x: x > 2))
    assert int(Dataset.range(5).repeat().take(7).cardinality()) == 7
    assert int(Dataset.range(5).repeat().skip(7).cardinality()) == INFINITE
    assert int(Dataset.range(5).repeat().batch(7).cardinality()) == INFINITE
    assert int(tf.data.experimental.cardinality(Dataset.range(5).filter(lambda x: x > 2).take(2))) == UNKNOWN
    assert repr(Dataset.range(5).cardinality()) == "<tf.Tensor: shape=(), dtype=int64, numpy=5>"
    assert bool(Dataset.range(0))


def test_an_endless_dataset_of_rows_is_read_lazily():
    batches = iter(Dataset.range(10**15).batch(2).enumerate())
    assert [int(n) for n, _ in (next(batches), next(batches))] == [0, 1]


def test_a_dataset_of_weight_zero_is_never_waited_for():
    datasets = [Dataset.range(3), Dataset.range(10, 12), Dataset.range(20, 25)]
    sampled = Dataset.sample_from_datasets(datasets, weights=[0.0, 0.7, 0.3], seed=1)
    assert sorted(values(sampled)) == [10, 11, *range(20, 25)]


def test_samples_come_as_often_as_their_weights():
    zeros, ones = Dataset.from_tensors(0).repeat(), Dataset.from_tensors(1).repeat()
    sampled = values(Dataset.sample_from_datasets([zeros, ones], weights=[0.8, 0.2], seed=1).take(2000))
    assert 0.17 < np.mean(sampled) < 0.23


@pytest.mark.parametrize("initial", [None, [0.9, 0.1]])
def test_resampled_classes_come_as_often_as_wished(initial):
    classes = np.random.default_rng(1).permutation([0] * 1800 + [1] * 200)
    found = Dataset.from_tensor_slices(classes).rejection_resample(lambda x: x, [0.5, 0.5], initial, seed=1)
    numbers = values(found)
    assert all(number == element for number, element in numbers)
    assert 0.4 < np.mean([number for number, _ in numbers]) < 0.6
