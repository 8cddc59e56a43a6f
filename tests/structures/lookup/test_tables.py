"""Tables: what TensorFlow can't answer; tests/conformance/programs/lookup.py asks the rest."""

from typing import Any

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.errors import FailedPreconditionError


def test_a_table_agrees_with_a_dict() -> None:
    pairs = {f"key {n}".encode(): n * n for n in range(100)}
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(list(pairs), tf.constant(list(pairs.values()), tf.int64)), -1
    )
    keys = [f"key {n}".encode() for n in range(0, 200, 3)]
    assert table.lookup(tf.constant(keys)).numpy().tolist() == [pairs.get(key, -1) for key in keys]
    assert dict(zip(*[x.numpy().tolist() for x in table.export()], strict=True)) == pairs


def test_a_compiled_program_sees_what_is_inserted_later() -> None:
    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
    find = tf.function(lambda key: table.lookup(key) + table.size())
    assert find(tf.constant(["a"])).numpy().tolist() == [-1]
    table.insert(["a"], [10])
    assert find(tf.constant(["a"])).numpy().tolist() == [11]


def test_a_table_keeps_the_values_of_a_variable_that_changes() -> None:
    variable = tf.Variable([[1.0, 2.0]])
    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.float32, [0.0, 0.0])
    table.insert(["a"], variable)
    variable.assign_add([[1.0, 1.0]])
    assert table.lookup(["a"]).numpy().tolist() == [[1.0, 2.0]]


def test_a_refused_insert_changes_nothing() -> None:
    table = tf.lookup.experimental.DenseHashTable(tf.int64, tf.int64, -1, empty_key=0, deleted_key=-1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Using the empty_key as a table key is not allowed"):
        table.insert([5, 0], [1, 2])
    assert int(table.size()) == 0


def test_the_error_of_a_key_with_two_values_names_all_three() -> None:
    with pytest.raises(FailedPreconditionError, match=r"Key b'a' has 1 and trying to add value 2"):
        tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a", "a"], [1, 2]), -1)


def test_embeddings_of_looked_up_words_have_gradients() -> None:
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a", "b"], [1, 2]), 0)
    weights = tf.Variable(tf.ones([3, 2]))

    @tf.function
    def gradient(words: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(weights, table.lookup(words)) ** 2)
        return tf.convert_to_tensor(tape.gradient(loss, weights))

    assert gradient(tf.constant(["b", "b", "z"])).numpy().tolist() == [[2, 2], [0, 0], [4, 4]]


@pytest.mark.parametrize("dtype", ["int32", "int64", "string"])
def test_many_look_ups_agree_with_a_dict_while_the_table_changes(dtype: str) -> None:
    r = np.random.default_rng(0)

    def keys(count: int) -> np.ndarray:
        numbers = r.integers(-300, 300, count)
        return np.array([b"k%d" % n for n in numbers], object) if dtype == "string" else numbers.astype(dtype)

    table = tf.lookup.experimental.MutableHashTable(dtype, tf.float32, [-1.0, -2.0])
    pairs: dict[Any, list[float]] = {}
    for change in range(6):
        new, values = keys(100), r.random((100, 2)).astype(np.float32)
        table.insert(new, values)
        pairs.update(zip(new.tolist(), values.tolist(), strict=True))
        for key in new.tolist()[:20] if change % 2 else ():
            pairs.pop(key, None)
            table.remove(tf.constant([key], dtype))
        for _ in range(3):  # the later ones use the index
            wanted = keys(400)
            defaults = r.random((400, 2)).astype(np.float32)
            expected = [pairs.get(key, [-1.0, -2.0]) for key in wanted.tolist()]
            assert table.lookup(wanted.reshape(20, 20)).numpy().reshape(400, 2).tolist() == expected
            expected = [pairs.get(key, row) for key, row in zip(wanted.tolist(), defaults.tolist(), strict=True)]
            assert table.lookup(wanted, defaults).numpy().tolist() == expected
