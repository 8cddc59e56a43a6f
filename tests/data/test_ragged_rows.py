"""Datasets of ragged tensors: what TensorFlow gives for each stage stands in tests/conformance."""

import numpy as np
import pytest

import fastgrad as tf

Dataset = tf.data.Dataset


def lists_of(random, count):
    return [random.integers(0, 100, n).tolist() for n in random.integers(0, 9, count)]


@pytest.mark.parametrize("size", [1, 7, 64, 500])
def test_shuffled_batches_have_each_row_once(size):
    lists = lists_of(np.random.default_rng(size), 300)
    dataset = Dataset.from_tensor_slices((tf.ragged.constant(lists, tf.int32), np.arange(300)))
    seen = {}
    for rows, numbers in dataset.shuffle(300, seed=1).batch(size):
        seen |= dict(zip(numbers.numpy().tolist(), rows.to_list(), strict=True))
    assert [seen[number] for number in range(300)] == lists


def test_rows_of_rows_are_shuffled_whole():
    random = np.random.default_rng(3)
    lists = [lists_of(random, n) for n in random.integers(0, 5, 40).tolist()]
    dataset = Dataset.from_tensor_slices((tf.ragged.constant(lists, tf.int32, ragged_rank=2), np.arange(40)))
    for rows, numbers in dataset.shuffle(40, seed=1).batch(9):
        assert rows.to_list() == [lists[number] for number in numbers.numpy()]


def test_elements_of_a_generator_become_ragged_batches():
    lists = lists_of(np.random.default_rng(5), 50)
    dataset = Dataset.from_generator(lambda: iter(lists), output_signature=tf.TensorSpec([None], tf.int32))
    batches = list(dataset.ragged_batch(8))
    assert [row for batch in batches for row in batch.to_list()] == lists
    assert all(dataset.ragged_batch(8).element_spec.is_compatible_with(batch) for batch in batches)


def test_ragged_batches_are_filled_by_map():
    dataset = Dataset.range(1, 5).map(tf.range).ragged_batch(2).map(lambda rows: rows.to_tensor(-1))
    assert [batch.numpy().tolist() for batch in dataset] == [[[0, -1], [0, 1]], [[0, 1, 2, -1], [0, 1, 2, 3]]]


def test_batches_of_ragged_elements_with_different_numbers_of_rows():
    elements = [tf.ragged.constant(rows, tf.int32) for rows in ([[1, 2], [3]], [[4]], [[], [5], [6, 7]])]
    dataset = Dataset.from_generator(
        lambda: iter(elements), output_signature=tf.RaggedTensorSpec([None, None], tf.int32)
    )
    batches = [batch.to_list() for batch in dataset.batch(2)]
    assert batches == [[[[1, 2], [3]], [[4]]], [[[], [5], [6, 7]]]]
    dataset = Dataset.range(3).map(lambda i: tf.ragged.range(tf.range(i + 1)))
    assert [batch.to_list() for batch in dataset.batch(3)] == [[[[]], [[], [0]], [[], [0], [0, 1]]]]


def test_values_that_differ_in_known_dimensions_are_refused():
    lists = [np.zeros((1, 2)), np.zeros((1, 3))]
    dataset = Dataset.from_generator(lambda: iter(lists), output_signature=tf.TensorSpec([None, 2]))
    with pytest.raises(tf.errors.InvalidArgumentError):
        list(dataset.ragged_batch(2))


def test_rows_do_not_see_updates_of_a_variable():
    variable = tf.Variable([1.0, 2.0, 3.0])
    dataset = Dataset.from_tensor_slices(tf.RaggedTensor.from_row_lengths(variable, [1, 2]))
    variable.assign([7.0, 8.0, 9.0])
    assert [row.numpy().tolist() for row in dataset] == [[1.0], [2.0, 3.0]]


def test_ragged_elements_are_not_saved_to_files(tmp_path):
    with pytest.raises(TypeError, match="RaggedTensorSpec"):
        Dataset.from_tensors(tf.ragged.constant([[1], []])).save(str(tmp_path / "rows"))


def test_a_training_on_ragged_batches_learns():
    """The mean of embeddings tells whether a row has more even than odd words."""
    random = np.random.default_rng(7)
    lists = [random.integers(0, 20, n).tolist() for n in random.integers(1, 9, 400)]
    labels = np.array([np.mean([1 - word % 2 * 2 for word in row]) for row in lists], np.float32)
    dataset = Dataset.from_tensor_slices((tf.ragged.constant(lists, tf.int32), labels)).batch(50)
    table = tf.Variable(np.zeros(20, np.float32))
    optimizer = tf.keras.optimizers.Adam(0.1)
    for _ in range(15):
        for words, label in dataset:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((tf.reduce_mean(tf.gather(table, words), 1) - label) ** 2)
            optimizer.apply_gradients([(tape.gradient(loss, table), table)])
    assert float(loss) < 0.01
