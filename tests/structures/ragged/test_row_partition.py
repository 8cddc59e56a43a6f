"""Row partitions, beyond the conformance program ``row_partitions``."""

import pytest

import fastgrad as tf

RowPartition = tf.experimental.RowPartition


def test_specs_are_of_the_known_numbers():
    three, four = RowPartition.from_row_lengths([1, 2, 3]), RowPartition.from_row_lengths([1, 2, 3, 4])
    common = three._spec().most_specific_common_supertype([four._spec()])
    assert common.is_compatible_with(three)
    assert common.is_compatible_with(four)
    assert not three._spec().is_compatible_with(four)
    assert not three._spec().is_compatible_with(three.with_dtype(tf.int32))
    assert three._spec() == RowPartition.from_row_splits([0, 1, 1, 1])._spec()


def test_a_function_is_one_trace_for_all_partitions_of_as_many_rows():
    @tf.function
    def means(values, partition):
        sums = tf.math.unsorted_segment_sum(values, partition.value_rowids(), partition.static_nrows)
        return sums / tf.cast(partition.row_lengths(), values.dtype)

    values = tf.constant([1.0, 2.0, 6.0])
    assert means(values, RowPartition.from_row_lengths([1, 2])).numpy().tolist() == [1.0, 4.0]
    assert means(values, RowPartition.from_row_lengths([2, 1])).numpy().tolist() == [1.5, 6.0]


def test_partitions_are_no_tensors():
    partition = RowPartition.from_row_lengths([1, 2])
    assert not tf.is_tensor(partition)
    with pytest.raises(ValueError, match="integers only"), tf.GradientTape() as tape:
        tape.watch(partition)
