"""Behaviour that TensorFlow's own tests of tf.data pin down; the expected values are TensorFlow 2.21's."""

import traceback

import numpy as np
import pytest

import fastgrad as tf

Dataset = tf.data.Dataset
BATCHES = Dataset.range(8).batch(4, drop_remainder=True)


def values(dataset):
    return [element.tolist() for element in dataset.as_numpy_iterator()]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([1, 1, 1, 1, 0], [[0], [1], [2], [3], [], [4], [5], [6], [7], []]),
        ([0, 1], [[], [0], [], [1], [], [2], [], [3], [], [4], [], [5], [], [6], [], [7], []]),
        ([1, 0], [[0], [], [1], [], [2], [], [3], [], [4], [], [5], [], [6], [], [7], []]),
        ([3, 3], [[0, 1, 2], [3, 4, 5], [6, 7]]),
    ],
)
def test_rebatch_by_sizes_that_take_turns(sizes, expected):
    assert values(BATCHES.rebatch(sizes)) == expected


def test_stages_after_rebatch_get_its_batches():
    assert values(BATCHES.rebatch(3).take(2)) == [[0, 1, 2], [3, 4, 5]]
    assert values(BATCHES.rebatch([4, 0]).skip(1).cache()) == [[], [4, 5, 6, 7], []]


@pytest.mark.parametrize("size", [-1, [2, -1], [[1]], []])
def test_sizes_that_rebatch_refuses(size):
    with pytest.raises(ValueError, match="batch_sizes"):
        BATCHES.rebatch(size)


@pytest.mark.parametrize(
    ("size", "drop_before", "drop", "expected"),
    [
        ([2, 2], True, False, 2),
        (2, True, False, 2),
        (4, True, False, 4),
        (3, True, False, None),
        ([1, 3], True, True, None),
        (2, False, False, None),
        (2, False, True, 2),
        (0, True, False, 0),
    ],
)
def test_known_sizes_of_rebatch(size, drop_before, drop, expected):
    dataset = Dataset.range(8).batch(4, drop_remainder=drop_before).rebatch(size, drop)
    assert dataset.element_spec.shape.as_list() == [expected]


def test_rebatch_of_ragged_tensors_that_map_gave():
    ragged = tf.RaggedTensor.from_row_lengths(list(range(10)), [1, 2, 3, 4])
    dataset = Dataset.from_tensor_slices(ragged).batch(4, drop_remainder=True).map(lambda x: x)
    assert [x.to_list() for x in dataset.rebatch([2, 2])] == [[[0], [1, 2]], [[3, 4, 5], [6, 7, 8, 9]]]


SOURCES = [Dataset.from_tensors(number).repeat() for number in (0.0, 1.0, 2.0)]


def test_weights_of_sample_from_datasets():
    ones = Dataset.from_tensors([0.0, 0.0, 1.0])
    assert values(Dataset.sample_from_datasets(SOURCES, ones.repeat(3))) == [2.0, 2.0, 2.0]
    turns = Dataset.from_tensor_slices(np.eye(3))
    assert values(Dataset.sample_from_datasets(SOURCES, turns)) == [0.0, 1.0, 2.0]
    assert values(Dataset.sample_from_datasets(SOURCES, [0.0, 0.0, 0.0])) == []
    with pytest.raises(TypeError, match="tf.float32"):
        Dataset.sample_from_datasets(SOURCES, [1, 2, 3])


def test_choices_must_be_a_dataset():
    with pytest.raises(TypeError, match="choice_dataset"):
        Dataset.choose_from_datasets(SOURCES, None)


def test_an_iterator_of_arrays_has_next():
    iterator = Dataset.range(2).as_numpy_iterator()
    assert [iterator.next(), next(iterator)] == [0, 1]
    with pytest.raises(StopIteration):
        iterator.next()
    assert list(Dataset.range(3).as_numpy_iterator()) == [0, 1, 2]


def test_arrays_of_as_numpy_iterator_are_read_only():
    (array,) = Dataset.from_tensors([1, 2, 3]).as_numpy_iterator()
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 3
    with pytest.raises(TypeError, match="as_numpy_iterator"):
        Dataset.range(4).window(2).as_numpy_iterator()


@pytest.mark.parametrize("stage", ["reduce", "scan"])
def test_a_state_keeps_its_dtype(stage):
    def run(function):
        if stage == "reduce":
            return Dataset.range(3).reduce(tf.constant(0, tf.int64), function)
        return list(Dataset.range(3).scan(tf.constant(0, tf.int64), lambda state, x: (function(state, x), x)))

    with pytest.raises(TypeError, match="element types for the new state"):
        run(lambda state, x: tf.constant("a"))
    with pytest.raises((tf.errors.InvalidArgumentError, TypeError)):
        run(lambda state, x: (state, x))


@pytest.mark.parametrize("names", [1, Dataset.range(3), Dataset.from_tensors(["a", "b"])])
def test_names_of_text_files_are_strings(names):
    with pytest.raises(TypeError, match="tf.string"):
        tf.data.TextLineDataset(names)


def test_how_many_elements_come_of_several_datasets():
    endless, three, choices = Dataset.range(3).repeat(), Dataset.range(3), Dataset.range(2)

    def count(*datasets, weights=None):
        return int(Dataset.sample_from_datasets(list(datasets), weights).cardinality())

    infinite, unknown = tf.data.INFINITE_CARDINALITY, tf.data.UNKNOWN_CARDINALITY
    assert count(endless, three) == infinite
    assert count(three, three) == unknown
    assert count(three, three, weights=[1.0, 0.0]) == 3
    assert count(endless, three, weights=[1.0, 0.0]) == infinite
    assert int(Dataset.choose_from_datasets([endless, three], choices).cardinality()) == infinite
    assert int(Dataset.choose_from_datasets([three, three], choices).cardinality()) == unknown


def test_unbatch_refuses_tensors_that_are_known_to_have_different_numbers_of_rows():
    with pytest.raises(ValueError, match="matching leading dimension"):
        Dataset.from_tensors((np.arange(7), np.arange(8))).unbatch()


def test_a_generator_goes_on_after_an_error_that_unittest_has_seen():
    def shapes():
        for size in (3, 4, 3):
            yield np.arange(size)

    iterator = iter(Dataset.from_generator(shapes, output_signature=tf.TensorSpec([3], tf.int64)))
    next(iterator)
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        next(iterator)
    traceback.clear_frames(raised.tb)  # as ``assertRaises`` of unittest does
    assert next(iterator).numpy().tolist() == [0, 1, 2]


@pytest.mark.parametrize("make", [lambda: Dataset.from_tensors((1, None)), lambda: Dataset.range(4).window(2)])
def test_padded_batch_takes_tensors_only(make):
    with pytest.raises(TypeError, match="padded_batch"):
        make().padded_batch(2)


def test_how_many_rows_and_groups_there_are():
    infinite, unknown = tf.data.INFINITE_CARDINALITY, tf.data.UNKNOWN_CARDINALITY
    for source, rows, groups in [
        (Dataset.range(6), 6, unknown),
        (Dataset.range(6).repeat(), infinite, infinite),
        (Dataset.range(6).filter(lambda x: x > 0), unknown, unknown),
    ]:
        assert int(source.batch(2, drop_remainder=True).unbatch().cardinality()) == rows
        assert int(source.group_by_window(lambda x: x % 2, lambda _, g: g.batch(2), 2).cardinality()) == groups


def test_output_types_of_a_generator_are_no_list():
    for types in ([tf.int64], (tf.int64, [tf.int32]), {"a": [tf.int64]}):
        with pytest.raises(TypeError, match="output_types"):
            Dataset.from_generator(lambda: iter([20]), output_types=types)
