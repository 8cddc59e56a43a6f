"""Extension types and the dispatch of functions for them, beyond the conformance program ``extension_types``."""

import copy
import sys

import pytest

import fastgrad as tf

FACTOR = 1


class Interval(tf.experimental.BatchableExtensionType):
    low: tf.Tensor
    high: tf.Tensor
    closed: bool = True


def test_a_name_of_tf_is_its_own_again_after_the_last_registration():
    original = tf.concat

    @tf.experimental.dispatch_for_api(tf.concat)
    def joined(values: list[Interval], axis):
        return Interval(original([v.low for v in values], axis), original([v.high for v in values], axis))

    assert tf.concat is not original
    assert tf.concat([Interval([1], [2]), Interval([3], [4])], axis=0, name="n").low.numpy().tolist() == [1, 3]
    assert tf.concat([[1], [2]], 0).numpy().tolist() == [1, 2]
    with pytest.raises(TypeError, match="concat"):
        tf.concat([[1], [2]], 0, 1, 2, 3)
    tf.experimental.unregister_dispatch_for(joined)
    assert tf.concat is original


def test_an_object_is_its_own_copy():
    interval = Interval(1, 2)
    assert copy.copy(interval) is interval
    assert copy.deepcopy(interval) is interval


def test_another_static_value_is_another_trace():
    width = tf.function(lambda interval: interval.high - interval.low)

    for closed in (True, False, True, False, True):
        assert int(width(Interval(1, 4, closed))) == 3
    assert width.cache_info().recordings == 2


def test_a_method_that_reads_another_global_value_is_recorded_again(monkeypatch):
    class Scaled(tf.experimental.ExtensionType):
        inner: Interval

        def width(self):
            return (self.inner.high - self.inner.low) * FACTOR

    width = tf.function(lambda scaled: scaled.width())
    assert [int(width(Scaled(Interval(1, n)))) for n in (2, 3, 4)] == [1, 2, 3]
    assert width.cache_info().recordings == 1
    monkeypatch.setattr(sys.modules[__name__], "FACTOR", 10)
    assert [int(width(Scaled(Interval(1, n)))) for n in (2, 3, 4)] == [10, 20, 30]


def test_rows_of_different_numbers_are_refused():
    with pytest.raises(tf.errors.InvalidArgumentError, match="one number of rows"):
        tf.data.Dataset.from_tensor_slices(Interval([1, 2], [3]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="other fields differ"):
        list(tf.data.Dataset.from_tensors(0).repeat(2).enumerate().map(lambda i, _: Interval(tf.range(i), 1)).batch(2))


def test_other_extension_types_have_no_rows():
    class Plain(tf.experimental.ExtensionType):
        x: tf.Tensor

    with pytest.raises(TypeError, match="BatchableExtensionType"):
        tf.data.Dataset.from_tensor_slices(Plain([1]))


def test_datasets_shuffle_and_take_objects():
    points = Interval(tf.range(6), tf.range(6) * 2)
    seen = [(int(p.low), int(p.high)) for p in tf.data.Dataset.from_tensor_slices(points).shuffle(6, seed=3).skip(1)]
    assert len(seen) == 5
    assert all(high == 2 * low for low, high in seen)
    assert isinstance(points._spec().batched(3), Interval.Spec)


def test_print_writes_the_fields(capsys):
    tf.print(Interval(1, 2, False), output_stream="file:///dev/null")
    assert "closed=False" in repr(Interval(1, 2, False))


def test_maps_over_rows_of_a_batch_without_rows_and_of_scalars():
    class Pair(tf.experimental.BatchableExtensionType):
        a: tf.Tensor
        b: tf.Tensor

    empty = Pair(tf.zeros((0, 2)), tf.zeros((0,)))
    for function in (tf.map_fn, tf.vectorized_map):
        result = function(lambda pair: Pair(pair.a * 2.0, pair.b), empty)
        assert [result.a.shape.as_list(), result.b.shape.as_list()] == [[0, 2], [0]]
        with pytest.raises(ValueError, match="scalar"):
            function(lambda pair: pair, Pair(1.0, 2.0))
        with pytest.raises(TypeError, match="not callable"):
            function(3, empty)


def test_vectorized_map_runs_for_rows_of_ragged_tensors_one_by_one():
    numbers = tf.ragged.constant([[3, 1, 4], [], [1, 5]])
    assert tf.vectorized_map(tf.reduce_sum, numbers).numpy().tolist() == [8, 0, 6]
    sums, rows, nothing = tf.vectorized_map(
        lambda pair: (pair[1] + tf.size(pair[0]), tf.ragged.stack([pair[0]]), None), (numbers, tf.range(3))
    )
    assert [sums.numpy().tolist(), rows.to_list(), nothing] == [[3, 1, 4], [[[3, 1, 4]], [[]], [[1, 5]]], None]
    empty = tf.vectorized_map(lambda row: tf.stack([tf.reduce_sum(row)] * 2), numbers[:0])
    assert empty.shape.as_list() == [0, 2]
    with pytest.raises(ValueError, match="fallback_to_while_loop=True"):
        tf.vectorized_map(tf.reduce_sum, numbers, fallback_to_while_loop=False)
    with pytest.raises(ValueError, match="Dimensions 3 and 2"):
        tf.vectorized_map(lambda pair: pair[1], (numbers, tf.range(2)))
    with pytest.raises(ValueError, match="Incompatible shape"):
        tf.vectorized_map(lambda row: row, numbers)


def test_objects_whose_encoding_has_other_numbers_of_rows_are_refused():
    class Words(tf.experimental.BatchableExtensionType):
        number: tf.Tensor
        words: tf.RaggedTensor

    with pytest.raises(tf.errors.InvalidArgumentError, match="one number of rows"):
        tf.data.Dataset.from_tensor_slices(Words([1, 2], tf.ragged.constant([[1]])))
    with pytest.raises(tf.errors.InvalidArgumentError, match="one number of rows"):
        tf.data.Dataset.from_tensor_slices(Words(1, tf.ragged.constant([[1]])))


def test_functions_within_fastgrad_are_dispatched_too():
    """A layer calls functions where they are defined, not by their public names."""

    class Shifted(tf.experimental.ExtensionType):
        values: tf.Tensor

    @tf.experimental.dispatch_for_api(tf.convert_to_tensor, {"value": Shifted})
    def values_of(value, dtype=None, dtype_hint=None, name=None):
        return value.values + 1.0

    try:
        assert tf.keras.activations.linear is not None
        assert tf.keras.activations.relu6(Shifted(tf.constant([-3.0, 7.0]))).numpy().tolist() == [0.0, 6.0]
    finally:
        tf.experimental.unregister_dispatch_for(values_of)
