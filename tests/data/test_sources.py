"""Where datasets' elements come from."""

from typing import Any, NamedTuple

import numpy as np
import pytest

import fastgrad as tf

Dataset = tf.data.Dataset


class Pair(NamedTuple):
    left: Any
    right: Any


def values(dataset):
    return list(dataset.as_numpy_iterator())


def test_slices_of_a_dict_keep_its_keys():
    dataset = Dataset.from_tensor_slices({"b": [[1.0, 2.0], [3.0, 4.0]], "a": [1, 2]})
    element = next(iter(dataset))
    assert list(element) == ["b", "a"]
    np.testing.assert_array_equal(element["b"], [1, 2])
    assert int(element["a"]) == 1
    assert repr(dataset) == (
        "<_TensorSliceDataset element_spec={'b': TensorSpec(shape=(2,), dtype=tf.float32, name=None), "
        "'a': TensorSpec(shape=(), dtype=tf.int32, name=None)}>"
    )


def test_a_list_is_one_tensor():
    assert Dataset.from_tensor_slices([[1, 2], [3, 4]]).element_spec == tf.TensorSpec((2,), tf.int32)
    assert Dataset.from_tensor_slices([np.ones(2), np.zeros(2)]).element_spec == tf.TensorSpec((2,), tf.float64)
    assert Dataset.from_tensors([1, 2]).element_spec == tf.TensorSpec((2,), tf.int32)


def test_slices_of_named_tuples_nested_structures_and_none():
    element = next(iter(Dataset.from_tensor_slices(Pair([1], ([2.0], {"c": [3]})))))
    assert isinstance(element, Pair)
    assert float(element.right[0]) == 2.0
    assert int(element.right[1]["c"]) == 3
    assert next(iter(Dataset.from_tensor_slices(([1], None))))[1] is None


def test_slices_of_strings():
    assert values(Dataset.from_tensor_slices(["a", "bc"])) == [b"a", b"bc"]
    assert values(Dataset.from_tensor_slices(["a", "bc", "d"]).batch(2))[1].tolist() == [b"d"]
    assert values(Dataset.from_tensor_slices(["a", "bc"]).map(lambda s: s).batch(2))[0].tolist() == [b"a", b"bc"]


def test_later_changes_of_the_sources_are_not_seen():
    array, variable = np.zeros(2), tf.Variable([0.0, 0.0])
    dataset = Dataset.from_tensor_slices((array, variable))
    first = next(iter(dataset))
    array[:] = 1
    variable.assign([1.0, 1.0])
    assert [float(x) for x in first] == [0, 0]
    assert values(dataset) == [(0.0, 0.0), (0.0, 0.0)]
    whole = Dataset.from_tensors(variable)
    element = next(iter(whole))
    variable.assign([2.0, 2.0])
    np.testing.assert_array_equal(element, [1, 1])


@pytest.mark.parametrize(
    ("tensors", "text"),
    [
        (5, "rank >= 1"),
        ((np.ones((6, 2)), np.ones(3)), "Dimensions 6 and 3 are not compatible"),
        ((), "should not be empty"),
        ({}, "should not be empty"),
    ],
)
def test_refused_slices(tensors, text):
    with pytest.raises(ValueError, match=text):
        Dataset.from_tensor_slices(tensors)


def test_refused_ranges():
    with pytest.raises(ValueError, match="between 1 and 3 but was 0"):
        Dataset.range()
    with pytest.raises(tf.errors.InvalidArgumentError, match="non-zero"):
        Dataset.range(0, 5, 0)
    with pytest.raises(TypeError):
        Dataset.range(1.5)


def test_a_generator_starts_again_for_each_iteration():
    starts = []

    def numbers(n):
        starts.append(n)
        yield from range(n)

    dataset = Dataset.from_generator(numbers, args=(3,), output_types=tf.float32)
    assert values(dataset) == [0, 1, 2]
    assert values(dataset) == [0, 1, 2]
    assert starts == [3, 3]
    assert int(dataset.cardinality()) == tf.data.UNKNOWN_CARDINALITY
    assert dataset.element_spec == tf.TensorSpec(None, tf.float32)


def test_a_generator_of_structures():
    signature = (tf.TensorSpec((), tf.int64), {"a": tf.TensorSpec((None,), tf.float32)})
    dataset = Dataset.from_generator(
        lambda: iter([(1, {"a": [2.0]}), [3, {"a": [4.0, 5.0]}]]), output_signature=signature
    )
    elements = list(dataset)
    assert dataset.element_spec == signature
    assert int(elements[1][0]) == 3
    np.testing.assert_array_equal(elements[1][1]["a"], [4, 5])
    typed = Dataset.from_generator(
        lambda: iter([(1, [2.0])]), output_types=(tf.int32, tf.float32), output_shapes=((), (None,))
    )
    assert typed.element_spec == (tf.TensorSpec((), tf.int32), tf.TensorSpec((None,), tf.float32))


@pytest.mark.parametrize("value", [1.5, "a", [1, 2], (1,), None])
def test_a_generator_whose_elements_do_not_fit(value):
    dataset = Dataset.from_generator(lambda: iter([value]), output_signature=tf.TensorSpec((), tf.int32))
    with pytest.raises(tf.errors.InvalidArgumentError, match="yielded an element"):
        list(dataset)


def test_refused_generators():
    with pytest.raises(TypeError, match="callable"):
        Dataset.from_generator([1], output_types=tf.int32)
    with pytest.raises(TypeError, match="output_signature"):
        Dataset.from_generator(lambda: iter([1]))
    with pytest.raises(TypeError, match="cannot be used together"):
        Dataset.from_generator(lambda: [1], output_types=tf.int32, output_signature=tf.TensorSpec((), tf.int32))
    with pytest.raises(TypeError, match="output_signature"):
        Dataset.from_generator(lambda: [1], output_signature=tf.int32)


def test_an_error_of_the_generator_passes_through():
    def broken():
        yield 1
        raise KeyError("mine")

    iterator = iter(Dataset.from_generator(broken, output_types=tf.int32))
    assert int(next(iterator)) == 1
    with pytest.raises(KeyError, match="mine"):
        next(iterator)


def test_datasets_are_not_made_by_the_class():
    with pytest.raises(TypeError, match="from_tensor_slices"):
        Dataset([1, 2])
