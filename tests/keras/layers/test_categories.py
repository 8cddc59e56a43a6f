"""StringLookup, IntegerLookup, TextVectorization, Discretization, Hashing: Keras's answers, models, datasets and files."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.keras.saving.registration import SafeModeScope
from fastgrad.keras import layers
from tests.keras.recorded_answers import answer, assert_agrees, recorded

ANSWERS = recorded("categories")


@pytest.mark.parametrize("expression", ANSWERS)
def test_answers_are_those_of_keras(expression: str) -> None:
    assert_agrees(answer(tf, expression), ANSWERS[expression])


def adapted(**options: Any) -> Any:
    layer = layers.TextVectorization(**options)
    layer.adapt(["b a", "a C!", "d"])
    return layer


def model_of(*parts: Any) -> Any:
    return tf.keras.Sequential([tf.keras.Input((1,), dtype="string"), *parts])


TEXTS = tf.constant([["a b"], ["c q a"]])


@pytest.mark.parametrize("ending", ["keras", "safetensors", "npz"])
@pytest.mark.parametrize("mode", ["int", "count", "tf_idf"])
def test_models_in_files_keep_what_adapt_learned(tmp_path: Any, ending: str, mode: str) -> None:
    layer = adapted(output_mode=mode)
    lookup = layers.IntegerLookup(mask_token=0)
    lookup.adapt([5, 5, 7])
    words, numbers = tf.keras.Input((1,), dtype="string"), tf.keras.Input((2,), dtype="int64")
    model = tf.keras.Model([words, numbers], [layer(words), lookup(numbers)])
    model.save(tmp_path / f"m.{ending}")
    copied = tf.keras.models.load_model(tmp_path / f"m.{ending}")
    inputs = [TEXTS, tf.constant([[5, 0], [7, 8]])]
    for got, expected in zip(copied(inputs), model(inputs), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert copied.layers[-2].get_vocabulary() == layer.get_vocabulary()
    assert copied.layers[-1].get_vocabulary() == [0, -1, 5, 7]


def test_weights_in_files_bring_the_vocabulary(tmp_path: Any) -> None:
    model = model_of(adapted(output_mode="tf_idf"))
    model.save_weights(tmp_path / "w.safetensors")
    other = model_of(layers.TextVectorization(output_mode="tf_idf"))
    other.load_weights(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(other(TEXTS), model(TEXTS))


def test_a_term_with_a_line_break_is_not_saved(tmp_path: Any) -> None:
    layer = layers.TextVectorization(split=None, standardize=None)
    layer.adapt(["a\nb"])
    with pytest.raises(ValueError, match="line break"):
        model_of(layer).save(tmp_path / "m.keras")
    assert not list(tmp_path.iterdir())


def test_files_with_another_vocabulary_are_refused(tmp_path: Any) -> None:
    layer = layers.StringLookup()
    layer.adapt(["a", "b"])
    layer._terms = ("a", "a")  # what a damaged file holds
    model_of(layer).save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="repeated"):
        tf.keras.models.load_model(tmp_path / "m.keras")


def test_vocabulary_files_outside_of_the_model_are_refused(tmp_path: Any) -> None:
    (tmp_path / "v.txt").write_text("a\n")
    model = model_of(layers.StringLookup(vocabulary=["a"]))
    config = model.to_json().replace('["a"]', f'"{tmp_path / "v.txt"}"')
    with SafeModeScope(True), pytest.raises((TypeError, ValueError), match="outside of the model archive"):
        tf.keras.models.model_from_json(config)


def test_a_model_with_strings_trains_from_tensors_and_datasets() -> None:
    model = model_of(adapted(output_sequence_length=3), layers.Embedding(8, 2), layers.Flatten(), layers.Dense(1))
    model.compile("adam", "mse")
    labels = np.array([[0.0], [1.0]], np.float32)
    before = model.evaluate(TEXTS, labels, verbose=0)
    model.fit(TEXTS, labels, epochs=30, verbose=0)
    model.fit(tf.data.Dataset.from_tensor_slices((TEXTS, labels)).batch(2), epochs=30, verbose=0)
    assert model.evaluate(TEXTS, labels, verbose=0) < before
    assert model.predict(TEXTS, verbose=0).shape == (2, 1)
    with pytest.raises(ValueError, match=r"Invalid dtype: str.*tf\.constant"):
        model.predict(np.array([["a"]]), verbose=0)


@pytest.mark.parametrize("options", [{}, {"output_mode": "count"}, {"output_mode": "tf_idf"}, {"ragged": True}])
def test_datasets_and_functions_give_what_calls_give(options: dict[str, Any]) -> None:
    layer = adapted(**options)
    texts = tf.constant(["a b", "c q a"])
    expected = layer(texts)
    mapped = next(iter(tf.data.Dataset.from_tensor_slices(texts).batch(2).map(layer)))
    for got in (mapped, tf.function(layer)(texts)):
        if options.get("ragged"):
            got, expected = got.to_tensor(), expected.to_tensor() if hasattr(expected, "to_tensor") else expected
        np.testing.assert_array_equal(got, expected)


def test_copies_and_configurations_are_equal() -> None:
    layer = adapted(output_mode="tf_idf", ngrams=2)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(other(TEXTS), layer(TEXTS))
    again = layers.TextVectorization.from_config(layer.get_config())
    again.set_vocabulary(layer.get_vocabulary(), layer._lookup_layer._idf_weights)
    np.testing.assert_array_equal(again(TEXTS), layer(TEXTS))
    bins = layers.Discretization(num_bins=3)
    bins.adapt(np.arange(9.0))
    again = layers.Discretization.from_config(bins.get_config())
    assert (again.bin_boundaries, again.num_bins) == (bins.bin_boundaries, 3)


def test_symbolic_calls_know_shape_and_dtype() -> None:
    x = tf.keras.Input((1,), dtype="string")
    for layer in (
        adapted(output_sequence_length=3),
        adapted(output_mode="count"),
        adapted(output_mode="tf_idf"),
        layers.StringLookup(vocabulary=["a"]),
        layers.StringLookup(vocabulary=["a"], output_mode="one_hot"),
        layers.Hashing(3),
        layers.Hashing(3, output_mode="count"),
    ):
        y, real = layer(x), layer(TEXTS)
        assert y.shape == (None, *real.shape[1:])
        assert y.dtype == real.dtype.name


def test_sparse_rows_are_the_dense_ones() -> None:
    options = {"vocabulary": ["a", "b"], "output_mode": "tf_idf", "idf_weights": [0.5, 2.0]}
    sparse = layers.StringLookup(**options, sparse=True)([["a", "z"]])
    np.testing.assert_array_equal(tf.sparse.to_dense(sparse), layers.StringLookup(**options)([["a", "z"]]))


def test_a_failed_adapt_leaves_the_vocabulary() -> None:
    layer = layers.StringLookup()
    layer.adapt(["a"])

    def batches() -> Any:
        yield np.array(["b"])
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk"):
        layer.adapt(batches())
    assert layer.get_vocabulary() == ["[UNK]", "a"]


def test_strings_of_deferred_layers_are_empty() -> None:
    y = layers.Lambda(tf.strings.length)(tf.keras.Input((2,), dtype="string"))
    assert (y.shape, y.dtype) == ((None, 2), "int32")


def test_hashed_pairs_are_keras_answers() -> None:
    a, b = tf.constant(["A", "B", "A", "B", "A"]), tf.constant([101, 101, 101, 102, 102])
    assert layers.HashedCrossing(5)((a, b)).numpy().tolist() == [1, 4, 1, 1, 3]
    assert layers.HashedCrossing(7)((a[:, None], b[:, None])).numpy().tolist() == [[4], [0], [4], [0], [0]]
    assert int(layers.HashedCrossing(7)((a[0], b[0]))) == 4
    assert layers.HashedCrossing(5)((["a", "b"], [1, 2])).numpy().tolist() == [0, 2]
    inputs = [tf.keras.Input((1,), dtype="string"), tf.keras.Input((1,), dtype="int32")]
    layer = layers.HashedCrossing(5, output_mode="one_hot")
    rows = tf.keras.Model(inputs, layer(inputs))([a[:, None], b[:, None]])
    assert rows.shape == (5, 5)
    assert rows.numpy().argmax(1).tolist() == [1, 4, 1, 1, 3]
    again = layers.HashedCrossing.from_config(layer.get_config())
    np.testing.assert_array_equal(again((a, b)), rows)
    batches = tf.data.Dataset.from_tensor_slices((a, b)).batch(2).map(lambda x, y: layers.HashedCrossing(5)((x, y)))
    assert [batch.numpy().tolist() for batch in batches] == [[1, 4], [1, 1], [3]]


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ([["a"]], "at least two inputs"),
        ((["a", "b"], ["a"]), "equal shape"),
        ((["a"], [1.0]), "integer or string dtype"),
        (([[1, 2]], [[1, 2]]), "should have shape"),
    ],
)
def test_other_pairs_are_refused(inputs, reason) -> None:
    with pytest.raises(ValueError, match=reason):
        layers.HashedCrossing(5)(inputs)


def test_layers_of_preprocessing_take_lists_and_numbers() -> None:
    scaled = layers.Normalization(axis=None, mean=4.5, variance=8.25)
    np.testing.assert_allclose(scaled([1.0, 2]), [-1.2185436, -0.8703883], rtol=1e-6)
    np.testing.assert_allclose(np.squeeze(scaled(3.0)), -0.52223295, rtol=1e-6)
    assert layers.Rescaling(2.0)([1.0, 2]).numpy().tolist() == [2.0, 4.0]
    assert layers.CategoryEncoding(3, output_mode="one_hot")([1, 2]).numpy().tolist() == [[0, 1, 0], [0, 0, 1]]
    assert layers.CenterCrop(1, 1)([[[[1.0]]]]).numpy().tolist() == [[[[1.0]]]]
    with pytest.raises(ValueError, match="Only input tensors"):
        layers.Dense(2)([[1.0, 2.0]])


def test_rows_of_ragged_numbers_are_ragged() -> None:
    layer = layers.TextVectorization(output_mode="one_hot", vocabulary=["foo", "bar", "baz"])
    rows = layer(["foo bar", "baz"])
    assert isinstance(rows, tf.RaggedTensor)
    assert rows.to_list() == [[[0, 1, 0, 0], [0, 0, 1, 0]], [[0, 0, 0, 1]]]  # as Keras's
    assert rows.shape == (2, None, 4)


@pytest.mark.parametrize("length", [None, 4])
def test_a_recording_calls_the_layer_once_for_texts_of_any_number_of_words(length):
    layer = tf.keras.layers.TextVectorization(output_sequence_length=length)
    layer.adapt(["a b c d", "a b c", "a b", "a"])

    encode = tf.function(lambda texts: layer(texts) * 2)
    batches = [["a", "b c d"], ["a b", "c"], ["d d", "a a a a a"], ["", "b"], ["x y z", "a"]]
    for batch in [*batches, *batches]:
        np.testing.assert_array_equal(encode(tf.constant(batch)), layer(tf.constant(batch)) * 2)
    assert encode.experimental_get_tracing_count() == (1 if length else 4)  # results of 3, 2, 5 and 1 words
    layer.adapt(["d c b", "d c", "d"])
    np.testing.assert_array_equal(encode(tf.constant(batches[-1])), layer(tf.constant(batches[-1])) * 2)
    assert encode(tf.constant([["d"], ["c d"]])).shape == (2, length or 2)
