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
