"""Transformations that look inside elements."""

from typing import Any, NamedTuple

import numpy as np
import pytest

import fastgrad as tf

Dataset = tf.data.Dataset
UNKNOWN = tf.data.UNKNOWN_CARDINALITY


class Pair(NamedTuple):
    left: Any
    right: Any


def values(dataset):
    return list(dataset.as_numpy_iterator())


def test_functions_get_named_tuples_whole():
    rows = Dataset.from_tensor_slices(Pair([1], [2]))
    for dataset in (
        rows,
        Dataset.range(1).map(lambda x: Pair(1, 2)),
        Dataset.zip(Pair(rows, rows)).map(lambda pair: pair.left),
    ):
        assert values(dataset.map(lambda pair: pair.left + pair.right)) == [3]
        assert len(values(dataset.filter(lambda pair: pair.left > 0))) == 1
        assert values(dataset.flat_map(lambda pair: Dataset.from_tensors(pair.right))) == [2]
        assert values(dataset.map(lambda pair: (0, pair)).map(lambda zero, pair: pair.left)) == [1]


def test_parts_of_variables_are_elements():
    v = tf.Variable([1.0, 2.0])
    data = Dataset.range(3)
    assert [batch.tolist() for batch in values(data.map(lambda i: v[0]).batch(2))] == [[1, 1], [1]]
    assert [batch.tolist() for batch in values(data.map(lambda i: v[:i]).padded_batch(3))] == [[[0, 0], [1, 0], [1, 2]]]
    first, second = Dataset.from_tensors(v[0]), Dataset.from_tensor_slices(v[:2])
    v.assign([7.0, 8.0])
    assert values(first) == [1.0]
    assert values(second) == [1.0, 2.0]


def test_results_of_map_become_tensors():
    dataset = Dataset.range(2).map(lambda x: [x, 1.5, {"a": [1, 2]}])
    element = next(iter(dataset))
    assert isinstance(element, tuple)
    assert element[1].dtype == tf.float32
    np.testing.assert_array_equal(element[2]["a"], [1, 2])
    with pytest.raises(TypeError, match="None"):
        list(Dataset.range(2).map(lambda x: None))
    with pytest.raises(TypeError, match="argument"):
        list(Dataset.range(2).map(lambda x, y: x))


def test_the_spec_of_a_map():
    images = Dataset.from_tensor_slices((np.ones((5, 2, 3), np.float32), np.arange(5)))
    batches = images.batch(2).map(lambda x, y: (x * 2.0, y))
    assert batches.element_spec == (tf.TensorSpec((None, 2, 3), tf.float32), tf.TensorSpec((None,), tf.int64))
    assert Dataset.range(3).map(lambda x: [x, x]).element_spec == (tf.TensorSpec((), tf.int64),) * 2
    assert Dataset.range(3).map(lambda x: np.ones((2, 2))).element_spec == tf.TensorSpec((2, 2), tf.float64)

    def positive(x):
        if x < 1:
            raise ValueError("not for zeros")
        return x

    assert Dataset.range(1, 3).map(positive).element_spec == tf.TensorSpec((), tf.int64)


def test_pipelines_are_not_recorded():
    v = tf.Variable(2.0)
    dataset = Dataset.from_tensor_slices([1.0]).map(lambda x: x * v).filter(lambda x: v > 0.0)
    with tf.GradientTape() as tape:
        y = next(iter(dataset)) * 1.0
    assert tape.watched_variables() == ()
    assert tape.gradient(y, v) is None


def test_filter_and_take_while():
    assert values(Dataset.range(6).filter(lambda x: x % 2 == 0)) == [0, 2, 4]
    assert values(Dataset.from_tensor_slices(([1, 2], [3, 4])).filter(lambda a, b: a > 1)) == [(2, 4)]
    assert values(Dataset.range(3).filter(lambda x: True)) == [0, 1, 2]
    assert values(Dataset.range(9).take_while(lambda x: x < 3)) == [0, 1, 2]
    with pytest.raises(ValueError, match=r"`predicate` must return a `tf.bool` scalar tensor"):
        list(Dataset.range(3).filter(lambda x: x))


@pytest.mark.parametrize("make", [Dataset.range, lambda n: Dataset.range(n).map(lambda x: x)], ids=["rows", "elements"])
def test_batches(make):
    dataset = make(5)
    assert [b.tolist() for b in values(dataset.batch(2))] == [[0, 1], [2, 3], [4]]
    assert [b.tolist() for b in values(dataset.batch(2, drop_remainder=True))] == [[0, 1], [2, 3]]
    assert [b.tolist() for b in values(dataset.batch(9))] == [[0, 1, 2, 3, 4]]
    assert values(make(0).batch(2)) == []
    assert [len(dataset.batch(2)), len(dataset.batch(2, True)), len(dataset.batch(9))] == [3, 2, 1]
    assert dataset.batch(2).element_spec == tf.TensorSpec((None,), tf.int64)
    assert dataset.batch(2, drop_remainder=True).element_spec == tf.TensorSpec((2,), tf.int64)
    assert [b.tolist() for b in values(dataset.batch(2, True).batch(2))] == [[[0, 1], [2, 3]]]


def test_batches_of_structures():
    x = np.arange(12, dtype=np.float32).reshape(6, 2)
    rows = Dataset.from_tensor_slices((x, {"y": np.arange(6)}))
    for dataset in (rows, rows.map(lambda a, b: (a, b)), rows.shuffle(1)):
        first, last = values(dataset.batch(4))
        np.testing.assert_array_equal(first[0], x[:4])
        np.testing.assert_array_equal(last[1]["y"], [4, 5])


def test_refused_batches():
    with pytest.raises(tf.errors.InvalidArgumentError, match="greater than zero"):
        Dataset.range(3).batch(0)
    with pytest.raises(TypeError):
        Dataset.range(3).batch(2.5)
    ragged = Dataset.range(1, 4).map(lambda n: tf.zeros([n]))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[tensor\]: \[2\], \[batch\]: \[1\]"):
        list(ragged.batch(2))


def test_unbatch_takes_batches_apart():
    dataset = Dataset.from_tensor_slices(([1, 2, 3], [4.0, 5.0, 6.0])).batch(2).unbatch()
    assert values(dataset) == [(1, 4.0), (2, 5.0), (3, 6.0)]
    assert dataset.element_spec == (tf.TensorSpec((), tf.int32), tf.TensorSpec((), tf.float32))
    assert int(dataset.cardinality()) == UNKNOWN
    with pytest.raises(tf.errors.InvalidArgumentError, match="rank 1"):
        list(Dataset.range(3).unbatch())


def test_zip_ends_with_the_shortest():
    a, b = Dataset.range(5), Dataset.from_tensor_slices([1.0, 2.0])
    assert values(Dataset.zip(a, b)) == values(Dataset.zip((a, b))) == [(0, 1.0), (1, 2.0)]
    assert values(Dataset.zip({"b": a, "a": b.map(lambda x: x)})) == [{"b": 0, "a": 1.0}, {"b": 1, "a": 2.0}]
    assert values(Dataset.zip((a, (b, a)))) == [(0, (1.0, 0)), (1, (2.0, 1))]
    assert len(Dataset.zip(a, b)) == 2
    assert int(Dataset.zip(a, b.repeat()).cardinality()) == 5
    assert Dataset.zip(a, b).element_spec == (a.element_spec, b.element_spec)
    shuffled = Dataset.zip(a, a.map(lambda x: x)).shuffle(5).batch(5)
    np.testing.assert_array_equal(*next(iter(shuffled)))
    rows = Dataset.zip(a, a).shuffle(5).batch(5)
    np.testing.assert_array_equal(*next(iter(rows)))


def test_refused_zips():
    with pytest.raises(TypeError, match="no lists"):
        Dataset.zip([Dataset.range(2), Dataset.range(2)])
    with pytest.raises(TypeError, match="must pass datasets"):
        Dataset.zip()


def test_concatenate():
    both = Dataset.range(2).concatenate(Dataset.range(7, 9))
    assert values(both) == [0, 1, 7, 8]
    assert len(both) == 4
    assert Dataset.range(5).concatenate(Dataset.range(2).batch(2)).element_spec == tf.TensorSpec(None, tf.int64)
    with pytest.raises(TypeError, match="Incompatible dataset elements"):
        Dataset.range(5).concatenate(Dataset.from_tensor_slices([1.0]))
    with pytest.raises(TypeError, match="Incompatible dataset elements"):
        Dataset.range(5).concatenate(Dataset.range(5).enumerate())


def test_flat_map_joins_datasets():
    dataset = Dataset.range(1, 3).flat_map(lambda n: Dataset.from_tensors(n).repeat(2))
    assert values(dataset) == [1, 1, 2, 2]
    assert dataset.element_spec == tf.TensorSpec((), tf.int64)
    with pytest.raises(TypeError, match="must return a `Dataset`"):
        list(Dataset.range(2).flat_map(lambda n: n))


def test_reduce_and_single_elements():
    assert int(Dataset.range(4).reduce(np.int64(0), lambda total, x: total + x)) == 6
    total, count = Dataset.range(4).reduce((np.int64(0), 0), lambda state, x: (state[0] + x, state[1] + 1))
    assert (int(total), int(count)) == (6, 4)
    assert int(Dataset.range(4).skip(3).get_single_element()) == 3
    for n in (0, 2):
        with pytest.raises(tf.errors.InvalidArgumentError, match="Dataset"):
            Dataset.range(n).get_single_element()


def test_apply_chains():
    assert values(Dataset.range(3).apply(lambda d: d.take(1))) == [0]
    with pytest.raises(TypeError, match="must return"):
        Dataset.range(3).apply(lambda d: 1)


def test_iterators():
    iterator = iter(Dataset.range(1))
    assert iter(iterator) is iterator
    assert iterator.element_spec == tf.TensorSpec((), tf.int64)
    assert int(iterator.get_next()) == 0
    with pytest.raises(tf.errors.OutOfRangeError, match="End of sequence"):
        iterator.get_next()
    with pytest.raises(StopIteration):
        next(iterator)
    assert isinstance(iterator, tf.data.Iterator)


@pytest.mark.parametrize("key", [3, None])
def test_keys_without_an_order(key):
    data = Dataset.range(2)
    (element,) = data.map(lambda i: {"b": 1, key: 2}).take(1)
    assert [(name, int(value)) for name, value in element.items()] == [("b", 1), (key, 2)]
    (element,) = data.scan(0, lambda state, i: (state, {"b": i, key: 2})).take(1)
    assert [(name, int(value)) for name, value in element.items()] == [("b", 0), (key, 2)]


def test_values_of_dicts_become_tensors_in_their_own_order():
    for first, second in ((object, set), (set, object)):
        with pytest.raises((TypeError, ValueError), match=first.__name__):
            values(Dataset.range(1).map(lambda i, made=(first, second): {"b": made[0](), "a": made[1]()}))


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda x: tf.boolean_mask(x, x > 100.0), [None]),
        (lambda x: tf.where(x > 100.0), [None, 1]),
        (lambda x: tf.unique(x)[0], [None]),
    ],
)
def test_sizes_that_depend_on_values_are_unknown_in_the_spec(function, shape):
    mapped = tf.data.Dataset.from_tensor_slices([[1.0, 2.0, 300.0], [400.0, 400.0, 400.0]]).map(function)
    assert mapped.element_spec.shape == shape
    (padded,) = mapped.padded_batch(2)
    assert padded.shape[1] == 3


def test_the_spec_of_a_map_that_reads_files(tmp_path):
    paths = [str(tmp_path / name) for name in ("a", "b")]
    for path in paths:
        tf.io.write_file(path, "1 2")
    dataset = tf.data.Dataset.from_tensor_slices(paths).map(lambda path: tf.strings.split(tf.io.read_file(path)))
    assert dataset.element_spec.dtype == tf.string
    (batch,) = dataset.padded_batch(2)
    assert batch.numpy().tolist() == [[b"1", b"2"]] * 2
