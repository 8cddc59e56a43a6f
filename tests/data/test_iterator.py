"""Iterators: where they are, and how they go on from there."""

import numpy as np
import pytest

import fastgrad as tf

Dataset = tf.data.Dataset


def source():
    x = np.arange(40.0, dtype=np.float32).reshape(20, 2)
    return Dataset.from_tensor_slices((x, np.arange(20)))


def drawn():
    return Dataset.sample_from_datasets([Dataset.range(9), Dataset.range(20, 29)], rerandomize_each_iteration=True)


PIPELINES = {
    "rows": source,
    "batches": lambda: source().shuffle(20).batch(3),
    "small buffer": lambda: source().shuffle(4).repeat(3).batch(3, drop_remainder=True),
    "elements": lambda: source().map(lambda x, y: (x + 1, y)).shuffle(7).batch(4).prefetch(2),
    "mapped batches": lambda: source().shuffle(20, seed=3).batch(4).map(lambda x, y: (x * 2, y)),
    "two shuffles": lambda: Dataset.zip(source().shuffle(20), Dataset.range(20).shuffle(5)).enumerate(),
    "cached": lambda: source().shuffle(20).cache().batch(3),
    "shuffled after the cache": lambda: source().shuffle(20).cache().shuffle(20).batch(3),
    "sampled": drawn,
    "resampled": lambda: Dataset.range(40).rejection_resample(lambda x: x % 2, [0.2, 0.8]),
    "padded": lambda: source().shuffle(20).padded_batch(4),
    "windows": lambda: source().shuffle(20).window(3, 2).flat_map(lambda x, y: Dataset.zip(x, y).batch(3)),
    "nothing drawn": lambda: Dataset.range(6).repeat(2),
}


def values(elements):
    return [tf.nest.map_structure(lambda leaf: leaf.numpy().tolist(), element) for element in elements]


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)
@pytest.mark.parametrize("epochs", [0, 2])
@pytest.mark.parametrize("position", [0, 1, 3])
def test_a_restored_iterator_goes_on_as_the_one_that_was_stored(pipeline, epochs, position):
    """In a second dataset, as after a restart; later epochs are the same, too."""
    dataset = pipeline()
    for _ in range(epochs):
        list(dataset)
    iterator = iter(dataset)
    for _ in range(position):
        next(iterator)
    state = iterator.state()
    rest, later = values(iterator), [values(dataset) for _ in range(2)]
    again = pipeline()
    restored = iter(again)
    restored.restore(state)
    assert values(restored) == rest
    assert [values(again) for _ in range(2)] == later


def test_elements_that_were_given_are_not_mapped_again():
    def make(calls):
        def double(x):
            calls.append(int(x))
            return x * 2

        return Dataset.range(6).map(double).prefetch(1)

    iterator = iter(make([]))
    next(iterator), next(iterator)
    calls = []
    restored = iter(make(calls))
    restored.restore(iterator.state())
    assert [int(x) for x in restored] == [4, 6, 8, 10]
    assert calls == [2, 3, 4, 5]


def test_states_are_arrays():
    state = iter(source().shuffle(5)).state()
    assert {name: (array.dtype, array.shape) for name, array in state.items()} == {
        "position": (np.int64, ()),
        "random": (np.uint64, (1, 4)),
    }


def test_a_state_of_another_pipeline_is_refused():
    iterator = iter(source().batch(2))
    next(iterator)
    with pytest.raises(ValueError, match="1 stages draw"):
        iterator.restore(iter(source().shuffle(3)).state())
    assert int(next(iterator)[1][0]) == 2


def test_the_next_element_as_an_optional():
    iterator = iter(Dataset.range(1))
    first, second = iterator.get_next_as_optional(), tf.data.experimental.get_next_as_optional(iterator)
    assert isinstance(first, tf.experimental.Optional)
    assert first.has_value()
    assert first.get_value() == 0
    assert first.element_spec == second.element_spec == tf.TensorSpec((), tf.int64)
    assert not second.has_value()
    with pytest.raises(tf.errors.InvalidArgumentError, match="does not have a value"):
        second.get_value()


def test_optionals_of_values():
    optional = tf.experimental.Optional.from_value((1, {"a": 2.0}))
    number, record = optional.get_value()
    assert (number.dtype, float(record["a"])) == (tf.int32, 2.0)
    assert optional.element_spec == (tf.TensorSpec((), tf.int32), {"a": tf.TensorSpec((), tf.float32)})
    empty = tf.experimental.Optional.empty(optional.element_spec)
    assert not empty.has_value()
    assert empty.element_spec == optional.element_spec


class TestAssertedCardinality:
    def numbers(self, count, size=5):
        return Dataset.range(size).filter(lambda x: x < 5).apply(tf.data.experimental.assert_cardinality(count))

    def test_it_is_the_cardinality(self):
        dataset = self.numbers(5)
        assert len(dataset) == dataset.cardinality() == 5
        assert list(dataset.as_numpy_iterator()) == [0, 1, 2, 3, 4]
        assert len(dataset.batch(2)) == 3

    @pytest.mark.parametrize(
        ("count", "elements", "message"),
        [
            (3, 3, "expected to contain 3 elements but contained at least 4 elements"),
            (0, 0, "expected to contain 0 elements but contained at least 1 element\\."),
            (6, 5, "expected to contain 6 elements but contained only 5 elements"),
            (
                tf.data.INFINITE_CARDINALITY,
                5,
                "expected to contain an infinite number of elements but contained only 5",
            ),
        ],
    )
    def test_another_number_is_an_error(self, count, elements, message):
        iterator = iter(self.numbers(count))
        assert [int(next(iterator)) for _ in range(elements)] == list(range(elements))
        with pytest.raises(tf.errors.FailedPreconditionError, match=message):
            next(iterator)
