"""What is kept by `cache`, in memory and in folders, and when it is complete."""

import json
import re

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.data import cache

Dataset = tf.data.Dataset
COUNT = 20


def rows():
    return Dataset.range(COUNT).shuffle(COUNT)


def elements():
    return rows().map(lambda x: x)


def of_unknown_number():
    return rows().filter(lambda x: x >= 0)


def ints(dataset):
    return [int(x) for x in dataset]


@pytest.fixture(params=["memory", "folder"])
def cached(request, tmp_path):
    """A function that gives a dataset's cache."""

    def cache(dataset):
        return dataset.cache() if request.param == "memory" else dataset.cache(str(tmp_path / "kept"))

    return cache


@pytest.mark.parametrize("make", [rows, elements])
@pytest.mark.parametrize(
    "read",
    [
        lambda cache: cache.take(COUNT),
        lambda cache: cache.map(lambda x: x).take(COUNT),
        lambda cache: cache.batch(5).take(4).unbatch(),
        lambda cache: cache.batch(6, drop_remainder=True).unbatch(),
        lambda cache: cache.skip(5),
        lambda cache: cache.enumerate().take_while(lambda i, x: i < COUNT).map(lambda i, x: x),
        lambda cache: Dataset.zip(Dataset.range(COUNT), cache).map(lambda i, x: x),
        lambda cache: Dataset.zip(cache, Dataset.range(COUNT)).map(lambda x, i: x),
        lambda cache: cache.shuffle(COUNT, seed=1, reshuffle_each_iteration=False).take(9),
    ],
)
def test_a_cache_is_complete_when_its_last_element_is_asked_for(make, read, cached):
    dataset = read(cached(make()))
    assert ints(dataset) == ints(dataset)


@pytest.mark.parametrize("make", [rows, elements])
@pytest.mark.parametrize(
    "read",
    [
        lambda cache: cache.take(10),
        lambda cache: Dataset.zip(cache, Dataset.range(10)).map(lambda x, i: x),
        lambda cache: cache.enumerate().take_while(lambda i, x: i < 10).map(lambda i, x: x),
        lambda cache: cache.batch(5).take(3).unbatch(),
        lambda cache: cache.shuffle(5, seed=1, reshuffle_each_iteration=False).take(9),
    ],
)
def test_a_cache_of_which_a_part_is_read_is_filled_anew(make, read, cached):
    dataset = read(cached(make()))
    assert ints(dataset) != ints(dataset)


def test_a_cache_of_unknown_size_is_complete_at_its_end(cached):
    cache = cached(of_unknown_number())
    assert ints(cache.take(COUNT)) != ints(cache.take(COUNT))
    both = Dataset.zip(Dataset.range(COUNT), cache).map(lambda i, x: x)  # the end of one asks for that of the other
    assert ints(both) == ints(both) == ints(cache)


def test_as_many_times_next_as_there_are_elements(cached):
    cache = cached(rows())
    iterator = iter(cache)
    assert [int(next(iterator)) for _ in range(COUNT)] == ints(cache)


def test_the_iteration_that_is_complete_first_is_kept(cached):
    cache = cached(rows())
    first, second = iter(cache), iter(cache)
    orders = [(int(next(first)), int(next(second))) for _ in range(COUNT)]
    assert ints(cache) == [x for x, _ in orders] != [x for _, x in orders]
    waiting = iter(cached(rows()))
    del waiting
    assert ints(cache) == [x for x, _ in orders]


def test_datasets_made_of_a_cache_share_it(cached):
    cache = cached(rows())
    assert ints(cache.take(COUNT)) == ints(cache.map(lambda x: x)) == ints(cache)


def test_two_writers_of_large_caches_do_not_mix_their_elements(tmp_path):
    cache = Dataset.range(2000).shuffle(2000).cache(str(tmp_path))
    first, second = iter(cache), iter(cache)
    for _ in range(1500):
        next(first), next(second)
    assert len(ints(first)) == len(ints(second)) == 500
    assert sorted(ints(cache)) == list(range(2000))
    assert len(list(tmp_path.glob("elements-*"))) == 2


def test_an_abandoned_iteration_leaves_no_files(tmp_path):
    iterator = iter(Dataset.range(3000).cache(str(tmp_path)))
    for _ in range(1500):
        next(iterator)
    assert list(tmp_path.iterdir())
    del iterator
    assert list(tmp_path.iterdir()) == []


def test_a_cache_in_a_folder_makes_elements_when_they_are_asked_for(tmp_path):
    made = []

    def generate():
        for number in range(5):
            made.append(number)
            yield number

    dataset = Dataset.from_generator(generate, output_signature=tf.TensorSpec((), tf.int32))
    next(iter(dataset.cache(str(tmp_path))))
    assert made == [0]


def test_a_dataset_is_saved_where_it_was_loaded(tmp_path):
    folder = str(tmp_path)
    Dataset.range(3).save(folder)
    Dataset.load(folder).map(lambda x: 2 * x).save(folder)
    assert ints(Dataset.load(folder)) == [0, 2, 4]
    assert len(list(tmp_path.glob("elements-*"))) == 1


def changed_index(folder, **changes):
    index = json.loads((folder / "index.json").read_text())
    del index["checksum"]
    index.update(changes)
    (folder / "index.json").write_text(json.dumps({**index, "checksum": cache._index_checksum(index)}))


@pytest.mark.parametrize(
    "changes",
    [
        {"writer": "../../elsewhere"},
        {"files": [10**18]},
        {"files": [2]},
        {"files": [4]},
        {"files": [-3]},
        {"spec": {"dtype": "float32", "shape": []}},
        {"spec": {"dtype": "int64", "shape": [1]}},
        {"spec": {"shape": []}},
        {"spec": None},
    ],
)
def test_an_index_that_is_not_that_of_its_files_is_refused(tmp_path, changes):
    Dataset.range(3).save(tmp_path)
    changed_index(tmp_path, **changes)
    with pytest.raises(tf.errors.DataLossError, match=re.escape(str(tmp_path))):
        list(Dataset.load(tmp_path))


def test_every_flipped_bit_of_an_index_is_found(tmp_path):
    Dataset.from_tensor_slices(np.ones((4, 2))).save(tmp_path)
    whole = (tmp_path / "index.json").read_bytes()
    for bit in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        (tmp_path / "index.json").write_bytes(changed)
        with pytest.raises(tf.errors.DataLossError, match="index"):
            Dataset.load(tmp_path)


def test_saving_over_an_index_deletes_nothing_outside(tmp_path):
    folder = tmp_path / "saved"
    (folder / "elements-..").mkdir(parents=True)
    precious = tmp_path / "x-000000.safetensors"
    precious.write_bytes(b"not ours")
    Dataset.range(3).save(folder)
    changed_index(folder, writer="../../x")
    with pytest.raises(tf.errors.DataLossError, match="no name of a writer"):
        Dataset.load(folder)
    Dataset.range(2).save(folder)
    assert list(Dataset.load(folder).as_numpy_iterator()) == [0, 1]
    assert precious.read_bytes() == b"not ours"
