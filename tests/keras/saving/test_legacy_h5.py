"""Keras's older files, ``.h5``: what models_of_both.py does not ask."""

import json

import numpy as np
import pytest

from fastgrad import keras

h5py = pytest.importorskip("h5py")
layers = keras.layers
X = np.sin(np.arange(8 * 4)).reshape(8, 4).astype(np.float32)


def trained():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, "tanh"), layers.BatchNormalization(), layers.Dense(2)])
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)
    model.compile(keras.optimizers.AdamW(rate), keras.losses.Huber(0.5), metrics=["mae", keras.metrics.R2Score()])
    model.fit(X, X[:, :2], verbose=0)
    return model


def test_compiled_models_come_back_with_their_optimizers_state(tmp_path):
    model = trained()
    model.save(tmp_path / "model.h5")
    again = keras.models.load_model(tmp_path / "model.h5")
    assert [type(layer) for layer in again.layers] == [type(layer) for layer in model.layers]
    assert again.evaluate(X, X[:, :2], verbose=0) == model.evaluate(X, X[:, :2], verbose=0)
    for found, wanted in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert not keras.models.load_model(tmp_path / "model.h5", compile=False).compiled


def test_weights_alone(tmp_path):
    model = trained()
    model.save(tmp_path / "model.h5")
    again = keras.models.clone_model(model)
    again.load_weights(tmp_path / "model.h5")
    np.testing.assert_array_equal(again(X), model(X))


def write_as_keras_2(path):
    """A functional model in the form in which Keras 2 wrote it, with names of its own."""
    kernel, bias = np.arange(12, dtype=np.float32).reshape(4, 3), np.ones(3, np.float32)
    dense = {"name": "d", "trainable": True, "dtype": "float32", "units": 3, "activation": "relu", "use_bias": True}
    config = {
        "name": "old",
        "layers": [
            {
                "class_name": "InputLayer",
                "name": "i",
                "config": {
                    "batch_input_shape": [None, 4],
                    "dtype": "float32",
                    "sparse": False,
                    "ragged": False,
                    "name": "i",
                },
                "inbound_nodes": [],
            },
            {"class_name": "Dense", "name": "d", "config": dense, "inbound_nodes": [[["i", 0, 0, {}]]]},
            {
                "class_name": "Concatenate",
                "name": "c",
                "config": {"name": "c", "trainable": True, "dtype": "float32", "axis": -1},
                "inbound_nodes": [[["d", 0, 0, {}], ["i", 0, 0, {}]]],
            },
        ],
        "input_layers": [["i", 0, 0]],
        "output_layers": [["c", 0, 0]],
    }
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": config})
        file.attrs["keras_version"] = "2.11.0"
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"i", b"d", b"c"]
        for name, arrays in (("i", {}), ("d", {"d/kernel:0": kernel, "d/bias:0": bias}), ("c", {})):
            group = weights.create_group(name)
            group.attrs["weight_names"] = [key.encode() for key in arrays]
            for key, array in arrays.items():
                group.create_dataset(key, data=array)
    return np.concatenate([np.maximum(X @ kernel + bias, 0), X], 1)


def test_files_of_keras_2(tmp_path):
    wanted = write_as_keras_2(tmp_path / "old.h5")
    model = keras.models.load_model(tmp_path / "old.h5")
    np.testing.assert_allclose(model(X), wanted, rtol=1e-6)
    assert model.name == "old"


def test_lists_in_parts(tmp_path):
    model = keras.Sequential([keras.Input((1,)), *[layers.Dense(1, name=f"{'long' * 300}{i}") for i in range(80)]])
    model.save(tmp_path / "long.h5")
    with h5py.File(tmp_path / "long.h5") as file:
        assert {"layer_names0", "layer_names1"} <= set(file["model_weights"].attrs)
    again = keras.models.load_model(tmp_path / "long.h5")
    for found, wanted in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_what_does_not_fit_is_said_and_changes_nothing(tmp_path):
    trained().save(tmp_path / "model.h5")
    other = keras.Sequential([keras.Input((4,)), layers.Dense(5), layers.BatchNormalization(), layers.Dense(2)])
    before = other.get_weights()
    with pytest.raises(ValueError, match=r"\(4, 3\).*\(4, 5\).*Nothing has been changed"):
        other.load_weights(tmp_path / "model.h5")
    fewer = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    with pytest.raises(ValueError, match="Missing in the file"):
        fewer.load_weights(tmp_path / "model.h5")
    for now, then in zip(other.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def without_attributes(path, *names):
    with h5py.File(path, "a") as file:
        for name in names:
            del file.attrs[name]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_bytes(b"nothing"), "no intact HDF5"),
        (lambda path: path.write_bytes(path.read_bytes()[:2000]), "no intact HDF5"),
        (lambda path: h5py.File(path, "a").attrs.__setitem__("model_config", "{"), "no intact HDF5"),
        (lambda path: h5py.File(path, "a").attrs.__delitem__("model_config"), "checksum of its texts"),
        (lambda path: without_attributes(path, "model_config", "fastgrad_crc32"), "no model"),
    ],
)
def test_damaged_files(tmp_path, spoil, message):
    path = tmp_path / "model.h5"
    trained().save(path)
    spoil(path)
    with pytest.raises(ValueError, match=message):
        keras.models.load_model(path)


def test_pickled_weights_are_not_loaded(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        for name in ("config.json", "metadata.json", "model.weights.npz"):
            archive.writestr(name, "{}")
    with pytest.raises(ValueError, match="pickled"):
        keras.models.load_model(tmp_path / "model.keras")


def test_weights_have_another_ending(tmp_path):
    with pytest.raises(ValueError, match=r"weights\.h5"):
        trained().save_weights(tmp_path / "model.h5")
    assert not (tmp_path / "model.h5").exists()


def test_missing_folders_are_made(tmp_path):
    path = tmp_path / "new" / "folder" / "model.h5"
    trained().save(path)
    assert path.exists()
    with pytest.raises(FileNotFoundError, match=r"other/model\.keras'$"):
        trained().save(tmp_path / "other" / "model.keras")


class TestWeightsByName:
    def save_source(self, folder):
        source = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="a"), layers.Dense(2, name="b")])
        source.save(folder / "model.h5")
        return source

    def test_layers_of_the_same_name_take_them(self, tmp_path):
        source = self.save_source(tmp_path)
        model = keras.Sequential([keras.Input((4,)), layers.Dense(5, name="c"), layers.Dense(2, name="d")])
        model.add(layers.Dense(2, name="e"))
        model.layers[1].name = "b"
        before = [weight.numpy() for weight in model.weights]
        with pytest.raises(ValueError, match="Nothing has been changed"):
            model.load_weights(tmp_path / "model.h5", by_name=True)
        with pytest.warns(UserWarning, match="does not fit"):
            model.load_weights(tmp_path / "model.h5", skip_mismatch=True, by_name=True)
        for index, (weight, value) in enumerate(zip(model.weights, before, strict=True)):
            np.testing.assert_array_equal(weight, source.layers[1].bias if index == 3 else value)
        other = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="b"), layers.Dense(7, name="z")])
        last = other.layers[1].get_weights()
        other.load_weights(tmp_path / "model.h5", by_name=True)
        np.testing.assert_array_equal(other.layers[0].kernel, source.layers[1].kernel)
        np.testing.assert_array_equal(other.layers[1].kernel, last[0])

    def test_a_layer_with_another_number_of_weights(self, tmp_path):
        self.save_source(tmp_path)
        model = keras.Sequential([keras.Input((3,)), layers.Dense(2, use_bias=False, name="b")])
        with pytest.raises(ValueError, match="'b' has 1 weights, but 2 in"):
            model.load_weights(tmp_path / "model.h5", by_name=True)
        with pytest.warns(UserWarning, match="left out"):
            model.load_weights(tmp_path / "model.h5", skip_mismatch=True, by_name=True)

    def test_other_files_have_no_names(self, tmp_path):
        source = self.save_source(tmp_path)
        source.save_weights(tmp_path / "model.weights.h5")
        with pytest.raises(ValueError, match="by_name"):
            source.load_weights(tmp_path / "model.weights.h5", by_name=True)


def test_a_compiled_model_within_comes_back_without_its_optimizer(tmp_path):
    x = np.ones((4, 3))
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(2)], name="inner")
    inner.compile("adam", "mse")
    inner.fit(x, x[:, :2], verbose=0)
    model = keras.Sequential([keras.Input((3,)), inner, layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(x, x[:, :1], verbose=0)
    model.save(tmp_path / "m.h5")
    loaded = keras.models.load_model(tmp_path / "m.h5")
    assert int(loaded.optimizer.iterations) == 1
    with pytest.raises(ValueError, match="compile"):
        loaded.layers[0].fit(x, x[:, :2], verbose=0)
    assert not keras.models.load_model(tmp_path / "m.h5", compile=False).compiled
