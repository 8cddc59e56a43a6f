"""``FeatureSpace``: Keras's numbers, datasets, and models of encoded features."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

FeatureSpace = keras.utils.FeatureSpace
RAW = {"f": [0.0, 0.1, 0.2, 0.3], "s": ["zero", "one", "two", "three"], "i": [0, 1, 2, 3]}
KINDS = {"f": "float_normalized", "s": "string_categorical", "i": "integer_categorical"}


def adapted(**options):
    space = FeatureSpace(KINDS, **options)
    space.adapt(tf.data.Dataset.from_tensor_slices(RAW))
    return space


def test_columns_are_sorted_and_encoded_as_in_keras():
    # The numbers of Keras 3.15: the float, then the integer and the string with a column for unknown ones, then the cross.
    vector = adapted(crosses=[("s", "i")], crossing_dim=5)(RAW)
    assert vector.dtype is tf.float32
    np.testing.assert_allclose(vector[:, 0], [-1.3416, -0.4472, 0.4472, 1.3416], atol=1e-4)
    assert np.argmax(vector[:, 1:6], 1).tolist() == [4, 3, 2, 1]
    assert np.argmax(vector[:, 6:11], 1).tolist() == [1, 4, 2, 3]
    assert np.argmax(vector[:, 11:], 1).tolist() == [0, 4, 1, 3]
    assert (vector.numpy()[:, 1:].sum(1) == 3).all()


def test_a_dict_has_each_feature():
    encoded = adapted(output_mode="dict", crosses=[("s", "i")])(RAW)
    assert {name: value.shape.as_list() for name, value in encoded.items()} == {
        "f": [4, 1], "i": [4, 5], "s": [4, 5], "s_X_i": [4, 32],
    }  # fmt: skip
    assert np.argmax(encoded["s_X_i"][0]) == 21


def test_single_values_and_datasets():
    space = adapted()
    whole = space(RAW).numpy()
    np.testing.assert_array_equal(space({name: values[1] for name, values in RAW.items()}), whole[1])
    rows = tf.data.Dataset.from_tensor_slices(RAW)
    np.testing.assert_array_equal(list(rows.map(space)), whole)
    np.testing.assert_array_equal(np.concatenate(list(rows.batch(3).map(space))), whole)


def test_further_kinds():
    space = FeatureSpace(
        {
            "a": "float", "b": FeatureSpace.float_rescaled(scale=2.0, offset=1.0), "c": "float_discretized", "d": "integer_hashed",
            "e": "string_hashed", "k": FeatureSpace.string_categorical(max_tokens=3, num_oov_indices=2),
            "l": FeatureSpace.integer_categorical(num_oov_indices=0),
        },
        hashing_dim=4, num_discretization_bins=3,
    )  # fmt: skip
    data = {"a": [1.0, 2.0, 3.0, 4.0], "b": [1.0, 2.0, 3.0, 4.0], "c": [1.0, 2.0, 3.0, 4.0], "d": [1, 2, 3, 4], "e": list("abcd"),
            "k": list("aabc"), "l": [5, 6, 7, 5]}  # fmt: skip
    space.adapt(data)
    first = [1, 3, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0]
    vector = space(data).numpy()
    assert vector.shape == (4, 19)
    assert vector[0, [0, 1, 2, 3, 4, 5, 6, 7, 8]].tolist() == first[:9]
    assert vector[:, :2].tolist() == [[1, 3], [2, 5], [3, 7], [4, 9]]


def test_a_layer_of_ones_own():
    layer = keras.layers.TextVectorization(output_mode="tf_idf")
    space = FeatureSpace({"text": FeatureSpace.feature("string", layer, "float")})
    data = {"text": ["1st string", "2nd string", "3rd string"]}
    space.adapt(data)
    np.testing.assert_allclose(space(data)[0], [0.0, 0.5596, 0.0, 0.0, 0.9163], atol=1e-4)
    assert space.preprocessors["text"] is layer


def test_models_of_encoded_features_train_and_predict_from_columns():
    space = adapted(crosses=[("s", "i")])
    encoded = space.get_encoded_features()
    outputs = keras.layers.Dense(1, activation="sigmoid")(encoded)
    training_model = keras.Model(encoded, outputs)
    training_model.compile(keras.optimizers.Adam(0.1), "binary_crossentropy")
    rows = tf.data.Dataset.from_tensor_slices((RAW, [0, 1, 0, 1])).batch(4).map(lambda x, y: (space(x), y))
    losses = training_model.fit(rows, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.3 * losses[0]
    model = keras.Model(space.get_inputs(), training_model(encoded))
    columns = {name: tf.constant(values)[:, None] for name, values in RAW.items()}
    np.testing.assert_allclose(model(columns), training_model(space(RAW)), rtol=1e-6)


FURTHER_KINDS = {
    **KINDS, "c": "float_discretized", "h": FeatureSpace.string_hashed(5), "r": FeatureSpace.float_rescaled(2.0, 1.0),
    "t": FeatureSpace.feature("string", keras.layers.TextVectorization(output_mode="tf_idf"), "float"),
}  # fmt: skip
FURTHER_RAW = {**RAW, "c": RAW["f"], "h": RAW["s"], "r": RAW["f"], "t": ["a b", "b c", "c", "a"]}


@pytest.mark.parametrize("output_mode", ["concat", "dict"])
def test_an_adapted_object_is_saved_and_loaded(tmp_path, output_mode):
    crosses = [("s", "i"), FeatureSpace.cross(("i", "h"), 3)]
    space = FeatureSpace(FURTHER_KINDS, output_mode, crosses, crossing_dim=4, num_discretization_bins=3)
    space.adapt(FURTHER_RAW)
    expected = space(FURTHER_RAW)
    space.save(tmp_path / "space.keras")
    loaded = keras.saving.load_model(tmp_path / "space.keras")
    assert type(loaded) is FeatureSpace
    tf.nest.map_structure(np.testing.assert_array_equal, loaded(FURTHER_RAW), expected)
    rows = tf.data.Dataset.from_tensor_slices(FURTHER_RAW).batch(4).map(loaded)
    tf.nest.map_structure(np.testing.assert_array_equal, next(iter(rows)), expected)
    assert loaded.get_config()["features"].keys() == FURTHER_KINDS.keys()


def test_a_configuration_makes_an_object_that_is_not_adapted():
    space = adapted(crosses=[("s", "i")], crossing_dim=5)
    config = space.get_config()
    assert config["crosses"][0]["config"] == {"feature_names": ("s", "i"), "crossing_dim": 5, "output_mode": "one_hot"}
    copy = FeatureSpace.from_config(config)
    copy.adapt(tf.data.Dataset.from_tensor_slices(RAW))
    np.testing.assert_array_equal(copy(RAW), space(RAW))


def test_integers_are_not_concatenated():
    space = FeatureSpace({"i": FeatureSpace.integer_categorical(output_mode="int")})
    with pytest.raises(ValueError, match="has not been encoded"):
        space.adapt({"i": [1, 2]})


@pytest.mark.parametrize(("call", "error", "text"), [
    (lambda: FeatureSpace({}), ValueError, "cannot be None or empty"),
    (lambda: FeatureSpace({"a": "double"}), ValueError, "Invalid feature type"),
    (lambda: FeatureSpace({"a": "float"}, crosses=[("a", "b")]), ValueError, "must be in `features`"),
    (lambda: FeatureSpace({"a": "float"}, crosses=[("a",)], crossing_dim=0), ValueError, "crossing_dim"),
    (lambda: FeatureSpace({"a": "float"}, output_mode="list"), ValueError, "output_mode"),
    (lambda: FeatureSpace.cross(("a", "b"), 3, output_mode="float"), ValueError, "output_mode"),
    (lambda: FeatureSpace(KINDS)(RAW), ValueError, "adapt"),
    (lambda: FeatureSpace(KINDS).get_inputs(), ValueError, "adapt"),
    (lambda: FeatureSpace(KINDS).adapt([1]), ValueError, "`dataset` must be a Dataset or a dict of arrays"),
    (lambda: adapted()([1]), ValueError, "with a dict"),
    (lambda: adapted()({"f": 0.1}), KeyError, "must have the features"),
    (lambda: adapted()({**RAW, "z": [1] * 4}), KeyError, "must have the features"),
    (lambda: FeatureSpace.from_config(adapted().get_config())(RAW), ValueError, "adapt"),
    (lambda: FeatureSpace.from_config({"features": {"a": {"class_name": "Dense"}}}), TypeError, "Invalid feature type"),
])  # fmt: skip
def test_wrong_calls(call, error, text):
    with pytest.raises(error, match=text):
        call()
